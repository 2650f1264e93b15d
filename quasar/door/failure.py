"""What went wrong at a miner's door, as the evidence that the log records."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import anyio

from quasar.errors import Refused
from quasar.events.answer import Evidence, Stage


class DoorError(Refused):
    """Raised when a call to a miner fails, for whatever reason; carries the evidence."""

    def __init__(self, evidence: Evidence, detail: str) -> None:
        super().__init__(evidence.code, detail)
        self.evidence = evidence


class Attempt:
    """How far one attempt came. ``connect`` lasts until the miner's first response."""

    def __init__(self, stage: Stage) -> None:
        self._stage: Stage = stage
        self._bytes = 0
        self._started = time.monotonic()
        self._own_failure: OSError | None = None

    def enter(self, stage: Stage) -> None:
        """The next stage begins."""
        if stage != self._stage:
            self._stage, self._bytes = stage, 0

    def count(self, size: int) -> None:
        """Bytes sent in connect and upload, received later."""
        self._bytes += size

    def count_received(self, size: int) -> None:
        """Bytes received; they do not count where bytes sent do."""
        if self._stage not in ("connect", "upload"):
            self._bytes += size

    def blame_self(self, failure: OSError) -> None:
        """Our own disk failed: the miner must not answer for it."""
        self._own_failure = failure

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Turn everything that the other side can cause into DoorError, and end in time."""
        try:
            with anyio.fail_after(seconds):
                yield
        except (Refused, aiohttp.ClientError, OSError) as failure:
            if self._own_failure:
                raise self._own_failure from None
            raise self._error(*_name(failure)) from failure

    def _error(self, code: str, detail: str) -> DoorError:
        elapsed_ms = int((time.monotonic() - self._started) * 1000)
        evidence = Evidence(stage=self._stage, code=code, bytes=self._bytes, elapsed_ms=elapsed_ms)
        return DoorError(evidence, detail)


def _name(failure: Exception) -> tuple[str, str]:
    """Code and detail. No words of aiohttp's errors: they repeat what the other side sent."""
    match failure:
        case Refused():
            return failure.code, failure.detail
        case TimeoutError():
            return "timeout", "the miner took too long"
        case aiohttp.ClientConnectorError():
            refused = isinstance(failure.os_error, ConnectionRefusedError)
            return ("refused" if refused else "unreachable"), "the miner's port cannot be reached"
        case aiohttp.ClientResponseError():
            return "bad-http", "the miner does not speak HTTP as it should"
        case aiohttp.ClientPayloadError():
            return "cut-short", "the response ended before its announced length"
        case _:
            return "disconnected", "the connection broke"
