"""Turns: everyone in time, nobody more often than others, and no choice left to anyone."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.rules.coverage import Turn, Waiting, take_turn

few = settings(max_examples=60, deadline=None)


def play(present: list[list[str]], rounds: int) -> list[Turn]:
    """One turn for each list of hotkeys."""
    queue: list[Waiting] = []
    turns = []
    for number, hotkeys in enumerate(present):
        turns.append(take_turn(queue, hotkeys, f"0x{number}", rounds))
        queue = turns[-1].after
    return turns


@few
@given(
    st.integers(1, 6),
    st.lists(st.sets(st.sampled_from("abcdefghij"), min_size=1), min_size=1, max_size=30),
)
def test_everyone_present_has_a_turn_in_time(rounds: int, present: list[set[str]]) -> None:
    """Within any so many rounds of its presence a hotkey takes part, whoever comes and goes."""
    turns = play([sorted(hotkeys) for hotkeys in present], rounds)
    for hotkey in "abcdefghij":
        waited = 0
        for here, turn in zip(present, turns, strict=True):
            waited = waited + 1 if hotkey in here and hotkey not in turn.chosen else 0
            assert waited < rounds


@few
@given(st.integers(1, 12), st.integers(1, 7), st.integers(1, 40), st.data())
def test_all_take_part_equally_often(
    miners: int, rounds: int, length: int, data: st.DataObject
) -> None:
    """Where nobody comes or goes, counts over any span differ by one at most."""
    hotkeys = [f"hotkey {i}" for i in range(miners)]
    turns = play([hotkeys] * length, rounds)
    first = data.draw(st.integers(0, length - 1))
    counts = Counter(dict.fromkeys(hotkeys, 0))
    for turn in turns[first:]:
        counts.update(turn.chosen)
        assert max(counts.values()) - min(counts.values()) <= 1
        assert len(turn.chosen) == -(-miners // rounds)


@few
@given(st.permutations([f"hotkey {i}" for i in range(8)]))
def test_the_order_of_a_list_is_no_choice(hotkeys: list[str]) -> None:
    """The same hotkeys at the same blocks have the same turns, however they are listed."""
    assert play([hotkeys] * 5, 3) == play([sorted(hotkeys)] * 5, 3)


def test_newcomers_are_ordered_by_the_block() -> None:
    """A name that is first at one block is not first at another: it cannot be chosen for that."""
    hotkeys = [f"hotkey {i}" for i in range(10)]
    first = {tuple(take_turn([], hotkeys, f"0x{n}", 10).chosen) for n in range(40)}
    assert len(first) > 5


def test_one_round_is_everyone() -> None:
    """Without rounds to share among, all take part each time."""
    assert [turn.chosen for turn in play([["b", "a"], ["a"]], 1)] == [["a", "b"], ["a"]]
