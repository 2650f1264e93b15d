"""The log: one total order of write-once events."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft


class Stored(NamedTuple):
    """An event as the log holds it."""

    seq: int
    """1 for the first event; none is missing."""
    line: bytes
    """The stored bytes, an envelope in JSON without the newline."""
    new: bool
    """False where the slot was taken before this append."""


class Log(Protocol):
    """Memory, file, JetStream and archive logs pass one contract suite (tests/contract)."""

    @property
    def blobs(self) -> Blobs:
        """Long payloads, by hash."""
        ...

    async def append(self, step: Sequence[Draft]) -> list[Stored]:
        """Store a step, atomically, and return what the log now holds in its slots, in order.

        A taken slot is settled alone: of a fact or an effect the stored event stands and is
        returned; a decision must equal the stored one in payload, actor and cause. A step has at
        most MAX_STEP events with different slots. Returns once the events are durable.

        Raises Diverged for another decision in the slot (nothing of the step is stored then),
        UsageError for a step that breaks a limit, and LogError where the log cannot be written.
        """
        ...

    def read(self, after: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """Events with a number above ``after``, in order, without gaps.

        A live log goes on for ever and waits for the next event; an archive ends.
        Raises Damaged where a number is missing.
        """
        ...

    async def head(self) -> int:
        """Number of the newest event; 0 for an empty log."""
        ...


@runtime_checkable
class InRuns(Protocol):
    """A log that gives together what came together."""

    def runs(self, after: int = 0) -> AsyncIterator[tuple[int, list[bytes]]]:
        """As ``Log.read``, but lines that follow each other, with the number of the first."""
        ...


MAX_STEP = 1000
"""Events in one atomic step: JetStream's limit of a batch."""
