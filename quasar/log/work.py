"""Shared work: some events are work for one of several workers, which holds a lease on it.

A lease only says who acts. Whether there is anything to do is what the worker's fold of the log
says, and whose result counts is what the slot says: a lease that is lost, or held twice, costs time
and nothing else.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Protocol

import anyio
from anyio.lowlevel import checkpoint

from quasar.events.envelope import decode
from quasar.log.memory import MemoryLog

LEASE_S = 30.0
"""Seconds for which work is a worker's alone, unless it says that it is still at it."""


class Word(Enum):
    """What a worker says of its lease."""

    BUSY = "busy"
    """It needs longer."""
    DONE = "done"
    BACK = "back"
    """Somebody else may have it."""


Tell = Callable[[int, Word, float], Awaitable[bool]]
"""Takes the event's number, the word, and for BACK after how many seconds. Gives whether it is
known to have been heard."""


class Lapsed(Exception):
    """Raised when work may be somebody else's by now."""


class Lease:
    """One event that is this worker's to act on."""

    def __init__(self, seq: int, line: bytes, seconds: float, tell: Tell) -> None:
        self.seq = seq
        self.line = line
        """The stored bytes."""
        self.seconds = seconds
        self.settled = False
        """Nothing more is to be said."""
        # It may have been on its way for a while: until it is renewed, less of it is counted on.
        self.until = anyio.current_time() + seconds * 2 / 3
        """From then on the queue may give the work to another, on the loop's clock."""
        self._tell = tell

    @property
    def lapsed(self) -> bool:
        """Whether somebody else may have the work."""
        return anyio.current_time() >= self.until

    async def renew(self) -> bool:
        """Hold it for ``seconds`` more; False where the queue could not be reached."""
        asked = anyio.current_time()
        heard = await self._tell(self.seq, Word.BUSY, 0.0)
        if heard:
            self.until = asked + self.seconds
        return heard

    async def done(self) -> None:
        """Nobody is to get it again."""
        self.settled = True
        await self._tell(self.seq, Word.DONE, 0.0)

    async def give_back(self, after_s: float = 0.0) -> None:
        """Somebody, perhaps this worker, gets it again, but not before ``after_s`` seconds."""
        self.settled = True
        await self._tell(self.seq, Word.BACK, after_s)


class WorkQueue(Protocol):
    """Memory and JetStream pass one contract suite (tests/contract)."""

    async def begin(self, after: int) -> None:
        """Say, as the log's owner, that all work up to event ``after`` is finished.

        The first call ends all leases of the owner's life before this one; later calls, and those
        of workers that own nothing, change nothing.
        """
        ...

    async def take(self) -> Lease:
        """Wait for the oldest work that nobody had, or some that came back or lapsed."""
        ...


@asynccontextmanager
async def working(lease: Lease) -> AsyncIterator[None]:
    """Hold a lease, renewed, while the body works; it is done with the body.

    An exception or a cancellation gives the work back. Raises Lapsed, with the body cancelled,
    where the lease could not be renewed in time.
    """
    finished = False
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_renew, lease, tasks.cancel_scope)
            yield
            finished = True
            tasks.cancel_scope.cancel()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await lease.give_back()
        raise
    if not finished:
        raise Lapsed(f"the lease on event {lease.seq} could not be renewed")
    if not lease.settled:
        await lease.done()


async def _renew(lease: Lease, scope: anyio.CancelScope) -> None:
    heard = True
    while True:
        scope.deadline = lease.until
        await anyio.sleep(lease.seconds / (3 if heard else 10))
        heard = await lease.renew()


class MemoryWork:
    """Work of a log in memory, for all workers in this process."""

    def __init__(self, log: MemoryLog, slots: Sequence[str], lease_s: float = LEASE_S) -> None:
        """``slots``: which events are work, as subjects of NATS."""
        self._log = log
        self._slots = [slot.split(".") for slot in slots]
        self._lease_s = lease_s
        self._read = 0
        self._begun = False
        self._out: dict[int, float] = {}
        """Event to the time from which another may have it."""

    async def begin(self, after: int) -> None:
        """As ``WorkQueue.begin``."""
        if not self._begun:
            self._begun, self._read, self._out = True, after, {}

    async def take(self) -> Lease:
        """As ``WorkQueue.take``."""
        await checkpoint()
        while (seq := self._next()) is None:
            rest = min(self._out.values(), default=float("inf")) - anyio.current_time()
            with anyio.move_on_after(max(0.0, rest)):
                await self._log._grown.wait()
        self._out[seq] = anyio.current_time() + self._lease_s
        return Lease(seq, self._log._lines[seq - 1], self._lease_s, self._hear)

    def _next(self) -> int | None:
        now = anyio.current_time()
        if again := [seq for seq, due in self._out.items() if due <= now]:
            return min(again)
        while self._read < len(self._log._lines):
            self._read += 1
            if self._is_work(self._log._lines[self._read - 1]):
                return self._read
        return None

    def _is_work(self, line: bytes) -> bool:
        words = decode(line).key.split(".")
        return any(
            len(words) == len(slot) and all(s in ("*", w) for s, w in zip(slot, words, strict=True))
            for slot in self._slots
        )

    async def _hear(self, seq: int, word: Word, after_s: float) -> bool:
        if seq not in self._out:
            return False
        if word is Word.DONE:
            del self._out[seq]
            return True
        self._out[seq] = anyio.current_time() + (self._lease_s if word is Word.BUSY else after_s)
        self._log._grown.ring()
        return True
