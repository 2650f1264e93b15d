"""Weights: one EMA step a round, one exact row an epoch, and never a silent uniform one."""

import importlib.metadata

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.events import RoundScored, WeightsComputed, WeightsDeferred
from quasar.rules.delivery import Delivery
from quasar.rules.policy import parse
from quasar.rules.weights import U16_MAX, Standing, fold_mean, row_of
from tests.builders import World
from tests.forging import few_tasks, played, report_of

SCORE = st.floats(0, 1) | st.sampled_from([0.0, 5e-324, 1e-300, 0.1, 1 / 3, 1.0])


@settings(deadline=None)  # the first example imports bittensor
@given(st.dictionaries(st.integers(0, U16_MAX), SCORE, max_size=64))
def test_the_row_is_bittensors(scores: dict[int, float]) -> None:
    """The same numbers as the published client sends for the same scores."""
    from bittensor.intents.weights import normalize

    uids, values = normalize(list(scores), list(scores.values()))
    assert {u: v for u, v in row_of(scores).items() if v} == dict(zip(uids, values, strict=True))


def test_that_bittensor_is_the_pinned_one() -> None:
    """The comparison means what it says."""
    assert importlib.metadata.version("bittensor").startswith("11.3.")


@pytest.mark.parametrize(
    ("scores", "row"),
    [
        ({}, {}),
        ({1: 0.0, 2: 0.0}, {}),
        ({1: -1.0, 2: float("nan")}, {}),
        ({1: 0.5}, {1: 65535}),
        ({1: 0.5, 2: 0.25, 3: 0.0}, {1: 65535, 2: 32768, 3: 0}),  # 32767.5 goes to even
        ({1: 1.0, 2: float("nan"), 3: -1.0}, {1: 65535, 2: 0, 3: 0}),
        ({1: 1.0, 2: 2.5 / 65535}, {1: 65535, 2: 2}),  # half to even, not up
    ],
)
def test_the_row_of_odd_scores(scores: dict[int, float], row: dict[int, int]) -> None:
    """Nothing positive gives no row; halves go to even; what is no score gets 0."""
    assert row_of(scores) == row


POLICY = parse(few_tasks())


def test_the_ema_of_a_new_hotkey_starts_at_the_policys_start() -> None:
    """alpha * mean + (1 - alpha) * start, then on from there."""
    first = fold_mean(None, 1.0, 3, POLICY)
    assert first == Standing(0.1 * 1.0 + 0.9 * 0.0, 3)
    second = fold_mean(first, 0.5, 2, POLICY)
    assert second == Standing(0.1 * 0.5 + (1.0 - 0.1) * 0.1, 5)


def test_a_round_without_a_score_changes_nothing() -> None:
    """Left out of every mean means left out of the EMA, too."""
    before = Standing(0.7, 9)
    assert fold_mean(before, None, 0, POLICY) is before
    assert fold_mean(None, None, 0, POLICY) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_the_ema_stays_in_bounds(means: list[float]) -> None:
    """Between 0 and 1, with one sample more for each."""
    standing = None
    for mean in means:
        standing = fold_mean(standing, mean, 1, POLICY)
    assert standing is not None
    assert 0.0 <= standing.score <= 1.0
    assert standing.samples == len(means)


def test_the_row_follows_from_the_rounds() -> None:
    """In a played log: EMA of the round means, uids of the metagraph, the highest gets 65535."""
    world = played()
    row: WeightsComputed = world.events(WeightsComputed)[-1]
    for weight in row.weights:
        standing = None
        for scored in world.events(RoundScored):
            reward = next(r for r in scored.rewards if r.hotkey == weight.hotkey)
            standing = fold_mean(standing, reward.mean, reward.scored, POLICY)
        assert standing == (weight.score, weight.samples)
    assert [w.uid for w in row.weights] == [1, 2, 3]
    assert [w.hotkey for w in row.weights] == list(world.miners)
    assert max(w.u16 for w in row.weights) == 65535
    assert row.rounds == 3


def all_wrong(world: World, d: Delivery) -> bytes:
    return b"ANSWER: nothing"


def deferred(world: World) -> list[str]:
    """Reasons, in order; never a row beside them, and the log is clean."""
    assert not world.events(WeightsComputed)
    report = report_of(world.lines, world.log.blobs)
    assert report.result == "clean"
    return [e.reason for e in world.events(WeightsDeferred)]


def test_nothing_scored_gives_no_row() -> None:
    """An epoch before any score is deferred, with its reason in the log."""
    world = World(policy=few_tasks())
    anyio.run(world.start_round, 1)
    assert deferred(world) == ["no-scores"]


def test_all_zero_gives_no_row() -> None:
    """Miners that earned nothing get no uniform row."""
    world = World(policy=few_tasks())

    async def play() -> None:
        await world.play_round(1, all_wrong)
        await world.block(150, epoch=2, metagraph=True)

    anyio.run(play)
    assert deferred(world) == ["no-scores", "all-zero"]


def test_too_few_samples_give_no_row() -> None:
    """Below the policy's minimum nobody holds weight."""
    world = World(policy=few_tasks(**{"minimum_samples = 3": "minimum_samples = 4"}))

    async def play() -> None:
        await world.play_round(1)
        await world.block(150, epoch=2, metagraph=True)

    anyio.run(play)
    assert deferred(world) == ["no-scores", "too-few"]


def test_no_metagraph_gives_no_row() -> None:
    """Without the uids of this very block there is no row."""
    world = World(policy=few_tasks())

    async def play() -> None:
        await world.play_round(1)
        await world.block(149, epoch=2)

    anyio.run(play)
    assert [e.reason for e in world.events(WeightsDeferred)] == ["no-scores", "no-metagraph"]
    first = report_of(world.lines, world.log.blobs).first_divergence
    assert first is not None  # an observer reads it at the first block of every epoch
    assert "none was read" in first.reason


def test_an_epoch_gets_one_decision() -> None:
    """Blocks of an epoch that was seen decide nothing; a later one is never an earlier's."""
    world = World(policy=few_tasks())

    async def play() -> None:
        await world.play_round(1)
        for number, epoch in ((140, 1), (145, 2), (149, 2), (150, 5)):
            await world.block(number, epoch=epoch, metagraph=True)

    anyio.run(play)
    epochs = [e.epoch for e in world.events() if isinstance(e, WeightsComputed | WeightsDeferred)]
    assert epochs == [1, 2, 5]


def test_a_hotkey_that_returns_starts_empty() -> None:
    """Whoever leaves the metagraph keeps nothing, also on the old uid."""
    world = World(miners=2, policy=few_tasks())
    left = list(world.miners)[1]

    async def play() -> None:
        await world.play_round(1, right)
        await world.block(100, epoch=2, metagraph=True)
        key = world.miners.pop(left)
        await world.block(110, epoch=2, metagraph=True)
        world.miners[left] = key
        await world.block(120, epoch=2, metagraph=True)
        await world.play_round(2, right)
        await world.block(200, epoch=3, metagraph=True)

    anyio.run(play)
    rows = [{w.hotkey: w.samples for w in e.weights} for e in world.events(WeightsComputed)]
    stayed = next(iter(world.miners))
    assert rows == [{stayed: 3, left: 3}, {stayed: 6, left: 3}]
    assert report_of(world.lines, world.log.blobs).result == "clean"


def right(world: World, d: Delivery) -> bytes:
    return world.right_answer(*d.key)
