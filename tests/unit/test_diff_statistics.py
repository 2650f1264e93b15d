"""One validator against the others: exact numbers, honest ones spared, unlike ones named."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import product
from math import comb

import pytest

from quasar.draw import Draw
from quasar.events import AnswerNotScored, AnswerScored, Fault
from quasar.replay.diff_chance import findable, fisher, holm, sign_test, than_most
from quasar.replay.diff_rounds import Judged, Place, PlayedRound
from quasar.replay.diff_statistics import LEVEL, Outcomes, Share, Statistics

CELL = ("factbook@1", "32k")
MINERS = ["5" + letter * 47 for letter in "ABCDEF"]
NAMES = ("A", "B", "C")
TASKS = 3

Luck = Callable[[int, int, int, int], str]
"""How the task of a block, by a validator, to a miner ended: "ok", "silent", "refused", "out"."""


def score(failure: str | None) -> AnswerScored:
    return AnswerScored(
        round=1,
        task=0,
        hotkey=MINERS[0],
        bucket="32k",
        metric="exact@1",
        accuracy=0.0 if failure else 1.0,
        multiplier=1.0,
        reward=0.0 if failure else 1.0,
        failure=failure,
        unproved=failure == "unreachable",
    )


LEFT_OUT = AnswerNotScored(
    round=1, task=0, hotkey=MINERS[0], bucket="32k", fault=Fault.VALIDATOR, failure="internal"
)
ENDED = {
    failure or "ok": Judged(CELL, b"", None, score(failure), Place(1, 1))
    for failure in (None, "silent", "late", "unreachable", "refused")
} | {"out": Judged(CELL, b"", None, LEFT_OUT, Place(1, 1))}


def played(block: int, log: int, luck: Luck, tasks: int = TASKS) -> PlayedRound:
    """One validator's round."""
    judged = {
        (task, hotkey): ENDED[luck(block, log, miner, task)]
        for miner, hotkey in enumerate(MINERS)
        for task in range(tasks)
    }
    return PlayedRound(1, block, "", (), (CELL,) * tasks, judged)


def statistics(luck: Luck, rounds: int = 24, logs: Iterable[int] = range(3)) -> Statistics:
    """Of validators that played the same blocks."""
    outcomes = Outcomes(NAMES)
    for block in range(rounds):
        outcomes.feed({log: played(block, log, luck) for log in logs})
    return outcomes.result()


def named(found: Statistics) -> list[tuple[str, int, str]]:
    return [(s.log, MINERS.index(s.hotkey), s.what) for s in found.named]


@pytest.mark.parametrize("rounds", range(9))
def test_sign_test_is_exact(rounds: int) -> None:
    """It equals the count over all ways in which the rounds could have fallen."""
    ways = [sum(way) for way in product((0, 1), repeat=rounds)]
    for more in range(rounds + 1):
        exact = Fraction(len([n for n in ways if n >= more]), len(ways))
        assert sign_test(more, rounds - more) == float(exact)


def test_than_most() -> None:
    """One other decides alone, of two the closer one, of more the one in the middle, corrected."""
    assert than_most([0.02]) == (0.02, 0)
    assert than_most([0.001, 0.02]) == (0.02, 1)
    assert than_most([0.5, 0.001, 0.02]) == (0.04, 2)
    assert than_most([0.9, 0.001, 0.8, 0.002, 0.02]) == (0.06, 4)
    assert than_most([0.9, 0.8, 0.7]) == (1.0, 1)


def test_fisher_is_exact() -> None:
    """It equals the count over all choices; a lady tasting tea gets 1/70 and 17/70."""
    assert fisher(4, 4, 4, 8) == 1 / 70
    assert fisher(3, 4, 4, 8) == 17 / 70
    for here in range(4):
        ways = [comb(3, k) * comb(7, 5 - k) for k in range(here, 4)]
        assert fisher(here, 5, 3, 10) == float(Fraction(sum(ways), comb(10, 5)))


def test_long_logs_stay_exact() -> None:
    """Counts of years neither overflow nor lose what is small."""
    assert sign_test(5000, 0) == 0.0
    assert sign_test(0, 5000) == 1.0
    assert 0.5 < sign_test(2500, 2500) < 0.51
    assert sign_test(3000, 2000) < 1e-40


def test_holm() -> None:
    """The smallest counts as often as there are tests, and none comes below a smaller one."""
    assert holm({"a": 0.04, "b": 0.001, "c": 0.03}) == {"b": 0.003, "c": 0.06, "a": 0.06}
    assert holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}
    assert holm({}) == {}


def test_what_cannot_be_found_is_not_counted() -> None:
    """A test that never gets below the level takes nothing from the others."""
    assert findable({"a": 0.003, "b": 0.004, "c": 0.02}, 0.01) == ["a", "b"]
    assert findable({"a": 0.004, "b": 0.009}, 0.01) == ["a"]
    assert findable({"a": 0.5}, 0.01) == []


def honest(seed: int) -> Luck:
    """Miners of their own reliability, some away for rounds, alike to every validator."""
    setup = Draw(b"honest", str(seed))
    bad = [setup.below(30) for _ in MINERS]
    away = [(setup.below(30), setup.below(8)) for _ in MINERS]

    def luck(block: int, log: int, miner: int, task: int) -> str:
        start, rounds = away[miner]
        if start <= block < start + rounds:
            return "unreachable"
        drawn = draws.below(100)
        if drawn < bad[miner]:
            return ("silent", "late", "unreachable", "refused")[drawn % 4]
        return "out" if drawn >= 97 else "ok"

    draws = Draw(b"honest", f"{seed}/luck")
    return luck


def test_honest_validators_are_not_named() -> None:
    """Over 100 games of three validators: at most as many false names as the level allows."""
    false = [seed for seed in range(100) if statistics(honest(seed)).named]
    assert len(false) <= 100 * LEVEL


def test_honest_chances_are_no_smaller_than_chance() -> None:
    """Uncorrected, too: of all tests at most 5 in 100 come below 0.05."""
    results = [statistics(honest(seed)) for seed in range(100, 150)]
    tests = [s for found in results for s in (*found.named, *found.others)]
    assert len(tests) > 500
    assert len([s for s in tests if s.p <= 0.05]) <= 0.05 * len(tests)


def one_unlike(how: str, since: int = 0) -> Luck:
    """Validator C and miner 1; all else is honest."""
    base = honest(3)

    def luck(block: int, log: int, miner: int, task: int) -> str:
        ended = base(block, log, miner, task)
        return how if (log, miner) == (2, 1) and block >= since else ended

    return luck


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("unreachable", "unproved"),
        ("silent", "unproved"),
        ("late", "unproved"),
        ("out", "not-scored"),
    ],
)
def test_unlike_treatment_is_named(how: str, what: str) -> None:
    """Whatever the failure is called; and nobody else is named with it."""
    found = statistics(one_unlike(how, since=6))
    assert named(found) == [("C", 1, what)]
    (suspicion,) = found.named
    assert suspicion.p < suspicion.corrected < LEVEL
    assert suspicion.here.bad >= 18 * TASKS
    assert suspicion.here.asked + suspicion.elsewhere.asked == 3 * 24 * TASKS
    assert not suspicion.most_miners


def test_a_signed_refusal_is_no_suspicion() -> None:
    """The miner's own signature says that it would not answer."""
    assert statistics(one_unlike("refused")).named == []


def test_a_miner_that_is_away_for_all_names_nobody() -> None:
    """However long: rounds of equal blocks are compared."""
    found = statistics(lambda block, log, miner, task: "silent" if miner == 1 else "ok")
    assert (found.pairs, found.named) == (0, [])


def test_one_lost_round_names_nobody() -> None:
    """A crash takes a round's tasks together: however many they are, they count once."""
    found = statistics(lambda b, log, m, t: "silent" if (b, log, m) == (5, 2, 1) else "ok")
    assert (found.others[0].log, found.others[0].p) == ("C", 0.5)
    assert (found.pairs, found.tested, found.named) == (1, 0, [])


def test_one_that_spares_a_miner_does_not_accuse_the_others() -> None:
    """Both others record more than it does; between them nothing is unlike."""

    def luck(block: int, log: int, miner: int, task: int) -> str:
        failed = miner == 1 and draws.below(100) < 30
        return ("out" if log == 2 else "silent") if failed else "ok"

    draws = Draw(b"spared", "luck")
    assert named(statistics(luck, rounds=300)) == [("C", 1, "not-scored")]


def test_more_failures_among_many_are_seen() -> None:
    """Also where the miner fails somewhere in every round, at every validator."""

    def luck(block: int, log: int, miner: int, task: int) -> str:
        failed = miner == 1 and (task == 0 or log == 2)
        return "silent" if failed else "ok"

    assert named(statistics(luck)) == [("C", 1, "unproved")]


def test_a_bad_line_is_aimed_at_nobody() -> None:
    """Where most of its miners come out so, that is said; the others here show it too."""

    def luck(block: int, log: int, miner: int, task: int) -> str:
        return "out" if log == 1 and (block + miner) % 2 else "ok"

    found = statistics(luck, rounds=40)
    assert len(found.named) == len(MINERS)
    assert all(s.most_miners and s.log == "B" for s in found.named)
    assert found.named[0].others_here == Share(bad=40 * 5 * TASKS // 2, asked=40 * 5 * TASKS)


def test_few_rounds_are_enough_for_a_whole_silence() -> None:
    """Eight rounds, all lost: pairs that no outcome could show do not count."""
    found = statistics(
        lambda b, log, m, t: "silent" if (log, m) == (2, 1) or (b, log, m) == (0, 0, 4) else "ok",
        rounds=8,
    )
    assert (found.pairs, found.tested) == (2, 1)
    assert named(found) == [("C", 1, "unproved")]
    assert found.named[0].p == found.named[0].corrected == 1 / 256


def test_two_validators() -> None:
    """One against one: the one that recorded more is named, not the other."""
    luck = one_unlike("silent")
    found = statistics(luck, logs=(0, 2))
    assert named(found) == [("C", 1, "unproved")]


def test_other_kinds_of_rounds_are_not_compared() -> None:
    """A validator with other tasks a round may see other failures: nothing is tested."""
    outcomes = Outcomes(NAMES)
    for block in range(24):
        outcomes.feed(
            {
                0: played(block, 0, lambda *_: "ok"),
                1: played(block, 1, lambda *_: "silent", tasks=1),
            }
        )
    assert outcomes.result().pairs == 0


@pytest.mark.parametrize("matched", [True, False])
def test_logs_of_other_times(matched: bool) -> None:
    """Without rounds of equal blocks, rounds with any failure are counted: Fisher's test."""
    luck, outcomes = one_unlike("silent", since=0), Outcomes(NAMES)
    for log in range(3):
        for block in range(24):
            at = block + (100 * log if matched else 0)
            outcomes.feed({log: played(at, log, luck)}, matched=matched)
    found = outcomes.result()
    assert named(found)[0] == ("C", 1, "unproved")
    assert found.named[0].test == "rounds"
    assert (found.named[0].more, found.named[0].fewer) == (24, 0)
