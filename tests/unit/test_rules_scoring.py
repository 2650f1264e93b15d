"""Scores: every way an assignment can end, and the means that follow."""

import math
from typing import Any

import anyio
import pytest

from quasar.errors import CannotJudge
from quasar.events import AnswerNotScored, AnswerReceived, AnswerScored, Fault, RoundScored
from quasar.rules.delivery import Delivery
from quasar.rules.scoring import metric
from quasar.rules.scoring_state import answer_bytes
from tests.builders import World
from tests.forging import few_tasks, played, report_of

MINERS = sorted(played().miners)


def ended(number: int) -> dict[tuple[int, str], Any]:
    """Task and hotkey to score, of a round."""
    scores = [e for e in played().events() if isinstance(e, AnswerScored | AnswerNotScored)]
    return {(s.task, s.hotkey): s for s in scores if s.round == number}


@pytest.mark.parametrize(
    ("task", "miner", "accuracy", "failure", "unproved"),
    [
        (0, 0, 1.0, None, False),
        (0, 1, 1.0, None, False),
        (0, 2, 1.0, None, False),
        (1, 0, 0.0, "late", False),
        (1, 1, 0.0, None, False),  # a blob, and wrong
        (1, 2, 0.0, "refused", False),
        (2, 0, 0.0, "silent", False),
        (2, 1, 0.0, "unreachable", True),
    ],
)
def test_how_an_assignment_ends(
    task: int, miner: int, accuracy: float, failure: str | None, unproved: bool
) -> None:
    """Right, late, long and wrong, refused, silent, unreachable: each scored as it must be."""
    score = ended(2)[(task, MINERS[miner])]
    assert isinstance(score, AnswerScored)
    assert (score.accuracy, score.failure, score.unproved) == (accuracy, failure, unproved)
    assert score.multiplier == (1.0 if task == 0 else 1.2)
    assert score.reward == min(accuracy * score.multiplier, 1.0)


def test_a_failed_upload_is_left_out() -> None:
    """Nothing signed shows that the miner got the request: it is not scored."""
    score = ended(2)[(2, MINERS[2])]
    assert isinstance(score, AnswerNotScored)
    assert (score.fault, score.failure) == (Fault.NETWORK, "upload")


def test_means_are_over_what_counts() -> None:
    """Zeros count, what is left out does not, and each is shown beside the mean."""
    rewards = {r.hotkey: r for r in played().events(RoundScored)[1].rewards}
    assert list(rewards) == MINERS
    shown = [(r.scored, r.not_scored, r.unproved, r.mean) for r in rewards.values()]
    assert shown == [(3, 0, 0, 1 / 3), (3, 0, 1, 1 / 3), (2, 1, 0, 0.5)]
    for r in rewards.values():
        earned = [s.reward for s in ended(2).values() if s.hotkey == r.hotkey and not _out(s)]
        assert r.mean == math.fsum(earned) / r.scored


def _out(score: Any) -> bool:
    return isinstance(score, AnswerNotScored)


def test_a_round_that_nobody_reached_scores_nobody() -> None:
    """With nobody reached the network is down: no zeros, no mean."""
    world = World(miners=2, policy=few_tasks())

    async def play() -> None:
        await world.start_round(1)
        for d in world.open_deliveries():
            await world.deliver(d, world.abandoned(d))
        await world.settle()

    anyio.run(play)
    assert not world.events(AnswerScored)
    assert [(r.scored, r.not_scored, r.mean) for r in world.events(RoundScored)[0].rewards] == [
        (0, 3, None),
        (0, 3, None),
    ]
    assert report_of(world.lines, world.log.blobs).result == "clean"


def late_answer(world: World, d: Delivery) -> bytes:
    return b"\n" * 30 + world.right_answer(*d.key)


@pytest.mark.parametrize(("limit", "accuracy"), [("16_384", 1.0), ("20", 0.0)])
def test_an_answer_is_cut_before_it_is_scored(limit: str, accuracy: float) -> None:
    """What stands behind the policy's limit is not read."""
    policy = few_tasks(**{"max_bytes = 16_384": f"max_bytes = {limit}"})
    world = World(miners=1, policy=policy)
    anyio.run(world.play_round, 1, late_answer)
    assert {s.accuracy for s in world.events(AnswerScored)} == {accuracy}
    assert report_of(world.lines, world.log.blobs).result == "clean"


def test_answers_are_bytes() -> None:
    """Text and blob alike are cut by bytes, also inside a character."""
    world = World(miners=1, policy=few_tasks())
    anyio.run(world.start_round, 1)
    d = world.open_deliveries()[0]
    short = world.received(d, "é".encode() * 3)
    long = world.received(d, b"x" * 5000)
    assert answer_bytes(short, world.log.blobs, 3) == b"\xc3\xa9\xc3"
    assert short.blob is None
    assert answer_bytes(long, world.log.blobs, 4) == b"xxxx"
    assert long.text is None


def test_a_blob_can_be_right() -> None:
    """A long answer that is right is scored as a short one is."""
    world = World(miners=1, policy=few_tasks())

    def long(world: World, d: Delivery) -> bytes:
        return b" " * 5000 + b"\n" + world.right_answer(*d.key)

    anyio.run(world.play_round, 1, long)
    assert all(a.blob for a in world.events(AnswerReceived))
    assert {s.accuracy for s in world.events(AnswerScored)} == {1.0}


def test_the_weighted_policy_pays_for_length() -> None:
    """weighted-v1: the mean of a round weighs each accuracy with its multiplier."""
    policy = few_tasks(**{"capped@1": "weighted@1"})
    world = World(miners=1, policy=policy)

    def first_only(world: World, d: Delivery) -> bytes:
        return world.right_answer(*d.key) if d.key[1] == 0 else b""

    anyio.run(world.play_round, 1, first_only)
    assert world.events(RoundScored)[0].rewards[0].mean == 1.0 / math.fsum([1.0, 1.2, 1.2])
    assert report_of(world.lines, world.log.blobs).result == "clean"


def test_an_unknown_metric_cannot_be_judged() -> None:
    """A metric of a newer program is no divergence."""
    with pytest.raises(CannotJudge, match=r"'answer_exact@99' is not installed"):
        metric("answer_exact@99")
