"""From a weight down to the raw answers, with the log's own numbers."""

import anyio
import pytest

from quasar.errors import Damaged, UsageError
from quasar.events import (
    AnswerNotScored,
    AnswerScored,
    MetagraphObserved,
    RoundScored,
    WeightsComputed,
)
from quasar.events.merkle import leaf_hash, verify_inclusion
from quasar.replay.why import Why, why
from quasar.rules.delivery import Delivery
from quasar.rules.plan import offered, plan_tasks
from quasar.rules.policy import parse
from quasar.rules.secrets import round_seed
from tests.builders import BEACON_DELAY, EVERY, LineLog, World
from tests.code_round import code_policy
from tests.forging import Forging, few_tasks, played

MINERS = list(played().miners)


def explained(hotkey: str, block: int | None = None, world: World | None = None) -> Why:
    log = (world or played()).log
    return anyio.run(why, log, hotkey, block)


@pytest.mark.parametrize("hotkey", MINERS)
def test_the_weight_is_the_newest_rows(hotkey: str) -> None:
    """Weight, epoch, block and event of the newest row, and the EMA that it stands on."""
    world, found = played(), explained(hotkey)
    row = world.events(WeightsComputed)[-1]
    weight = next(w for w in row.weights if w.hotkey == hotkey)
    assert found.weight == weight
    assert (found.epoch, found.block) == (row.epoch, row.block)
    assert world.events()[found.weight_seq - 1] == row
    assert found.highest == max(w.score for w in row.weights)
    assert found.rounds[-1].ema == weight.score
    assert round(weight.score / (found.highest or 0.0) * 65535) == weight.u16


@pytest.mark.parametrize("hotkey", MINERS)
def test_the_rounds_are_the_logs(hotkey: str) -> None:
    """Means, counts and EMA steps of every round, each with the event that says so."""
    world, found = played(), explained(hotkey)
    assert [r.round for r in found.rounds] == [1, 2, 3]
    ema = 0.0
    for earned, scored in zip(found.rounds, world.events(RoundScored), strict=True):
        reward = next(r for r in scored.rewards if r.hotkey == hotkey)
        assert (earned.mean, earned.scored) == (reward.mean, reward.scored)
        assert earned.not_scored == reward.not_scored
        ema = found.alpha * earned.mean + (1.0 - found.alpha) * ema if earned.mean else ema * 0.9
        assert earned.ema == pytest.approx(ema)
        assert world.events()[earned.seq - 1] == scored


@pytest.mark.parametrize("hotkey", MINERS)
def test_the_answers_are_the_logs(hotkey: str) -> None:
    """Each answer is shown with its question, its score and the three events that tell of it."""
    events = played().events()
    for earned in explained(hotkey).rounds:
        assert [a.task for a in earned.answers] == [0, 1, 2]
        for answer in earned.answers:
            assigned, outcome, score = (
                events[seq - 1]
                for seq in (answer.assigned_seq, answer.outcome_seq, answer.score_seq)
            )
            assert {e.hotkey for e in (assigned, outcome, score)} == {hotkey}
            assert answer.question == "\n".join(part.text for part in assigned.question)
            assert answer.failure == score.failure
            if isinstance(score, AnswerScored):
                assert (answer.accuracy, answer.reward) == (score.accuracy, score.reward)
                assert answer.multiplier == score.multiplier
            else:
                assert isinstance(score, AnswerNotScored)
                assert (answer.accuracy, answer.reward) == (None, None)


def test_every_kind_of_answer_is_shown() -> None:
    """Text, the head of a blob, and how it failed."""
    shown = [a.answer for hotkey in MINERS for a in explained(hotkey).rounds[1].answers]
    assert "answer: timeout" in shown
    assert "upload: reset" in shown
    assert "x" * 4096 in shown
    assert any(text.startswith("ANSWER: ") for text in shown)


def test_every_event_named_has_its_proof() -> None:
    """All events that a number is taken from are led up to the root."""
    found, lines = explained(MINERS[0]), played().lines
    root, newest = bytes.fromhex(found.root), found.rounds[-1].answers[-1].score_seq
    assert isinstance(played().events()[newest - 1], AnswerScored)
    assert {1, newest, found.weight_seq, found.base.seq} <= {event.seq for event in found.events}
    assert found.size == len(lines)
    for event in found.events:
        proof = [bytes.fromhex(h) for h in event.proof]
        assert event.line.encode() == lines[event.seq - 1]
        leaf = leaf_hash(event.line.encode())
        assert verify_inclusion(leaf, event.seq - 1, found.size, proof, root)


def test_an_earlier_row_is_explained_by_its_block() -> None:
    """Up to a block, with the rounds that counted then."""
    rows = played().events(WeightsComputed)
    found = explained(MINERS[0], rows[0].block)
    assert found.block == rows[0].block
    assert [r.round for r in found.rounds] == [1]
    early = explained(MINERS[0], 75)
    assert (early.weight, early.epoch, early.deferred) == (None, None, "no-scores")
    assert early.rounds == []
    later = {r.round for b in (75, rows[0].block) for r in explained(MINERS[0], b).rounds}
    assert later == {1}, "rounds of later blocks are not shown"


def test_an_unknown_hotkey_is_a_usage_error() -> None:
    """Who was never sampled is told whom the log knows."""
    with pytest.raises(UsageError, match=f"never sampled 5Nobody.*{min(MINERS)}"):
        explained("5Nobody")


def test_a_log_without_policy_is_a_usage_error() -> None:
    """A log that only just opened knows nobody."""
    with pytest.raises(UsageError, match="it knows none"):
        anyio.run(why, LineLog(played().lines[:2], played().log.blobs), MINERS[0])


def test_whoever_left_starts_empty() -> None:
    """The EMA shown is the log's also for a hotkey that left and came back."""
    world = World(miners=2, policy=few_tasks())
    left = next(iter(world.miners))

    async def play() -> None:
        await world.play_round(1)
        key = world.miners.pop(left)
        await world.block(100, epoch=1, metagraph=True)
        world.miners[left] = key
        await world.play_round(2)
        await world.block(200, epoch=3, metagraph=True)

    anyio.run(play)
    for hotkey in world.miners:
        found = explained(hotkey, None, world)
        assert found.weight is not None
        assert found.rounds[-1].ema == found.weight.score


def test_tasks_that_were_left_out_shift_nothing() -> None:
    """Without a sandbox there is no task in code, so the first one is the policy's second."""
    factbook = '[[mix]]\nfamily = "factbook@1"\nbucket = "32k"\ntasks = 1\n\n'
    head, _, tail = code_policy().decode().partition(factbook)
    code, _, end = tail.partition("[answers]")
    world = World(miners=1, policy=(head + code + factbook + "[answers]" + end).encode())
    expected: list[str] = []

    def answer(world: World, d: Delivery) -> bytes:
        number, task, hotkey = d.key
        policy = offered(parse(world.policy), None)
        beacon = world.block_hash(number * EVERY + BEACON_DELAY)
        planned = plan_tasks(round_seed(world.secrets.secret(number), beacon), policy)
        expected.append(list(planned)[task].variant(hotkey).instance.answer)
        return b"ANSWER: 1"

    async def play() -> None:
        await world.play_round(1, answer)
        await world.block(100, epoch=2, metagraph=True)

    anyio.run(play)
    (earned,) = explained(next(iter(world.miners)), None, world).rounds
    assert [a.expected for a in earned.answers] == expected


def test_a_log_that_does_not_follow_is_damaged() -> None:
    """What cannot be explained says so, and sends to the audit."""
    log = Forging(played())
    log.drop_slots("assign")
    with pytest.raises(Damaged, match="quasar audit"):
        anyio.run(why, LineLog(log.lines(), played().log.blobs), MINERS[0])
    log = Forging(played())
    log.edit(log.one(MetagraphObserved), neurons=played().log.blobs.put(b"no list"))
    with pytest.raises(Damaged, match="event 4"):
        anyio.run(why, LineLog(log.lines(), played().log.blobs), MINERS[0])
