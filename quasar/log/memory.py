"""A log in memory: tests, simulation, and what the file log serves its readers from."""

import time
from collections.abc import AsyncGenerator, Sequence

import anyio
from anyio.lowlevel import checkpoint

from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft
from quasar.log import Stored
from quasar.log.bell import Bell
from quasar.log.blobs import MemoryBlobs
from quasar.log.settle import Clock, Entry, prepare

_RUN = 256
"""Events that a reader hands out before it lets other tasks run."""


class MemoryLog:
    """Keeps every event until the process ends. Any number of writers and readers, one loop."""

    def __init__(self, blobs: Blobs | None = None, clock: Clock = time.time_ns) -> None:
        self._blobs = MemoryBlobs() if blobs is None else blobs
        self._clock = clock
        self._lines: list[bytes] = []
        self._seqs: dict[str, int] = {}
        self._lock = anyio.Lock()
        self._grown = Bell()

    @property
    def blobs(self) -> Blobs:
        """Long payloads, by hash."""
        return self._blobs

    async def append(self, step: Sequence[Draft]) -> list[Stored]:
        """As ``Log.append``."""
        entries = prepare(step, self._clock())
        async with self._lock:
            held = {e.slot: self._settle(e) for e in entries if e.slot in self._seqs}
            fresh = [e for e in entries if e.slot not in held]
            if fresh:
                await self._persist([e.line for e in fresh])
                held |= {e.slot: self._take(e) for e in fresh}
                self._grown.ring()
        return [held[e.slot] for e in entries]

    async def read(self, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        """As ``Log.read``; goes on for ever."""
        seq = after
        while True:
            while seq >= len(self._lines):
                await self._grown.wait()
            for line in self._lines[seq : seq + _RUN]:
                seq += 1
                yield seq, line
            await checkpoint()

    async def head(self) -> int:
        """As ``Log.head``."""
        return len(self._lines)

    async def _persist(self, lines: list[bytes]) -> None:
        """Make a step durable before anyone sees it. Nothing to do in memory."""

    def _settle(self, entry: Entry) -> Stored:
        seq = self._seqs[entry.slot]
        return entry.settle(seq, self._lines[seq - 1])

    def _take(self, entry: Entry) -> Stored:
        self._lines.append(entry.line)
        self._seqs[entry.slot] = len(self._lines)
        return Stored(len(self._lines), entry.line, new=True)
