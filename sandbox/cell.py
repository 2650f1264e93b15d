"""A cell: one walled-in runner, used for one submission and then removed."""

import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

import anyio
import msgspec

from quasar.sandbox.errors import SandboxError

SEND_S = 60.0
"""A runner that takes no request for so long is broken."""
HEADER_BYTES = 1 << 16


class Gone(Exception):
    """The runner's stream ended: the cell is no more."""


class Cell(ABC):
    """Started once; then one request and its answers at a time; then removed."""

    def __init__(self, largest: int) -> None:
        """``largest``: bytes of the longest result and the longest prints together."""
        self.hello: dict[str, Any] = {}
        self._largest = largest + HEADER_BYTES
        self._unread = bytearray()

    @abstractmethod
    async def start(self) -> None:
        """Until the runner said hello. Raises SandboxError where it does not come up."""

    @abstractmethod
    async def remove(self) -> None:
        """End and delete it, whatever runs in it; not even a cancelled caller leaves it behind.

        May be called on a cell that never started, and twice.
        """

    @abstractmethod
    async def stand_back(self) -> None:
        """From now on the processor goes to others first, where there is not enough for all."""

    @abstractmethod
    async def was_out_of_memory(self) -> bool:
        """After Gone: whether the kernel ended it. Raises SandboxError where nobody can tell."""

    @abstractmethod
    def complaint(self) -> str:
        """The last line that the runner wrote to stderr."""

    @abstractmethod
    async def _write(self, data: bytes) -> None:
        """All of it, to the runner's stdin. Any exception says that the runner is no more."""

    @abstractmethod
    async def _read(self) -> bytes:
        """What came from the runner's stdout; empty at the end."""

    async def send(self, body: bytes) -> None:
        """One frame to the runner. Raises Gone where the cell is no more."""
        try:
            with anyio.fail_after(SEND_S):
                await self._write(struct.pack(">I", len(body)) + body)
        except TimeoutError:
            raise SandboxError(f"the runner took no request within {SEND_S:g} s") from None
        except Exception as error:  # an assertion or an OSError, by how the stream ended
            raise Gone from error

    async def receive(self, kind: str) -> tuple[dict[str, Any], bytes]:
        """The next frame: the runner's header and the bytes behind it. Raises Gone at the end.

        Raises SandboxError for a frame of another kind, or longer than any can be.
        """
        frame = await self._frame()
        head, _, rest = frame.partition(b"\0")
        try:
            header = msgspec.json.decode(head[:HEADER_BYTES], type=dict[str, Any])
        except (ValueError, RecursionError) as error:
            raise SandboxError("the runner sent no header: stop and report this") from error
        if header.get("kind") != kind:
            reason = header.get("reason", f"{header.get('kind')} instead of {kind}")
            raise SandboxError(f"the runner cannot wall a case in: {reason}")
        return header, rest

    async def ended(self) -> None:
        """Wait, while nothing was asked of it, until it is no more; the caller may give up waiting.

        A runner that speaks unasked counts as ended: it cannot be trusted with code.
        """
        with suppress(Gone):
            await self._fill(1)

    async def _frame(self) -> bytes:
        """Taken from the buffer once it is whole, so a caller may give up waiting and come back."""
        await self._fill(4)
        size = struct.unpack_from(">I", self._unread)[0]
        if size > self._largest:
            raise SandboxError(f"the runner sent a frame of {size} bytes: stop and report this")
        await self._fill(4 + size)
        frame = bytes(self._unread[4 : 4 + size])
        del self._unread[: 4 + size]
        return frame

    async def _fill(self, size: int) -> None:
        """Read until the buffer holds so many bytes."""
        while len(self._unread) < size:
            try:
                data = await self._read()
            except Exception as error:  # reset, closed: by how the runner ended
                raise Gone from error
            if not data:
                raise Gone
            self._unread += data


def last_line(complaints: bytes) -> str:
    """For ``Cell.complaint``."""
    lines = complaints.decode("utf-8", "replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "no reason")
