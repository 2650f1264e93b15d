"""Which block opens which round, and which blocks are read at all."""

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.events import (
    AnyEvent,
    BlockObserved,
    Fault,
    PolicyAdopted,
    RoundOpened,
    RoundSkipped,
    RunStarted,
)
from quasar.log.blobs import MemoryBlobs
from quasar.rules import observing
from quasar.rules.observing import ObserverState, needs_metagraph, wanted
from quasar.rules.schedule import Schedule
from tests.builders import World
from tests.forging import few_tasks, report_of
from tests.recording import block, fold

BLOBS = MemoryBlobs()


@given(
    base=st.integers(0, 10**6),
    every=st.integers(1, 500),
    steps=st.lists(st.tuples(st.integers(1, 3000), st.none() | st.integers(1, 500)), max_size=20),
)
def test_every_round_has_one_block(
    base: int, every: int, steps: list[tuple[int, int | None]]
) -> None:
    """Whatever blocks are seen, and however the cadence changes, each round is due exactly once."""
    schedule, last, due = Schedule(base, 0, every), base, 0
    for step, cadence in steps:
        now = last + step
        for number in range(schedule.rounds_through(last) + 1, schedule.rounds_through(now) + 1):
            due += 1
            opening = schedule.block_of(number)
            assert number == due
            assert last < opening <= now
            assert schedule.opens(opening) == number
        last = now
        if cadence is not None:
            schedule = schedule.changed(now, cadence)
            assert schedule.rounds_through(now) == due


@given(st.integers(0, 1000), st.integers(1, 100), st.integers(0, 2000))
def test_only_scheduled_blocks_open(base: int, every: int, number: int) -> None:
    """A block opens a round if and only if it is that round's block."""
    schedule = Schedule(base, 0, every)
    opened = schedule.opens(number)
    assert (opened is not None) == (number > base and number % every == 0)
    assert opened is None or schedule.block_of(opened) == number


def adopted(toml: bytes, number: int = 1) -> PolicyAdopted:
    return PolicyAdopted(number=number, name="readme-v1", toml=BLOBS.put(toml))


def started(rounds: int | None) -> RunStarted:
    return RunStarted(
        run=1, mode="mock", freshness="none", rounds=rounds, versions={}, digests={}, sandbox=None
    )


def opened(number: int, at: int) -> RoundOpened:
    return RoundOpened(
        round=number,
        block=at,
        block_hash=World.block_hash(at),
        beacon_block=at + 3,
        policy="0" * 64,
        participants=[],
    )


def state_after(*events: AnyEvent) -> ObserverState:
    policy = adopted(few_tasks())
    return fold(observing, ObserverState(), BLOBS, policy, *events)  # type: ignore[no-any-return]


def test_nothing_is_read_without_a_policy() -> None:
    """The cadence is the policy's."""
    assert wanted(ObserverState(), 100, 0) is None


def test_the_first_block_is_the_newest() -> None:
    """A log starts at the head, with the metagraph."""
    assert wanted(state_after(), 100, 0) == 100
    assert needs_metagraph(state_after(), 100, 0)


def test_an_opening_block_is_read_before_a_newer_one() -> None:
    """Rounds open at their own block, also when the head is past it."""
    state = state_after(block(70))
    assert wanted(state, 74, 0) is None
    assert wanted(state, 75, 0) == 75
    assert wanted(state, 90, 0) == 75
    assert needs_metagraph(state, 75, 0)
    assert not needs_metagraph(state, 76, 0)


def test_nothing_is_read_past_an_unopened_round() -> None:
    """The beacon must not be in the log before the round names it."""
    state = state_after(block(70), block(75))
    assert wanted(state, 500, 9) is None
    assert wanted(state_after(block(70), block(75), opened(1, 75)), 500, 9) == 78
    skipped = RoundSkipped(round=1, block=75, fault=Fault.CHAIN, reason="")
    assert wanted(state_after(block(70), block(75), skipped), 79, 0) is None


def test_a_beacon_is_read_once() -> None:
    """Every opened round gets its beacon, in order."""
    events = (block(70), block(75), opened(1, 75))
    assert wanted(state_after(*events), 77, 0) is None
    assert wanted(state_after(*events), 99, 0) == 78
    assert wanted(state_after(*events, block(78)), 82, 0) is None


def test_a_heartbeat_bounds_back_dating() -> None:
    """After so many blocks the newest is read in any case; a new epoch is read at once."""
    state = state_after(block(71))
    assert wanted(state, 73, 0) is None
    assert wanted(state, 73, 1) == 73
    assert needs_metagraph(state, 73, 1)
    state = state_after(block(1))
    assert wanted(state, 5, 0) is None
    assert wanted(state, 6, 0) == 6


def test_a_stale_round_is_passed_over() -> None:
    """An opening block older than the policy's lag is not read: its round is skipped."""
    state = state_after(block(70))
    assert wanted(state, 75 + 50, 0) == 75
    assert wanted(state, 75 + 51, 0) == 126
    assert wanted(state, 151, 0) == 150


def test_no_round_after_the_last() -> None:
    """A run that ends after some rounds reads no more openings, and waits for none."""
    state = state_after(started(1), block(70), block(75), opened(1, 75), block(78))
    assert wanted(state, 151, 0) == 151
    state = state_after(started(0), block(70), block(75))
    assert wanted(state, 80, 0) == 80


def test_a_new_cadence_holds_from_the_newest_block() -> None:
    """A policy that is adopted later moves the next opening."""
    faster = few_tasks(**{"round_every_blocks = 75": "round_every_blocks = 10"})
    state = state_after(block(70), adopted(faster, 2))
    assert wanted(state, 82, 0) == 80
    assert wanted(state_after(adopted(faster, 2)), 82, 0) == 82


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 160), min_size=1, max_size=12))
def test_the_observer_serves_the_sampler(steps: list[int]) -> None:
    """However the head jumps: blocks in order, every round decided once, every beacon seen."""
    world = World(miners=1, policy=few_tasks())
    anyio.run(observe, world, steps)
    numbers = [b.number for b in world.events(BlockObserved)]
    assert numbers == sorted(set(numbers))
    decided = [e.round for e in world.events() if isinstance(e, RoundOpened | RoundSkipped)]
    assert sorted(decided) == list(range(1, numbers[-1] // 75 - numbers[0] // 75 + 1))
    for round_ in world.events(RoundOpened):
        assert round_.beacon_block in numbers or round_.beacon_block > numbers[-1]
    for skipped in world.events(RoundSkipped):
        assert skipped.block not in numbers
    report = report_of(world.lines, world.log.blobs)
    assert report.first_divergence is None


async def observe(world: World, steps: list[int]) -> None:
    """What ChainObserver does, while the head moves."""
    await world.open()
    head = 0
    for step in steps:
        head += step
        while (number := wanted(seen_by(world), head, head // 360)) is not None:
            fresh = needs_metagraph(seen_by(world), number, number // 360)
            await world.block(number, epoch=number // 360, metagraph=fresh, head=head)


def seen_by(world: World) -> ObserverState:
    events = [e for e in world.events() if type(e) in observing.SUBSCRIBES]
    return fold(observing, ObserverState(), world.log.blobs, *events)  # type: ignore[no-any-return]


@pytest.mark.parametrize("rounds", [None, 2])
def test_a_volume_ends_with_its_secrets(rounds: int | None) -> None:
    """Past the last secret no round is waited for, so the observer goes on."""
    far = 75 * 4097
    state = state_after(started(rounds), block(0), block(far - 5))
    assert wanted(state, far, 0) == far
    after = state_after(started(rounds), block(0), block(far - 5), block(far))
    assert wanted(after, far + 5, 0) == far + 5
