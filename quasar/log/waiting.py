"""Steps that wait to be stored, and which of them are stored together."""

import asyncio  # noqa: TID251 - one wait a step: an anyio.Event costs several times a future
from collections import deque
from collections.abc import Sequence

import msgspec

from quasar.log import MAX_STEP, Stored
from quasar.log.settle import Entry

_GROUP_BYTES = 8 * 2**20
"""A group ends before it is larger, unless one step alone is."""


class WaitingStep(msgspec.Struct, eq=False):
    """A step that a caller waits for. Compared by identity."""

    entries: Sequence[Entry]
    size: int
    """Bytes."""
    deadline: float
    """On the monotonic clock, seconds."""
    answer: asyncio.Future[list[Stored]]
    """Done when there is an answer, or nobody waits for one any more."""
    marks: tuple[str, ...] = ()
    """Under which it was sent."""


def new_waiting_step(entries: Sequence[Entry], deadline: float) -> WaitingStep:
    """A step that has no answer yet."""
    size = len(entries[0].line) if len(entries) == 1 else sum([len(e.line) for e in entries])
    return WaitingStep(entries, size, deadline, asyncio.get_running_loop().create_future())


class Queue:
    """Steps in order of arrival."""

    def __init__(self) -> None:
        self._steps: deque[WaitingStep] = deque()
        self.events = 0

    def put(self, step: WaitingStep) -> None:
        """Add a step at the end."""
        self._steps.append(step)
        self.events += len(step.entries)

    def remove(self, step: WaitingStep) -> None:
        """Take out a step, if it is still here."""
        if step in self._steps:
            self._steps.remove(step)
            self.events -= len(step.entries)

    def take(self) -> list[WaitingStep]:
        """The next steps that fit in one batch. A slot stands in it only once."""
        group: list[WaitingStep] = []
        slots: set[str] = set()
        steps, events, size = self._steps, 0, 0
        for step in steps:
            entries = step.entries
            events += len(entries)
            size += step.size
            if group and (events > MAX_STEP or size > _GROUP_BYTES):
                break
            if len(entries) == 1:
                slot = entries[0].slot
                if slot in slots:
                    break
                slots.add(slot)
            else:
                own = {e.slot for e in entries}
                if not slots.isdisjoint(own):
                    break
                slots |= own
            group.append(step)
        for _ in group:
            steps.popleft()
        self.events -= len(slots)
        return group
