"""ChainObserver: records finalised blocks, metagraphs and parameters that decisions use."""

import msgspec
import structlog

from quasar.actors.actor import ChainWatcher
from quasar.chain import Block, ChainReader
from quasar.errors import ChainError
from quasar.events import (
    AnyEvent,
    BlockObserved,
    HyperparametersObserved,
    MetagraphObserved,
)
from quasar.log import Log
from quasar.rules.machine import Recorded
from quasar.rules.observing import (
    ACTOR,
    SUBSCRIBES,
    ObserverState,
    evolve,
    needs_metagraph,
    patient,
    wanted,
)

logger = structlog.get_logger()

_encode = msgspec.json.Encoder().encode


class ChainObserver(ChainWatcher):
    """Reads from the chain what the rule wants next, and records it."""

    name = ACTOR

    def __init__(self, log: Log, chain: ChainReader) -> None:
        super().__init__(log, chain)
        self._chain = chain
        self._state = ObserverState()

    def reset(self) -> None:
        self._state = ObserverState()

    def fold(self, seen: Recorded) -> None:
        if type(seen.event) in SUBSCRIBES:
            self._state = evolve(self._state, seen, self.log.blobs)

    async def act(self, head: Block) -> None:
        """Record the next wanted block. A beacon that cannot be read is tried again at each head,
        and no other block stands in for it."""
        number = wanted(self._state, head.number, head.epoch)
        if number is None:
            return
        try:
            await self._observe(number, head.number)
        except ChainError as missing:
            if not patient(self._state, number):
                raise
            logger.warning("observer.beacon-missing", block=number, detail=str(missing))

    async def _observe(self, number: int, head: int) -> None:
        block = await self._chain.block(number)
        events: list[AnyEvent] = []
        if self._state.fresh:
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
        await self.write(*events)

    async def _metagraph(self, block: Block) -> MetagraphObserved:
        neurons = await self._chain.metagraph(block.number)
        blob = self.log.blobs.put(_encode(neurons))
        return MetagraphObserved(number=block.number, hash=block.hash, neurons=blob)

    async def _hyperparameters(self, block: Block) -> HyperparametersObserved:
        seen = await self._chain.hyperparameters(block.number)
        return HyperparametersObserved(
            number=block.number, hash=block.hash, **msgspec.structs.asdict(seen)
        )
