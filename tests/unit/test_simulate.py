"""What if: recorded facts under other rules, and the recorded weights under the recorded ones."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from quasar.config import load_policy, sample_archive
from quasar.errors import CannotJudge, Damaged, UsageError
from quasar.events import (
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    RoundScored,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.log.archive_reader import ArchiveLog
from quasar.metrics import Metric
from quasar.replay.ranks import kendall, l1, shares
from quasar.replay.simulate import NamedMetric, Simulation, simulate
from quasar.replay.whatif import blended, metric_named, same_game
from quasar.rules.policy import Policy, parse
from tests.builders import EVERY, LineLog, World
from tests.code_round import WRONG, code_instance, code_policy, executed
from tests.forging import Forging, few_tasks, played
from tests.golden.expected import recordings
from tests.unit.volume_folder import worlds

RECORDED = parse(played().policy)
DECIDED = (AnswerScored, AnswerNotScored, RoundScored, WeightsComputed, WeightsDeferred)


def judged(
    policy: Policy | None = None, world: World | None = None, metric: NamedMetric | None = None
) -> Simulation:
    """The world with every way to fail, unless another is given."""
    return anyio.run(lambda: simulate((world or played()).log, policy, metric=metric))


def changed(**changes: str) -> Policy:
    """The recorded policy with other text in its file."""
    return parse(few_tasks(**changes))


def counts(events: Sequence[Any]) -> tuple[int, int, int]:
    """Scores, means and rows with deferrals."""
    kinds = ((AnswerScored, AnswerNotScored), RoundScored, (WeightsComputed, WeightsDeferred))
    scores, means, rows = (len([e for e in events if isinstance(e, kind)]) for kind in kinds)
    return scores, means, rows


@pytest.mark.parametrize("policy", [None, RECORDED], ids=["each its own", "given"])
def test_the_recorded_policy_gives_the_recorded_weights(policy: Policy | None) -> None:
    """Every score, mean, row and deferral comes out byte for byte; nobody gains or loses."""
    found = judged(policy)
    tallies = (found.scores, found.means, found.rows)
    assert tuple(t.checked for t in tallies) == counts(played().events())
    assert [t.equal for t in tallies] == [t.checked for t in tallies]
    assert (found.same_rules, found.reproduced, found.first_other_row) == (True, True, None)
    assert (found.weights.l1, found.weights.kendall) == (0.0, 1.0)
    row = played().events(WeightsComputed)[-1]
    assert {c.hotkey: c.new_u16 for c in found.weights.miners} == {
        w.hotkey: w.u16 for w in row.weights
    }


SHIPPED = [sample_archive(), *(folder / "archive" for folder in recordings())]


@pytest.mark.parametrize("archive", SHIPPED, ids=lambda folder: folder.parent.name)
def test_shipped_logs_are_reproduced(archive: Path) -> None:
    """The sample and every golden recording."""
    found = anyio.run(simulate, ArchiveLog(archive))
    assert found.reproduced
    assert found.rows.checked > 0


def test_weighted_v1_gives_other_weights() -> None:
    """The row is that of the multiplier-weighted means of the recorded accuracies."""
    found = judged(parse(load_policy("weighted-v1")))
    scores = played().events(AnswerScored)
    ema: dict[str, float] = dict.fromkeys(played().miners, 0.0)
    for number in (1, 2, 3):
        for hotkey in ema:
            mine = [s for s in scores if (s.round, s.hotkey) == (number, hotkey)]
            worth = sum(s.multiplier for s in mine)
            mean = sum(s.multiplier * s.accuracy for s in mine) / worth
            ema[hotkey] += 0.1 * (mean - ema[hotkey])
    highest = max(ema.values())
    assert not found.same_rules
    assert found.rows.equal < found.rows.checked
    assert found.weights.l1 > 0.0
    for change in found.weights.miners:
        assert change.new_score == pytest.approx(ema[change.hotkey])
        assert change.new_u16 == round(ema[change.hotkey] / highest * 65535)
    assert found.weights.miners[0].gain > 0.0 > found.weights.miners[-1].gain


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ema_alpha = 0.1", "ema_alpha = 0.5"),
        ("ema_start = 0.0", "ema_start = 0.5"),
        ("multiplier = 1.2", "multiplier = 0.3"),
        ("max_bytes = 16_384", "max_bytes = 3"),
        ("base_ms = 30_000\nlinear_ms = 200", "base_ms = 1\nlinear_ms = 0"),
        ("base_ms = 30_000", "base_ms = 40_000"),
    ],
)
def test_each_rule_counts(old: str, new: str) -> None:
    """Each number that recorded answers can be judged by changes the means or the rows."""
    found = judged(changed(**{old: new}))
    assert not found.same_rules
    assert (found.means.equal, found.rows.equal) != (found.means.checked, found.rows.checked)


def test_too_few_samples_defer_a_row() -> None:
    """Then the newest row of the simulation is none, and everybody loses."""
    found = judged(changed(**{"minimum_samples = 3": "minimum_samples = 1000"}))
    assert found.first_other_row is not None
    assert found.epoch is None
    assert all(c.new_u16 == 0 and c.new_score is None for c in found.weights.miners)


def test_what_was_asked_stays() -> None:
    """Another cadence, mix, delivery or length changes nothing, and the outcome says so."""
    found = judged(parse(load_policy("mixed-v1")))
    assert found.reproduced
    assert not found.same_rules
    said = " ".join(found.not_judged)
    for words in ("the mix", "hops@1 at 32k", "lengths", "not scored yet"):
        assert words in said
    faster = judged(changed(**{"round_every_blocks = 75": "round_every_blocks = 50"}))
    assert any("cadence" in words for words in faster.not_judged)
    harder = judged(changed(**{"attempts = 4": "attempts = 9", "max_bytes = 1": "max_bytes = 2"}))
    assert {"delivery", "longer answers"} <= {w.partition(":")[0] for w in harder.not_judged}


def test_a_bucket_is_worth_what_its_name_or_size_says() -> None:
    """By name first; else the smallest that holds it; longer than all, its own."""
    other = changed(**{'name = "32k"': 'name = "tiny"', 'bucket = "32k"': 'bucket = "tiny"'})
    doubled = [msgspec.structs.replace(b, multiplier=2 * b.multiplier) for b in other.buckets]
    worth = {b.name: b.multiplier for b in blended(RECORDED, _with(other, doubled)).buckets}
    assert worth == {b.name: 2 * b.multiplier for b in RECORDED.buckets}
    small = [b for b in doubled if b.name == "tiny"]
    worth = {b.name: b.multiplier for b in blended(RECORDED, _with(other, small)).buckets}
    assert worth == {b.name: b.multiplier * (1 + (b.name == "32k")) for b in RECORDED.buckets}


def _with(policy: Policy, buckets: list[Any]) -> Policy:
    return msgspec.structs.replace(policy, buckets=buckets)


def test_a_name_is_no_rule() -> None:
    """A policy of another name that says the same is the same game."""
    renamed = changed(**{'name = "readme-v1"': 'name = "mine"'})
    assert same_game(renamed, RECORDED)
    assert judged(renamed).same_rules
    assert not same_game(changed(**{"ema_alpha = 0.1": "ema_alpha = 0.2"}), RECORDED)


def half(prediction: str, answers: Sequence[str], **options: object) -> float:
    """A metric that finds everyone half right."""
    return 0.5


def broken(prediction: str, answers: Sequence[str], **options: object) -> float:
    """A metric in the making."""
    raise KeyError(prediction)


def test_another_metric_scores_the_recorded_answers() -> None:
    """Answers in time get its number; failures stay failures."""
    found = judged(metric=NamedMetric("half@1", half))
    in_time = [s for s in played().events(AnswerScored) if s.failure is None]
    assert found.scores.checked - found.scores.equal == len(in_time)
    assert found.metric == "half@1"
    assert "programs" in " ".join(found.not_judged)
    exact = judged(metric=NamedMetric("answer_exact@1", metric_named("answer_exact@1")))
    assert exact.reproduced
    assert not exact.same_rules


def wordy(prediction: str, answers: Sequence[str], **options: object) -> float:
    """Says much, and no number."""
    return "much"  # type: ignore[return-value]


@pytest.mark.parametrize("metric", [broken, wordy])
def test_a_metric_that_fails_is_named(metric: Metric) -> None:
    """It is not the log's fault."""
    with pytest.raises(UsageError, match="metric tried@1"):
        judged(metric=NamedMetric("tried@1", metric))
    with pytest.raises(CannotJudge, match="answer_exact@1"):
        metric_named("unheard@1")


def test_a_forged_score_is_not_reproduced() -> None:
    """The recorded rules decide otherwise than a log with a raised reward says."""
    forged = Forging(played())
    zero = forged.one(AnswerScored, lambda s: s.reward == 0.0 and s.failure is None)
    forged.edit(zero, accuracy=1.0, reward=1.0)
    forged.decide_again()
    found = anyio.run(simulate, LineLog(forged.lines(), played().log.blobs))
    assert found.same_rules
    assert not found.reproduced
    assert found.first_other_row is not None


def test_a_decision_out_of_nothing_is_named() -> None:
    """A score without an answer, and a log without a policy or without events."""
    forged = Forging(played())
    forged.drop([forged.one(AnswerReceived)])
    with pytest.raises(Damaged, match="run `quasar audit`"):
        anyio.run(simulate, LineLog(forged.lines(), played().log.blobs))
    with pytest.raises(CannotJudge, match="no policy"):
        anyio.run(simulate, LineLog(played().lines[:2], played().log.blobs))
    with pytest.raises(CannotJudge, match="no volume"):
        anyio.run(simulate, [])


@cache
def over_volumes(policy: str | None) -> Simulation:
    """Volumes of one round each."""
    rules = parse(load_policy(policy)) if policy else None
    return anyio.run(simulate, [world.log for world in worlds()], rules)


def test_volumes_are_one_log() -> None:
    """Each is reproduced, and another policy's scores go on from volume to volume."""
    events = [event for world in worlds() for event in world.events()]
    found, other = over_volumes(None), over_volumes("weighted-v1")
    assert found.reproduced
    assert (found.scores.checked, found.means.checked, found.rows.checked) == counts(events)
    assert found.assumed == []
    alpha, ema = 0.1, dict.fromkeys(worlds()[0].miners, 0.0)
    scores = [e for e in events if isinstance(e, AnswerScored)]
    row = [e for e in events if isinstance(e, WeightsComputed)][-1]
    assert row.rounds > 1
    for number in range(1, row.rounds + 1):
        for hotkey in ema:
            mine = [s for s in scores if (s.round, s.hotkey) == (number, hotkey)]
            mean = sum(s.multiplier * s.accuracy for s in mine) / sum(s.multiplier for s in mine)
            ema[hotkey] = alpha * mean + (1 - alpha) * ema[hotkey]
    assert {c.hotkey: c.new_score for c in other.weights.miners} == pytest.approx(ema)


def test_a_later_volume_alone_assumes_what_it_was_handed() -> None:
    """It says so."""
    found = anyio.run(simulate, worlds()[1].log)
    assert found.reproduced
    assert len(found.assumed) == 1


@cache
def with_programs() -> World:
    """All answers in time; of two programs, one passes no case. Not to be changed."""
    world = World(miners=2, policy=code_policy(), sandbox="docker")
    anyio.run(_run_programs, world)
    return world


async def _run_programs(world: World) -> None:
    await world.start_round(1)
    for d in world.open_deliveries():
        instance = code_instance(world, d.key)
        answer = WRONG.encode() if instance else world.right_answer(*d.key)
        await world.deliver(d, world.acceptance(d), world.received(d, answer))
    await world.settle()
    for hotkey in world.miners:
        instance = code_instance(world, (1, 1, hotkey))
        assert instance is not None
        right = hotkey == next(iter(world.miners))
        outputs = [msgspec.json.encode(v if right else None) for v in instance.program.expected]
        ran = executed(world, (1, 1, hotkey), outputs)
        await world.append("sandbox-executor", ran)
    await world.settle()
    await world.block(EVERY + 30, epoch=2, metagraph=True)


def test_a_program_keeps_its_verdict_under_other_deadlines() -> None:
    """Whether it ran is recorded: no other deadline makes it late, but answers that are read."""
    world = with_programs()
    assert judged(world=world).reproduced
    hurried = code_policy().replace(b"base_ms = 30_000", b"base_ms = 1")
    for line in (b"linear_ms = 200", b"square_us = 60"):
        hurried = hurried.replace(line, line.split(b"=")[0] + b"= 0")
    found = judged(parse(hurried), world)
    programs = [s for s in world.events(AnswerScored) if s.metric == "code_pass@1"]
    assert sorted(s.accuracy for s in programs) == [0.0, 1.0]
    assert found.scores.checked == 4
    assert found.scores.equal == len(programs)
    assert any("late program" in words for words in found.not_judged)
    metric = judged(world=world, metric=NamedMetric("half@1", half))
    assert metric.scores.equal == len(programs)


def test_who_must_be_reached_counts() -> None:
    """One miner of two never answers its door: a zero by one rule, left out by another."""
    world = World(miners=2, policy=few_tasks())
    anyio.run(_half_reached, world)
    assert judged(world=world).reproduced
    found = judged(changed(**{"reached_share = 0.5": "reached_share = 1.0"}), world)
    assert found.scores.checked - found.scores.equal == 3
    assert found.means.equal == 0


async def _half_reached(world: World) -> None:
    await world.start_round(1)
    there = next(iter(world.miners))
    for d in world.open_deliveries():
        if d.key[2] == there:
            await world.deliver(d, world.acceptance(d), world.received(d, b"ANSWER: 1"))
        else:
            await world.deliver(d, world.abandoned(d))
    await world.settle()


def test_distances() -> None:
    """By hand: shares, L1 over all names, tau-b with ties, and none where nothing is ordered."""
    assert shares({"a": 3, "b": 1}) == {"a": 0.75, "b": 0.25}
    assert shares({"a": 0}) == {"a": 0.0}
    assert l1({"a": 1.0}, {"b": 1.0}) == 2.0
    assert kendall([1, 2, 3], [1, 2, 3]) == 1.0
    assert kendall([1, 2, 3], [3, 2, 1]) == -1.0
    assert kendall([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall([1, 1, 2, 3], [1, 2, 2, 3]) == pytest.approx(4 / 5)
    assert kendall([1, 1], [1, 2]) is None
