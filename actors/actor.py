"""What actors share: reading the log in order, and deciding by a rule."""

from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

import anyio.to_thread
import structlog

from quasar.events import AnyEvent
from quasar.events.envelope import Draft
from quasar.log import MAX_STEP, Log, Stored
from quasar.rules.machine import Recorded, Rule

S = TypeVar("S")

logger = structlog.get_logger()


async def recorded(log: Log, after: int = 0) -> AsyncIterator[Recorded]:
    """Decoded events, in log order."""
    async for seq, line in log.read(after):
        yield Recorded(seq, line)


async def append_all(log: Log, drafts: Sequence[Draft]) -> list[Stored]:
    """Append a step; a long one goes in parts, and a part that is there already is skipped."""
    stored: list[Stored] = []
    for start in range(0, len(drafts), MAX_STEP):
        stored += await log.append(drafts[start : start + MAX_STEP])
    return stored


async def newest_cause(log: Log, actor: str) -> int:
    """The last input that this actor is known to have handled, perhaps in part.

    An actor handles its inputs in order, so every earlier input is settled.
    """
    head, newest = await log.head(), 0
    if head == 0:
        return 0
    async for seen in recorded(log):
        if seen.envelope.actor == actor:
            newest = max(newest, seen.envelope.cause)
        if seen.seq >= head:
            break
    return newest


class Decider(Generic[S]):
    """An actor that only decides: its state is a fold, and a restart is a replay."""

    def __init__(self, log: Log, rule: Rule[S]) -> None:
        self.log = log
        self.rule = rule
        self.name = rule.actor

    async def run(self) -> None:
        """Decide on every event of the log, for ever. Raises Diverged where history disagrees."""
        resume, head = await newest_cause(self.log, self.name), await self.log.head()
        state = self.rule.initial()
        async for seen in recorded(self.log):
            if type(seen.event) in self.rule.subscribes:
                if seen.seq >= resume:
                    await self._handle(state, seen)
                state = self.rule.evolve(state, seen, self.log.blobs)
            if seen.seq == head:
                await self.caught_up(state)

    async def _handle(self, state: S, seen: Recorded) -> None:
        blobs = self.log.blobs
        events = await anyio.to_thread.run_sync(lambda: list(self.rule.decide(state, seen, blobs)))
        await self.prepare(state, seen, events)
        drafts = [Draft(actor=self.name, cause=seen.seq, event=e) for e in events]
        await append_all(self.log, drafts)

    async def prepare(self, state: S, seen: Recorded, events: Sequence[AnyEvent]) -> None:
        """Make ready what the events will name, before they are in the log."""

    async def caught_up(self, state: S) -> None:
        """Restore what a restart may have lost, from the state at the log's head."""
