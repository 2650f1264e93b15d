"""What actors share: reading the log in order, deciding by a rule, acting on log and chain."""

from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

import anyio
import anyio.to_thread
import structlog

from quasar.chain import Block, ChainReader
from quasar.events import AnyEvent
from quasar.events.envelope import Draft
from quasar.log import MAX_STEP, InRuns, Log, Stored
from quasar.rules.machine import Recorded, Rule

S = TypeVar("S")

logger = structlog.get_logger()


async def recorded(log: Log, after: int = 0) -> AsyncIterator[Recorded]:
    """Decoded events, in log order."""
    if isinstance(log, InRuns):  # it saves one step of a generator an event
        async for first, lines in log.runs(after):
            for seq, line in enumerate(lines, first):
                yield Recorded(seq, line)
    else:
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


class ChainWatcher:
    """An actor with two inputs, the log and the chain's heads, and one place that acts on both."""

    name: str

    def __init__(self, log: Log, chain: ChainReader) -> None:
        self.log = log
        self._heads = chain
        self._head: Block | None = None
        self._folded = 0
        self._floor = 0
        """Nothing is done before the log is folded up to here."""
        self._changed = anyio.Event()

    async def run(self) -> None:
        """Fold, follow and act for ever."""
        self.reset()
        self._head, self._folded = None, 0
        self._floor = await self.log.head()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_log)
            tasks.start_soon(self._follow_chain)
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                if self._head is not None and self._folded >= self._floor:
                    await self.act(self._head)

    def reset(self) -> None:
        """Forget the state: a run begins with the first event."""
        raise NotImplementedError

    def fold(self, seen: Recorded) -> None:
        """Take one event into the state."""
        raise NotImplementedError

    async def act(self, head: Block) -> None:
        """Do what is due, given the newest finalised block; called whenever something moved."""
        raise NotImplementedError

    async def write(self, *events: AnyEvent, cause: int | None = None) -> None:
        """Append a step, and act no more until it came back through the log.

        Without a ``cause`` it is the newest event folded.
        """
        led_here = self._folded if cause is None else cause
        drafts = [Draft(actor=self.name, cause=led_here, event=e) for e in events]
        self._floor = (await self.log.append(drafts))[-1].seq

    async def _follow_log(self) -> None:
        async for seen in recorded(self.log):
            self.fold(seen)
            self._folded = seen.seq
            self._changed.set()

    async def _follow_chain(self) -> None:
        async for head in self._heads.blocks(after=-1):
            self._head = head
            self._changed.set()
