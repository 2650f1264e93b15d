"""ChainObserver: records finalised blocks, metagraphs and parameters that decisions use."""

import anyio
import msgspec

from quasar.actors.actor import recorded
from quasar.chain import Block, Chain
from quasar.events import (
    AnyEvent,
    BlockObserved,
    HyperparametersObserved,
    MetagraphObserved,
)
from quasar.events.envelope import Draft
from quasar.log import Log
from quasar.rules.observing import (
    ACTOR,
    SUBSCRIBES,
    ObserverState,
    evolve,
    needs_metagraph,
    wanted,
)

_encode = msgspec.json.Encoder().encode


class ChainObserver:
    """Two inputs, the chain's heads and the log; one place that decides what to read next."""

    name = ACTOR

    def __init__(self, log: Log, chain: Chain) -> None:
        self.log = log
        self._chain = chain
        self._state = ObserverState()
        self._head: Block | None = None
        self._folded = 0
        self._floor = 0
        """Nothing is read from the chain before the log is folded up to here."""
        self._changed = anyio.Event()

    async def run(self) -> None:
        """Observe for ever."""
        self._state, self._folded = ObserverState(), 0
        self._floor = await self.log.head()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_log)
            tasks.start_soon(self._follow_chain)
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                await self._observe_due()

    async def _follow_log(self) -> None:
        async for seen in recorded(self.log):
            if type(seen.event) in SUBSCRIBES:
                self._state = evolve(self._state, seen, self.log.blobs)
            self._folded = seen.seq
            self._changed.set()

    async def _follow_chain(self) -> None:
        async for head in self._chain.blocks(after=-1):
            self._head = head
            self._changed.set()

    async def _observe_due(self) -> None:
        """Record the next wanted block, once what this actor wrote before is folded."""
        if self._head is None or self._folded < self._floor:
            return
        number = wanted(self._state, self._head.number, self._head.epoch)
        if number is not None:
            await self._observe(number, self._head.number)

    async def _observe(self, number: int, head: int) -> None:
        block = await self._chain.block(number)
        first = self._state.block is None
        events: list[AnyEvent] = []
        if first:
            events.append(await self._hyperparameters(block))
        if needs_metagraph(self._state, number, block.epoch):
            events.append(await self._metagraph(block))
        events.append(
            BlockObserved(
                number=number,
                hash=block.hash,
                timestamp_ms=block.timestamp_ms,
                epoch=block.epoch,
                head=head,
            )
        )
        cause = self._folded
        drafts = [Draft(actor=self.name, cause=cause, event=e) for e in events]
        self._floor = (await self.log.append(drafts))[-1].seq

    async def _metagraph(self, block: Block) -> MetagraphObserved:
        neurons = await self._chain.metagraph(block.number)
        blob = self.log.blobs.put(_encode(neurons))
        return MetagraphObserved(number=block.number, hash=block.hash, neurons=blob)

    async def _hyperparameters(self, block: Block) -> HyperparametersObserved:
        seen = await self._chain.hyperparameters(block.number)
        return HyperparametersObserved(
            number=block.number, hash=block.hash, **msgspec.structs.asdict(seen)
        )
