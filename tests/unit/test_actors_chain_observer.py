"""ChainObserver on a chain whose every read is written down."""

from collections.abc import AsyncIterator

import anyio
import pytest

from quasar.actors.chain_observer import ChainObserver
from quasar.chain import Block, Hyperparameters
from quasar.errors import ChainError
from quasar.events import (
    BlockObserved,
    HyperparametersObserved,
    MetagraphObserved,
    Neuron,
    RoundOpened,
)
from quasar.events.signing import Signer
from quasar.supervisor.restart import supervise
from tests.builders import BEACON_DELAY, EVERY, World, small_policy
from tests.unit.acting import acting, count, quiet, until

pytestmark = pytest.mark.anyio

PATIENT = small_policy(
    **{
        "max_lag_blocks = 50": "max_lag_blocks = 1_000_000",
        "heartbeat_blocks = 5 ": "heartbeat_blocks = 9_999 ",
    }
)


class FakeChain:
    """Implements ``quasar.chain.Chain``. All blocks up to the newest head can be read."""

    netuid = 24

    def __init__(self, world: World, tempo: int = 10_000) -> None:
        self.world = world
        self.tempo = tempo
        self.heads: list[int] = []
        self.grown = anyio.Event()
        self.reads: list[int] = []
        self.failing = 0

    def advance(self, number: int) -> None:
        self.heads.append(number)
        self.grown.set()
        self.grown = anyio.Event()

    async def genesis(self) -> str:
        return self.world.genesis

    async def head(self) -> Block:
        return self._block(self.heads[-1])

    async def block(self, number: int) -> Block:
        assert number <= self.heads[-1]
        if self.failing:
            self.failing -= 1
            raise ChainError("away")
        self.reads.append(number)
        return self._block(number)

    async def metagraph(self, number: int) -> list[Neuron]:
        hotkeys = [self.world.hotkey.ss58_address, *self.world.miners]
        return [
            Neuron(uid=i, hotkey=h, endpoint=f"127.0.0.1:{8000 + i}" if i else None)
            for i, h in enumerate(hotkeys)
        ]

    async def hyperparameters(self, number: int) -> Hyperparameters:
        return Hyperparameters(
            tempo=self.tempo,
            weights_rate_limit=0,
            min_allowed_weights=1,
            max_weights_limit=65535,
            weights_version=0,
            commit_reveal=False,
        )

    async def serve(self, signer: Signer, endpoint: str) -> None:
        raise AssertionError("a validator serves nothing")

    async def blocks(self, after: int) -> AsyncIterator[Block]:
        while True:
            while not self.heads or self.heads[-1] <= after:
                await self.grown.wait()
            after = self.heads[-1]
            yield self._block(after)

    def _block(self, number: int) -> Block:
        return Block(
            number=number,
            hash=self.world.block_hash(number),
            timestamp_ms=1_760_000_000_000 + number * 12_000,
            epoch=number // self.tempo,
        )


async def opened(policy: bytes = PATIENT) -> tuple[World, FakeChain]:
    world = World(policy=policy)
    await world.open()
    return world, FakeChain(world)


async def test_the_first_block_comes_with_all_that_is_known_of_it() -> None:
    """Parameters, metagraph and block are one step."""
    world, chain = await opened()
    async with acting(ChainObserver(world.log, chain)):
        chain.advance(10)
        events = await until(world.log, count(BlockObserved, 1))
    kinds = [HyperparametersObserved, MetagraphObserved, BlockObserved]
    assert [type(e) for e in events[-3:]] == kinds
    assert (events[-1].number, events[-1].head) == (10, 10)


async def test_no_beacon_is_read_before_its_round_is_opened() -> None:
    """However far the chain is ahead, nothing after a round's block is read till it is opened."""
    world, chain = await opened()
    async with acting(ChainObserver(world.log, chain)):
        chain.advance(10)
        await quiet(world.log)
        chain.advance(10 * EVERY)
        await quiet(world.log)
        assert chain.reads == [10, EVERY]
        await world.settle()
        assert [e.round for e in world.events(RoundOpened)] == [1]
        await quiet(world.log)
        assert chain.reads[:3] == [10, EVERY, EVERY + BEACON_DELAY]
        assert chain.reads[3:] == [2 * EVERY]
    observed = [e.number for e in world.events(BlockObserved)]
    assert observed == chain.reads


async def test_the_same_after_a_restart() -> None:
    """An observer that was killed before the round was opened does not read on either."""
    world, chain = await opened()
    async with acting(ChainObserver(world.log, chain)):
        chain.advance(10)
        await quiet(world.log)
        chain.advance(EVERY)
        await quiet(world.log)
    chain.advance(5 * EVERY)
    async with acting(ChainObserver(world.log, chain)):
        await quiet(world.log)
        assert chain.reads == [10, EVERY]
        await world.settle()
        await quiet(world.log)
    assert chain.reads == [10, EVERY, EVERY + BEACON_DELAY, 2 * EVERY]


async def test_a_chain_that_is_away_for_a_moment() -> None:
    """The observer starts again, folds the log from its beginning, and observes nothing twice."""
    world, chain = await opened()
    observer = ChainObserver(world.log, chain)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervise, observer)
            chain.advance(10)
            await until(world.log, count(BlockObserved, 1))
            chain.advance(EVERY)
            await until(world.log, count(BlockObserved, 2))
            await world.settle()
            chain.failing = 1
            chain.advance(EVERY + BEACON_DELAY)
            await until(world.log, count(BlockObserved, 3))
            tasks.cancel_scope.cancel()
    assert chain.reads == [10, EVERY, EVERY + BEACON_DELAY]


async def test_a_new_epoch_is_observed_with_its_metagraph() -> None:
    """Rows are made at epochs, for those who are registered then."""
    world, chain = await opened()
    chain.tempo = 20
    async with acting(ChainObserver(world.log, chain)):
        chain.advance(10)
        await quiet(world.log)
        chain.advance(15)
        await quiet(world.log)
        chain.advance(21)
        await quiet(world.log)
    assert chain.reads == [10, 21]
    assert [e.number for e in world.events(MetagraphObserved)] == [10, 21]
