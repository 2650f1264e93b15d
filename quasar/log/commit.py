"""How a group of steps gets into its slots, whatever the server and the network do.

An answer that does not come proves nothing: the slots are looked up, and what is missing is sent
again, since the server refuses whatever arrives twice.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from secrets import token_hex

import anyio
from anyio.lowlevel import checkpoint

from quasar.errors import LogError
from quasar.log import Stored
from quasar.log.jetstream_api import Taken, Unanswered
from quasar.log.jetstream_slots import JetStreamSlots
from quasar.log.settle import Entry
from quasar.log.waiting import WaitingStep

_BREAK_EVEN = 16
"""With fewer single events a batch is slower."""
_PIPELINE = 64
"""Single events under way at once."""
_RUN = 100
"""Callers that are answered before other tasks run, such as the one that sends the next group."""
_PAUSE_S = 0.05

Answer = Callable[[WaitingStep, list[Stored] | Exception], None]
"""Gives a caller what it waits for."""


class Commit:
    """A group of steps on its way. No slot may stand in it twice."""

    def __init__(self, slots: JetStreamSlots, group: Sequence[WaitingStep], answer: Answer) -> None:
        self.group = group
        self.scope = anyio.CancelScope()
        """Cancel it to give the group up."""
        self._slots = slots
        self._answer = answer
        self._stored: list[Stored] = []
        self._entries: list[Entry] = []
        """Of all steps, where they go out as one batch."""
        self._marks: tuple[str, ...] = ()
        if len(group) >= _BREAK_EVEN or not all(map(_is_single, group)):
            self._entries = [e for step in group for e in step.entries]
            self._pack()

    async def store(self) -> None:
        """Store the group. Steps that had to be settled one by one are answered here."""
        with self.scope:
            if self._entries:
                with suppress(Taken, LogError):  # of some steps: each is settled on its own
                    self._stored = await self._store_together()
                    return
            await self._store_apart()

    async def answer(self) -> None:
        """Answer the steps that were stored as one batch."""
        at = 0
        for number, step in enumerate(self.group if self._stored else (), start=1):
            end = at + len(step.entries)
            self._answer(step, self._stored[at:end])
            at = end
            if number % _RUN == 0:
                await checkpoint()

    def _pack(self) -> None:
        """Make the batch ready, under a new mark."""
        self._marks += (mark := token_hex(16),)
        for step in self.group:
            step.marks = self._marks
        self._parcel = self._slots.pack(self._entries, mark)

    async def _store_together(self) -> list[Stored]:
        """Store all or none. Raises Taken, LogError."""
        while True:
            try:
                return await self._slots.publish(self._parcel)
            except Unanswered as e:
                first = await self._slots.find(self._entries[0], self._marks)
                if first is not None and first.new:  # then so are all the others, behind it
                    return [
                        Stored(seq, e.line, True)
                        for seq, e in enumerate(self._entries, start=first.seq)
                    ]
                if first is not None or isinstance(e, Taken):
                    raise Taken(str(e)) from e
            await anyio.sleep(_PAUSE_S)
            self._pack()

    async def _store_apart(self) -> None:
        """Single events one behind the other, without waiting; longer steps one by one."""
        for single, steps in groupby(self.group, _is_single):
            run, width = list(steps), _PIPELINE if single else 1
            for start in range(0, len(run), width):
                await self._store_side_by_side(run[start : start + width])

    async def _store_side_by_side(self, steps: Sequence[WaitingStep]) -> None:
        if len(steps) == 1:
            await self._store_alone(steps[0])
            return
        async with anyio.create_task_group() as tasks:
            for step in steps:
                tasks.start_soon(self._store_alone, step)

    async def _store_alone(self, step: WaitingStep) -> None:
        try:
            self._answer(step, await self._settle(step))
        except LogError as e:  # not through the task group, which would wrap it
            self._answer(step, e)

    async def _settle(self, step: WaitingStep) -> list[Stored]:
        """Store a step, or what is missing of it. Raises Diverged, LogError."""
        held: dict[str, Stored] = {}
        if step.marks and not _is_single(step):  # a long step was refused: something stands there
            held |= await self._slots.find_all(step.entries, step.marks)
        while rest := [e for e in step.entries if e.slot not in held]:
            if step.answer.done():  # nobody waits any more
                return []
            step.marks += (mark := token_hex(16),)
            try:
                stored = await self._slots.publish(self._slots.pack(rest, mark))
                held |= zip([e.slot for e in rest], stored, strict=True)
            except Unanswered:
                found = await self._slots.find_all(rest, step.marks)
                held |= found
                if not found:  # sent again at once, it would most likely meet the same obstacle
                    await anyio.sleep(_PAUSE_S)
        return [held[e.slot] for e in step.entries]


def _is_single(step: WaitingStep) -> bool:
    return len(step.entries) == 1
