"""A beacon that cannot be read: its round waits for that very block, or is given up."""

from pathlib import Path

import anyio
import pytest

from quasar.actors.chain_observer import ChainObserver
from quasar.chain import Block
from quasar.errors import ChainError
from quasar.events import (
    BeaconDelayed,
    BlockObserved,
    Fault,
    RoundAbandoned,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    TaskAssigned,
)
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.audit import audit
from quasar.replay.finding import Report
from quasar.replay.state import replay
from quasar.rules import regenerated
from quasar.rules.machine import Recorded
from quasar.rules.projections import Leaderboard
from tests.builders import (
    BEACON_DELAY,
    BLOCK_NS,
    EVERY,
    START_NS,
    LineLog,
    World,
    edited,
)
from tests.drawn_rounds import BEACON, SAMPLING, drawn_policy
from tests.forging import few_tasks, report_of
from tests.unit.acting import acting, quiet
from tests.unit.test_actors_chain_observer import FakeChain
from tests.unit.test_export_otlp import spans
from tests.unit.volume_folder import write_volume

FIRST = EVERY + BEACON_DELAY
"""Beacon of the first round."""
LATE, WAIT = 5, 20
"""As ``BEACON`` has them."""


class Gappy(FakeChain):
    """A chain with blocks that it does not give out for now, or ever."""

    def __init__(self, world: World, *missing: int) -> None:
        super().__init__(world)
        self.missing = set(missing)
        self.tried: list[int] = []

    async def block(self, number: int) -> Block:
        if number in self.missing:
            self.tried.append(number)
            raise ChainError("state already discarded")
        return await super().block(number)


async def audited(world: World) -> Report:
    report = await audit(LineLog(world.lines, world.log.blobs))
    assert report.first_divergence is None
    return report


def policy(*sections: str) -> bytes:
    return few_tasks() + "".join(sections).encode()


async def observe(world: World, chain: Gappy, *heads: int) -> None:
    """Let the observer see the chain grow head by head; the sampler decides after each."""
    async with acting(ChainObserver(world.log, chain)):
        for head in heads:
            world.now = START_NS + head * BLOCK_NS
            chain.advance(head)
            for _ in range(4):
                await quiet(world.log)
                await world.settle()


async def opened(*missing: int, toml: bytes | None = None) -> tuple[World, Gappy]:
    world = World(miners=2, policy=policy(BEACON) if toml is None else toml)
    await world.open()
    return world, Gappy(world, *missing)


@pytest.mark.anyio
async def test_a_missing_beacon_delays_its_round() -> None:
    """Nothing is drawn from another block; once the beacon is read the log says how late."""
    world, chain = await opened(FIRST)
    await observe(world, chain, 10, EVERY, FIRST, FIRST + 4, FIRST + 9)
    assert set(chain.tried) == {FIRST}
    assert not world.events(TaskAssigned)
    chain.missing.clear()
    await observe(world, chain, FIRST + 12)
    delayed = BeaconDelayed(round=1, beacon_block=FIRST, block=FIRST + 12)
    assert world.events(BeaconDelayed) == [delayed]
    assert len(world.events(TaskAssigned)) == 3 * 2
    beacon = [b for b in world.events(BlockObserved) if b.number == FIRST]
    assert [b.hash for b in beacon] == [world.block_hash(FIRST)]
    assert (await audited(world)).result == "clean"


@pytest.mark.anyio
async def test_a_beacon_that_is_lost_ends_its_round() -> None:
    """At the policy's bound the round is given up, revealed and counted, and the next one opens."""
    world, chain = await opened(FIRST)
    await observe(world, chain, 10, EVERY, FIRST, FIRST + WAIT - 1)
    assert not world.events(RoundAbandoned)
    await observe(world, chain, FIRST + WAIT)
    [given_up] = world.events(RoundAbandoned)
    assert (given_up.round, given_up.beacon_block) == (1, FIRST)
    assert (given_up.block, given_up.fault) == (FIRST + WAIT, Fault.CHAIN)
    assert [r.round for r in world.events(RoundRevealed)] == [1]
    await observe(world, chain, 2 * EVERY, 2 * EVERY + BEACON_DELAY)
    assert [o.round for o in world.events(RoundOpened)] == [1, 2]
    assert {a.round for a in world.events(TaskAssigned)} == {2}
    report = await audited(world)
    assert report.first_divergence is None
    assert any(reason.startswith("skipped rounds: 1") for reason in report.not_checked)


@pytest.mark.anyio
async def test_after_a_lost_beacon_the_log_goes_on() -> None:
    """Numbers of assignments stay dense, and every view forgets the round."""
    world, chain = await opened(FIRST, toml=policy(SAMPLING, BEACON))
    await observe(world, chain, 10, EVERY, FIRST + WAIT, 2 * EVERY, 2 * EVERY + BEACON_DELAY)
    for d in world.open_deliveries():
        answer = world.received(d, b"ANSWER: 1")
        await world.deliver(d, world.acceptance(d), answer)
    await world.settle()
    assert [s.round for s in world.events(RoundScored)] == [2]
    assert {a.n for a in world.events(TaskAssigned)} >= {1}
    state = await replay(world.log)
    assert (state.skipped, state.rounds) == (1, [])
    contexts, board = regenerated.ContextState(), Leaderboard()
    for seq, line in enumerate(world.lines, 1):
        contexts = regenerated.evolve(contexts, Recorded(seq, line), world.log.blobs)
        board.feed(Recorded(seq, line))
    assert (sorted(contexts.rounds), board.skipped) == ([2], 1)
    await world.close()
    assert (await audited(world)).result == "clean"


@pytest.mark.anyio
async def test_a_validator_that_was_down_says_so() -> None:
    """A beacon read after a pause is the same block; at the bound nobody may read it any more."""
    world, chain = await opened()
    await observe(world, chain, 10, EVERY)
    await observe(world, chain, FIRST + LATE)
    assert [d.block for d in world.events(BeaconDelayed)] == [FIRST + LATE]
    world, chain = await opened()
    await observe(world, chain, 10, EVERY)
    await observe(world, chain, FIRST + LATE - 1)
    assert not world.events(BeaconDelayed)
    assert world.events(TaskAssigned)
    world, chain = await opened()
    await observe(world, chain, 10, EVERY)
    await observe(world, chain, FIRST + WAIT)
    assert FIRST not in chain.reads
    assert [a.block for a in world.events(RoundAbandoned)] == [FIRST + WAIT]


@pytest.mark.anyio
async def test_older_policies_wait_for_ever() -> None:
    """Without the table nothing is given up, and a delay leaves no event."""
    world, chain = await opened(toml=policy())
    await observe(world, chain, 10, EVERY)
    await observe(world, chain, FIRST + 40)
    assert not world.events(BeaconDelayed)
    assert {a.round for a in world.events(TaskAssigned)} == {1}
    assert (await audited(world)).result == "clean"


@pytest.mark.parametrize("head", [FIRST + 10, FIRST + WAIT + 30])
def test_a_round_cannot_be_given_up_at_will(head: int) -> None:
    """Who passes a beacon over before its time, or reads it after, is found out."""

    async def play() -> World:
        world = World(miners=1, policy=policy(BEACON))
        await world.open()
        await world.block(0, metagraph=True)
        await world.block(EVERY, epoch=1, metagraph=True)
        await world.block(FIRST if head > FIRST + WAIT else head, epoch=1, head=head)
        return world

    world = anyio.run(play)
    found = report_of(world.lines, world.log.blobs).first_divergence
    assert found is not None
    assert found.level == "lifecycle"


async def _given_up() -> World:
    world = World(miners=1, policy=drawn_policy(BEACON))
    await world.open()
    await world.block(0, metagraph=True)
    await world.block(EVERY, epoch=1, metagraph=True)
    await world.block(FIRST + WAIT, epoch=1)
    return world


def test_a_forged_end_is_a_divergence() -> None:
    """The event that ends a round says what the rule says, to the block."""
    world = anyio.run(_given_up)
    lines = world.lines
    seq = next(i for i, line in enumerate(lines) if b'"RoundAbandoned"' in line)
    lines[seq] = edited(lines[seq], block=FIRST + WAIT + 1)
    found = report_of(lines, world.log.blobs).first_divergence
    assert found is not None
    assert (found.type, found.field) == ("RoundAbandoned", "block")


def test_a_trace_says_why_a_round_ended(tmp_path: Path) -> None:
    """The round's span is closed, with the fault's owner in its status."""
    world = anyio.run(_given_up)
    [span] = spans([ArchiveLog(write_volume(world, tmp_path / "log"))], tmp_path / "out")
    assert span["status"]["message"].startswith("abandoned: chain: the beacon block")
