"""Turns: a queue in which what one miner has never delays another by more than one turn."""

from hypothesis import given
from hypothesis import strategies as st

from quasar.rules.turns import Turns

MINERS = "abcd"
steps = st.lists(st.sampled_from([*MINERS, None]), max_size=60)
"""A miner brings something, or (None) somebody gets a turn."""


def played(order: list[str | None]) -> list[tuple[str, int, frozenset[str]]]:
    """Each turn: whose it was, the age of what it was for, and who waited at that moment."""
    turns, waiting, given_out = Turns[tuple[str, int]](), list[tuple[str, int]](), []
    for age, miner in enumerate(order):
        if miner is not None:
            turns.add(miner, (age,), (miner, age))
            waiting.append((miner, age))
        elif waiting:
            others = frozenset(hotkey for hotkey, _ in waiting)
            taken = turns.take()
            turns.over(taken[0])
            waiting.remove(taken)
            given_out.append((*taken, others))
        assert len(turns) == len(waiting)
    return given_out


@given(steps)
def test_nobody_gets_two_turns_while_another_waits(order: list[str | None]) -> None:
    """Between two turns of a miner, everyone who waited all that time had one."""
    turns = played(order)
    for at, (miner, _, _) in enumerate(turns):
        later = next((k for k in range(at + 1, len(turns)) if turns[k][0] == miner), None)
        if later is None:
            continue
        between = {hotkey for hotkey, _, _ in turns[at + 1 : later]}
        waited = frozenset.intersection(*(who for _, _, who in turns[at : later + 1]))
        assert waited - {miner} <= between


@given(steps)
def test_a_miners_own_come_oldest_first(order: list[str | None]) -> None:
    """Of what waits of one miner, the oldest gets its turn."""
    brought: dict[str, list[int]] = {miner: [] for miner in MINERS}
    turns = iter(played(order))
    waiting = 0
    for age, who in enumerate(order):
        if who is not None:
            brought[who].append(age)
            waiting += 1
        elif waiting:
            waiting -= 1
            miner, oldest, _ = next(turns)
            assert oldest == min(brought[miner])
            brought[miner].remove(oldest)


@given(steps)
def test_has_next_knows_who_would_come_before_all_that_wait(order: list[str | None]) -> None:
    """One who never had a turn comes before all but those who never had one either."""
    turns, waiting, had = Turns[str](), list[str](), set[str]()
    for age, miner in enumerate(order):
        if miner is not None:
            turns.add(miner, (age,), miner)
            waiting.append(miner)
        elif waiting:
            waiting.remove(taken := turns.take())
            turns.over(taken)
            had.add(taken)
        assert turns.has_next([]) == bool(waiting)
        assert turns.has_next(["absent"]) == bool(set(waiting) - had)
        assert turns.has_next(waiting) == bool(waiting)


def test_what_is_removed_had_no_turn() -> None:
    """A lease that lapsed changes nothing for those who wait."""
    turns = Turns[str]()
    turns.add("a", (1,), "a1")
    turns.add("b", (2,), "b1")
    turns.remove("a", (1,))
    turns.add("a", (3,), "a2")
    assert [turns.take(), turns.take()] == ["b1", "a2"]
    turns.over("a")
    turns.over("b")
    turns.add("a", (4,), "a3")
    turns.add("b", (5,), "b2")
    turns.forget()
    assert turns.take() == "a3"


@given(st.lists(st.tuples(st.sampled_from(MINERS), st.integers(0, 5)), max_size=60))
def test_nobody_holds_two_places_while_another_has_none(order: list[tuple[str, int]]) -> None:
    """What is given out goes to whoever has least running."""
    turns, waiting, running = Turns[str](), list[str](), list[str]()
    for age, (miner, ends) in enumerate(order):
        turns.add(miner, (age,), miner)
        waiting.append(miner)
        if ends < len(running):
            turns.over(running.pop(ends))
        if age % 2:
            taken = turns.take()
            assert running.count(taken) == min(running.count(hotkey) for hotkey in waiting)
            waiting.remove(taken)
            running.append(taken)
