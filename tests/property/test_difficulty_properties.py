"""Difficulty: settles where answers tell miners apart, and listens to no single one."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.draw import Draw
from quasar.events import AnswerScored
from quasar.rules import difficulty
from quasar.rules.difficulty import FULL, DifficultyState, cell_of, rung_of
from quasar.rules.policy import Mix
from quasar.rules.policy_sections import Adaptive
from tests.drawn_rounds import ladder

RULE = Adaptive(low=0.4, high=0.8, answers=6)
LADDER = Mix(family="ladder@1", bucket="32k", tasks=1, level=1)
FLAT = Mix(family="ladder@1", bucket="2m", tasks=1)
STEP = 0.18
"""What one level takes from the chance of a right answer."""


@pytest.fixture(autouse=True, scope="module")
def _ladder() -> Iterator[None]:
    with ladder():
        yield


def score(number: int, task: int, hotkey: str, accuracy: float, **more: bool) -> AnswerScored:
    """An answer's."""
    return AnswerScored(
        round=number,
        task=task,
        hotkey=hotkey * 48,
        bucket="32k",
        metric="answer_exact@1",
        accuracy=accuracy,
        multiplier=1.0,
        reward=accuracy,
        failure="unreachable" if more.get("unproved") else None,
        unproved=more.get("unproved", False),
    )


def chance(ability: float, level: int) -> float:
    """A simulated miner's, of a right answer."""
    return min(1.0, max(0.0, ability - STEP * (level - 1)))


def play(
    abilities: Sequence[float], rounds: int, *, sandbagger: bool = False, tasks: int = 3
) -> list[int]:
    """Levels over rounds of simulated miners; a sandbagger is always wrong."""
    state, levels = DifficultyState(), list[int]()
    for number in range(1, rounds + 1):
        level = rung_of(state, LADDER).level
        assert level is not None
        levels.append(level)
        difficulty.watch(state, number, RULE, [cell_of(LADDER)] * tasks)
        for i, ability in enumerate(abilities):
            draw = Draw(b"play", f"{number}/{i}")
            for task in range(tasks):
                right = draw.below(1000) < 1000 * chance(ability, level)
                wrong = sandbagger and i == 0
                found = score(number, task, "abcdefghj"[i], float(right and not wrong))
                difficulty.note(state, found)
        difficulty.settle(state, number)
    return levels


@pytest.mark.parametrize("ability", [0.7, 0.9, 1.0, 1.1, 1.3])
def test_it_settles_where_answers_tell(ability: float) -> None:
    """From the easiest level it climbs to one with an accuracy in the band, and stays."""
    levels = play([ability + 0.02 * (i - 4) for i in range(9)], 60)
    for level in levels[30:]:
        assert RULE.low - 0.05 <= chance(ability, level) <= RULE.high + 0.05
    assert len(set(levels[30:])) <= 3


def test_it_comes_down_again() -> None:
    """Where all miners are weak the easiest level is played."""
    assert set(play([0.3] * 9, 40)[10:]) == {1}


@pytest.mark.parametrize("ability", [0.9, 1.1])
def test_one_who_answers_wrong_on_purpose_makes_nothing_easier(ability: float) -> None:
    """With one of nine always wrong, the level settles where it does without."""
    honest, gamed = (
        play([ability] * 9, 60, sandbagger=sandbagger)[30:] for sandbagger in (False, True)
    )
    assert min(gamed) >= min(honest)
    assert max(gamed) == max(honest)


means = st.lists(st.integers(0, 10), min_size=3, max_size=9)


@settings(max_examples=60, deadline=None)
@given(means, st.integers(0, 10))
def test_one_miner_moves_the_median_by_one_place(others: list[int], said: int) -> None:
    """Whatever one miner does, the number that decides stays between its neighbours' means."""
    given_ = [difficulty.Given(10, n * difficulty.UNIT) for n in sorted(others)]
    found = difficulty.median([*given_, difficulty.Given(10, said * difficulty.UNIT)])
    half, n = len(others) // 2, len(others)
    low = sorted(others)[max(0, half - 1)] / 10
    high = sorted(others)[min(n - 1, half)] / 10 if n % 2 == 0 else sorted(others)[half + 1] / 10
    assert low <= found <= high


scores = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("abcd"), st.sampled_from([0.0, 0.1, 0.3, 1.0])),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(scores, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(found: list[tuple[int, str, float]], random) -> None:  # type: ignore[no-untyped-def]
    """The same scores in any order lead to the same rungs, to the last bit."""
    shuffled = list(found)
    random.shuffle(shuffled)
    ends = []
    for order in (found, shuffled):
        state = DifficultyState()
        difficulty.watch(state, 1, RULE, [cell_of(LADDER), cell_of(FLAT), cell_of(FLAT)])
        for task, hotkey, accuracy in order:
            difficulty.note(state, score(1, task, hotkey, accuracy))
        difficulty.settle(state, 1)
        ends.append(state.rungs)
    assert ends[0] == ends[1]


def rung_after(accuracies: Sequence[float], entry: Mix = FLAT, rounds: int = 1) -> difficulty.Rung:
    """Where an entry stands after rounds in which each miner had the same results."""
    state = DifficultyState()
    for number in range(1, rounds + 1):
        difficulty.watch(state, number, RULE, [cell_of(entry)] * len(accuracies))
        for hotkey in "abc":
            for task, accuracy in enumerate(accuracies):
                difficulty.note(state, score(number, task, hotkey, accuracy))
        difficulty.settle(state, number)
    return rung_of(state, entry)


def test_an_entry_without_levels_loses_tickets() -> None:
    """What everyone or nobody can do is drawn less, down to a quarter; never not at all."""
    assert [rung_after([1.0] * 6, rounds=n).quarters for n in range(6)] == [4, 3, 2, 1, 1, 1]
    assert rung_after([0.0] * 6, rounds=2).quarters == FULL - 2
    assert rung_after([1.0] * 6).level is None


def test_a_level_moves_before_tickets_do() -> None:
    """Only at the hardest level too many right answers cost tickets."""
    assert [rung_after([1.0] * 6, LADDER, n).level for n in range(7)] == [1, 2, 3, 4, 5, 5, 5]
    assert [rung_after([1.0] * 6, LADDER, n).quarters for n in (4, 5, 6)] == [4, 3, 2]


def test_nothing_moves_in_the_band() -> None:
    """Between low and high, and at either, an entry stays and keeps its tickets."""
    for right in (0.4, 0.6, 0.8):
        found = rung_after([right] * 6, LADDER, 3)
        assert (found.level, found.quarters) == (1, FULL)


def test_too_little_moves_nothing() -> None:
    """Fewer answers than the policy wants, or fewer miners than three, only add up."""
    assert rung_after([1.0] * 5).quarters == FULL
    assert len(rung_after([1.0] * 5).given) == 3
    state = DifficultyState()
    difficulty.watch(state, 1, RULE, [cell_of(FLAT)] * 6)
    for task in range(6):
        for hotkey in "ab":
            difficulty.note(state, score(1, task, hotkey, 1.0))
        difficulty.note(state, score(1, task, "c", 0.0, unproved=True))
    difficulty.settle(state, 1)
    assert rung_of(state, FLAT).quarters == FULL
    assert len(rung_of(state, FLAT).given) == 2
