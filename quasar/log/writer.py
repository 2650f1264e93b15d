"""Group commit: what many tasks append at once is stored in few batches.

A batch costs the server one commit however many events it has, but some milliseconds at least; a
few single events are stored faster one behind the other.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import checkpoint

from quasar.errors import LogError
from quasar.events.envelope import Draft
from quasar.log import MAX_STEP, Stored
from quasar.log.bell import Bell
from quasar.log.commit import Commit
from quasar.log.jetstream_slots import JetStreamSlots
from quasar.log.settle import Clock, prepare
from quasar.log.waiting import Queue, WaitingStep, new_waiting_step

_LANES = 2
"""While the server stores one group, the next is made ready. It is not sent earlier: that gains
little, and would let a later step overtake one that has to be sent again."""
_NOBODY = object()
MAX_EVENTS = 10_000
MAX_BYTES = 64 * 2**20
"""Of all steps that wait or are under way, encoded; a step beyond waits for room first."""


class LogWriter:
    """Stores the steps of many tasks. Make one with ``open``.

    Steps are sent in the order of the calls, and a step that is appended after another was
    acknowledged always stands behind it.
    """

    def __init__(self, slots: JetStreamSlots, patience: float, clock: Clock) -> None:
        self._slots = slots
        self._patience = patience
        self._clock = clock
        self._queue = Queue()
        self._live: dict[WaitingStep, object] = {}
        """All steps that somebody waits for, oldest first."""
        self._commits: set[Commit] = set()
        self._turn = anyio.Lock()
        self._answering = 0
        """Groups whose callers are being answered."""
        self._events = 0
        self._bytes = 0
        self._door = anyio.Lock()
        self._room = Bell()
        self._work = Bell()
        self._closed = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, slots: JetStreamSlots, patience: float, clock: Clock
    ) -> AsyncIterator["LogWriter"]:
        """A writer that works until the end of the context, where open appends end in LogError.

        ``patience``: seconds that an append may take.
        """
        writer, error = cls(slots, patience, clock), None
        async with anyio.create_task_group() as tasks:
            for _ in range(_LANES):
                tasks.start_soon(writer._lane)
            tasks.start_soon(writer._watch_deadlines)
            try:
                yield writer
            except Exception as e:  # not through the task group, which would wrap it
                error = e
            finally:
                writer._close()
                tasks.cancel_scope.cancel()
        if error is not None:
            raise error

    async def append(self, step: Sequence[Draft]) -> list[Stored]:
        """As ``Log.append``. After LogError or a cancellation the step may still be stored."""
        deadline = time.monotonic() + self._patience
        if self._door.locked() or not self._fits(len(step)):
            waiting = await self._put_later(step, deadline)
        else:
            waiting = self._put(step, deadline)
        try:
            return await waiting.answer
        except BaseException:
            if waiting in self._live:
                self._drop(waiting, [])
            raise

    def _put(self, step: Sequence[Draft], deadline: float) -> WaitingStep:
        if self._closed:
            raise _closed()
        entries = prepare(step, self._clock())
        waiting = new_waiting_step(entries, deadline)
        if not entries:
            waiting.answer.set_result([])
            return waiting
        self._live[waiting] = waiting
        self._events += len(entries)
        self._bytes += waiting.size
        self._queue.put(waiting)
        self._work.ring()
        return waiting

    async def _put_later(self, step: Sequence[Draft], deadline: float) -> WaitingStep:
        """Wait for room, in order of arrival."""
        with anyio.move_on_after(self._patience):
            async with self._door:
                while not self._fits(len(step)):
                    await self._room.wait()
                return self._put(step, deadline)
        raise self._slots.gave_up()

    def _fits(self, events: int) -> bool:
        if self._closed or not self._live:
            return True
        return self._events + events <= MAX_EVENTS and self._bytes < MAX_BYTES

    def _answer(self, step: WaitingStep, answer: list[Stored] | Exception) -> None:
        if self._live.pop(step, _NOBODY) is _NOBODY:
            return
        self._events -= len(step.entries)
        self._bytes -= step.size
        future = step.answer
        if future.done():
            pass
        elif isinstance(answer, list):
            future.set_result(answer)
        else:
            future.set_exception(answer)
        if self._door.locked():
            self._room.ring()

    def _drop(self, step: WaitingStep, answer: list[Stored] | Exception) -> None:
        """End a step from this side; a group that nobody waits for is given up."""
        self._answer(step, answer)
        self._queue.remove(step)
        for commit in self._commits:
            if all(s.answer.done() for s in commit.group):
                commit.scope.cancel()

    async def _watch_deadlines(self) -> None:
        while True:
            now = time.monotonic()
            for step in list(self._live):
                if step.deadline > now:
                    break
                self._drop(step, self._slots.gave_up())
            first = next((s.deadline for s in self._live), now + self._patience)
            await anyio.sleep(max(0.0, first - now))

    async def _lane(self) -> None:
        while True:
            while self._queue.events < self._enough():
                await self._work.wait()
            commit = Commit(self._slots, self._queue.take(), self._answer)
            self._commits.add(commit)
            try:
                await self._carry_out(commit)
            except Exception as e:  # a fault of this program: whoever waits must learn of it
                for step in commit.group:
                    self._answer(step, e)

    def _enough(self) -> int:
        """Events that must wait before the next group is made."""
        if self._commits:
            return MAX_STEP
        return MAX_STEP // 2 if self._answering else 1  # who is answered may append again

    async def _carry_out(self, commit: Commit) -> None:
        try:
            async with self._turn:
                await commit.store()
        finally:
            self._commits.discard(commit)
            self._work.ring()
        self._answering += 1
        try:
            await checkpoint()  # the next group goes out first
            await commit.answer()
        finally:
            self._answering -= 1
            self._work.ring()

    def _close(self) -> None:
        self._closed = True
        for step in list(self._live):
            self._drop(step, _closed())


def _closed() -> LogError:
    return LogError(
        "the log is closed: open it again; what was being stored is settled by its slots"
    )
