"""Virtual rounds: drawn from what miners did, decided by the rules."""

from collections.abc import Sequence
from functools import cache

import anyio
import pytest

from quasar.config import load_policy
from quasar.draw import Draw
from quasar.errors import CannotJudge, UsageError
from quasar.events import AnswerNotScored, AnswerReceived, AnswerScored, Fault
from quasar.replay.records import Records, Result
from quasar.replay.simulate import WhatIf
from quasar.replay.virtual import VirtualRounds, play_rounds
from quasar.replay.virtual_miners import WAYS, cast_of, hands
from quasar.rules.policy import Policy, parse
from tests.builders import small_policy
from tests.forging import played

RECORDED = parse(played().policy)
A, B = ("5" + letter * 47 for letter in "AB")
CELL = ("factbook@1", "32k")


@cache
def recorded() -> Records:
    """Of the world with every way to fail. Not to be changed."""
    records = Records()
    anyio.run(WhatIf(records=records).play, [played().log])
    return records


def of(**accuracies: Sequence[float | None]) -> Records:
    """Miners with these results at one kind of task."""
    records = Records()
    for name, values in accuracies.items():
        results = [Result(v, None if v is not None else "upload", False, 50) for v in values]
        records.results[{"a": A, "b": B}[name]] = {CELL: results}
    return records


def one_task(**changes: str) -> Policy:
    """A policy with four tasks of that kind a round."""
    head, _, rest = small_policy(**changes).decode().partition("[[mix]]")
    mix = '[[mix]]\nfamily = "factbook@1"\nbucket = "32k"\ntasks = 4\n\n'
    return parse((head + mix + rest[rest.index("[answers]") :]).encode())


def game(records: Records, policy: Policy, rounds: int = 40, seed: str = "0") -> VirtualRounds:
    return play_rounds(records, policy, rounds=rounds, seed=seed)


def test_records_are_the_logs_results() -> None:
    """Each scored or left-out answer by miner, family and length, with its time if one came."""
    for hotkey in played().miners:
        found = [r for results in recorded().results[hotkey].values() for r in results]
        scored = [s for s in played().events(AnswerScored) if s.hotkey == hotkey]
        left_out = [s for s in played().events(AnswerNotScored) if s.hotkey == hotkey]
        received = [a for a in played().events(AnswerReceived) if a.hotkey == hotkey]
        accuracies = [r.accuracy for r in found if r.accuracy is not None]
        assert sorted(accuracies) == sorted(s.accuracy for s in scored)
        assert len(found) == len(scored) + len(left_out)
        assert sorted(r.elapsed_ms for r in found if r.elapsed_ms is not None) == sorted(
            a.elapsed_ms for a in received
        )
    assert recorded().hotkeys == sorted(played().miners)
    assert recorded().cells == [("factbook@1", "32k"), ("factbook@1", "124k")]


def test_a_score_of_no_sampled_task_is_left_alone() -> None:
    """A forged log may have one: nothing is drawn from it."""
    records = Records()
    records.feed(
        AnswerNotScored(round=1, task=1, hotkey=A, bucket="32k", fault=Fault.NETWORK, failure="x")
    )
    assert records.hotkeys == []


def test_equal_seeds_give_equal_rounds() -> None:
    """And other seeds others."""
    one, two, other = (game(recorded(), RECORDED, seed=seed) for seed in ("x", "x", "y"))
    assert one == two
    assert [m.score for m in one.miners] != [m.score for m in other.miners]


def test_a_longer_game_begins_like_a_shorter_one() -> None:
    """A round's draws do not depend on how many follow."""
    ema = one_task(**{"ema_alpha = 0.1": "ema_alpha = 1.0"})
    records = of(a=[0.0, 1.0], b=[0.5])
    scores = [game(records, ema, rounds=n).miners for n in (1, 2, 3)]
    assert len({tuple(sorted((m.hotkey, m.score) for m in s)) for s in scores}) > 1
    assert game(records, ema, rounds=2).miners[0].score in {s[0].score for s in scores}


def test_a_miner_earns_what_it_earned() -> None:
    """The EMA comes near the mean of its recorded results, capped at its length."""
    found = game(of(a=[1.0] * 3 + [0.0], b=[0.5]), one_task(), rounds=400)
    scores = {m.hotkey: m.score for m in found.miners}
    assert scores[B] == pytest.approx(0.5)
    assert scores[A] == pytest.approx(0.75, abs=0.2)
    weights = {w.hotkey: w.u16 for w in found.row}
    assert weights[B] == round(scores[B] / max(scores.values()) * 65535)
    assert weights == {m.hotkey: m.u16 for m in found.miners}


def test_luck_is_shown() -> None:
    """Whoever is steady against a steady one keeps its share; against a lucky one nobody does."""
    steady = game(of(a=[0.75], b=[0.25]), one_task())
    assert [(m.share, m.lowest, m.highest) for m in steady.miners] == [
        pytest.approx((0.75, 0.75, 0.75), abs=1e-4),
        pytest.approx((0.25, 0.25, 0.25), abs=1e-4),
    ]
    lucky = game(of(a=[0.0, 1.0], b=[0.5]), one_task())
    assert all(m.lowest < m.share < m.highest for m in lucky.miners)


def test_what_was_left_out_is_left_out() -> None:
    """A failure that was not the miner's counts in no mean."""
    found = game(of(a=[None], b=[0.5]), one_task())
    assert {m.hotkey: m.u16 for m in found.miners} == {A: 0, B: 65535}
    assert [m.score for m in found.miners] == [pytest.approx(0.5, abs=0.01), 0.0]
    assert (found.answers, found.not_scored) == (40 * 8, 40 * 4)


def test_nobody_earns_anything() -> None:
    """Then there is no row, and no share."""
    found = game(of(a=[0.0]), one_task())
    assert found.row == []
    assert [(m.share, m.u16) for m in found.miners] == [(0.0, 0)]


def test_tasks_that_nobody_got_are_named() -> None:
    """They are left out; a policy of such tasks alone cannot be played, nor one of code alone."""
    found = game(recorded(), parse(load_policy("mixed-v1")), rounds=2)
    assert found.unjudged == [
        "factbook@1 at 512k",
        "factbook@1 at 1.5m",
        "factbook@1 at 2m",
        "hops@1 at 32k",
        "hops@1 at 124k",
    ]
    assert found.answers == 2 * 3 * 6
    other = load_policy("readme-v1").replace(b"factbook@1", b"hops@1")
    with pytest.raises(CannotJudge, match="was asked any task"):
        game(recorded(), parse(other))
    code = one_task()
    with pytest.raises(CannotJudge, match="nobody to play with"):
        game(Records(), code)


def test_a_day_of_rounds_is_a_day_of_chain_time() -> None:
    """96 rounds of 75 blocks of 12 seconds."""
    assert game(of(a=[1.0]), one_task(), rounds=96).hours == 24.0


def test_copies_have_names_of_their_own() -> None:
    """Everyone plays as often as anyone else, give or take one; a copy tells whose it is."""
    miners = cast_of(of(a=[1.0], b=[0.0]), 4096)
    assert len({m.hotkey for m in miners}) == 4096
    assert miners[:2] == [(A, A), (B, B)]
    assert all(m.hotkey[:-4] == m.recorded[:-4] for m in miners)
    assert len([m for m in miners if m.recorded == A]) == 2048
    for wrong in (0, -1, 4097):
        with pytest.raises(UsageError, match="1 to 4096"):
            cast_of(recorded(), wrong)


def test_copies_draw_for_themselves() -> None:
    """They share a past, not their luck."""
    found = play_rounds(of(a=[0.0, 1.0]), one_task(), rounds=20, miners=8)
    assert len({m.score for m in found.miners}) > 1


def test_a_hand_holds_no_more_than_one_draw_can_tell_apart() -> None:
    """Many tasks with many results are split; each result of each task can come."""
    results = [Result(k / 1000, None, False, 1) for k in range(1000)]
    made = hands({CELL: results}, [CELL] * 30, {"32k": 1.0})
    assert [len(hand.tasks) for hand in made] == [12, 12, 6]
    assert all(hand.ways <= WAYS for hand in made)
    draw, (hand,) = Draw(b"s", "x"), hands({CELL: results[:3]}, [CELL] * 2, {"32k": 1.0})
    drawn = {tuple(d.earned.accuracy for d in hand.drawn(draw) if d.earned) for _ in range(200)}
    assert len(drawn) == 9


def test_progress_is_told() -> None:
    """Each round, of how many."""
    told: list[tuple[int, int]] = []
    play_rounds(of(a=[1.0]), one_task(), rounds=3, progress=lambda *seen: told.append(seen))
    assert told == [(1, 3), (2, 3), (3, 3)]
