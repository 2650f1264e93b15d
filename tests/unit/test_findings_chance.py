"""The chances of findings: exact, and honest miners are named as seldom as the level says."""

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from quasar.draw import Draw, derive
from quasar.rules.findings import findings
from quasar.rules.findings_chance import Pack, chance
from quasar.rules.findings_look import Given, Look, plain, stated
from quasar.rules.plan import PlannedTask
from quasar.rules.policy import Findings, Mix

POLICY = Findings(rounds=1, level=0.1, decoys=20)
A, B, C, D, E = MINERS = [letter * 48 for letter in "abcde"]
PACKS = st.integers(1, 5).flatmap(lambda of: st.builds(Pack, st.integers(0, of), st.just(of)))


class Toy(NamedTuple):
    """A variant with two numbers from 0 to 9; the first is asked for."""

    numbers: list[int]

    @property
    def references(self) -> list[str]:
        return [str(self.numbers[0])]

    @property
    def canary(self) -> str:
        return "real"

    def lines(self) -> list[str]:
        return [f"there are {n}" for n in self.numbers]


class ToyTemplate:
    """What the toys are drawn from."""

    def instance(self, seed: bytes) -> Any:
        draw = Draw(seed, "toy")
        return Toy([draw.below(10), draw.below(10)])


def look(number: int, answer: Callable[[PlannedTask, str], str], *, anchor: bool = False) -> Look:
    """Task ``number``, answered by all miners."""
    mix = Mix(family="toy@1", bucket="32k", tasks=1, anchor=anchor)
    template: Any = ToyTemplate()
    task = PlannedTask(number, mix, derive(b"toy", f"task/{number}"), template)
    given = {}
    for hotkey in MINERS:
        said = answer(task, hotkey)
        right = said == task.variant(hotkey).instance.references[0]
        given[hotkey] = Given(f"ANSWER: {said}".encode(), right)
    return Look(1, task, given, POLICY.decoys)


def right_for(task: PlannedTask, hotkey: str) -> str:
    """What that variant asks for."""
    return task.variant(hotkey).instance.references[0]


def same_model(task: PlannedTask, hotkey: str) -> str:
    """All run one model, which is right now and then; its mistakes follow from task and text."""
    instance: Any = task.variant(hotkey).instance
    draw = Draw(derive(task.seed, "mood"), "same for all")
    mood = draw.below(4)
    if mood == 0:
        return str(instance.numbers[0])
    if mood == 1:
        return str(instance.numbers[1])
    return str(draw.below(10)) if mood == 2 else "unknown"


def b_asks_a(task: PlannedTask, hotkey: str) -> str:
    """The second sends what is right for the first."""
    return right_for(task, A) if hotkey == B else same_model(task, hotkey)


@given(st.integers(0, 6), st.lists(PACKS, max_size=6))
def test_the_tail_is_exact(hits: int, packs: list[Pack]) -> None:
    """As counted over all outcomes; what suits nobody can never hit."""
    tail = Fraction(0)
    for outcome in product([0, 1], repeat=len(packs)):
        if sum(outcome) >= hits:
            likely = Fraction(1)
            for struck, (ways, of) in zip(outcome, packs, strict=True):
                likely *= Fraction(ways if struck else of - ways, of)
            tail += likely
    assert chance(hits, packs) == float(tail)


def test_honest_miners_of_one_model_are_named_as_seldom_as_the_level_says() -> None:
    """120 looks at 12 tasks with ten possible answers: at most one in ten names anybody."""
    named = 0
    for number in range(120):
        looks = [look(12 * number + task, same_model) for task in range(12)]
        named += bool(findings(looks, POLICY))
    assert named <= 120 * POLICY.level


def test_who_asks_another_is_named() -> None:
    """Even where one in ten answers fits by chance, and it is often right for both."""
    looks = [look(task, b_asks_a) for task in range(20)]
    assert [(f.what, f.hotkey, f.other) for f in findings(looks, POLICY)] == [
        ("other-variant", B, A)
    ]


def test_equal_mistakes_on_anchors_name_nobody() -> None:
    """Everybody got the same text there, so the same mistake shows nothing."""

    def mistaken(task: PlannedTask, hotkey: str) -> str:
        instance: Any = task.variant(hotkey).instance
        return str(instance.numbers[1])

    assert findings([look(n, mistaken, anchor=True) for n in range(30)], POLICY) == []


def test_memory_is_named() -> None:
    """Who says what the unchanged text says, how often, and out of how many."""

    def remembering(task: PlannedTask, hotkey: str) -> str:
        return "real" if hotkey == C and task.task % 2 else right_for(task, hotkey)

    looks = [look(number, remembering) for number in range(6)]
    (found,) = findings(looks, POLICY)
    assert (found.what, found.hotkey, found.other, found.chance) == ("canary", C, None, None)
    assert (found.matched, found.of, found.tests) == (3, 6, 0)


def test_what_an_answer_states() -> None:
    """The last marked line, or all of a short answer; case, blanks and separators do not matter."""
    assert plain(stated(b"I think\nANSWER: Old  Town.\nthanks")) == "old town"
    assert plain(stated(b"ANSWER: 1\nANSWER: 12,345")) == "12345"
    assert plain(stated(b"old town\n")) == "old town"
    assert stated(b"x" * 201) == ""
    assert plain(stated(b"\xff ANSWER:")) == ""
