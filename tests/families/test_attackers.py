"""What attackers without a model earn, on so few tasks that only a plain hole shows.

``quasar task check`` takes 200.
"""

from collections.abc import Mapping
from math import sqrt

import pytest

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.about import SUPERSEDED
from quasar.benchmarks.attacks import CLASSES, Scene, attacks, class_of, known
from quasar.benchmarks.checking import MARGIN, means
from quasar.benchmarks.pins import smallest
from quasar.cli.task_judge import judge_of
from quasar.metrics import PROGRAM_METRICS
from tests.families import NAMES

TASKS = 6


def bound(guess_rate: float) -> float:
    """The most that the luckiest of thousands of attackers earns who are within the margin."""
    rate = guess_rate + MARGIN
    return rate + 4 * sqrt(rate * (1 - rate) / TASKS)


def earned(name: str, tasks: int = TASKS) -> Mapping[str, float]:
    """What each attack earns."""
    family = FAMILIES[name]
    judge = judge_of(family.metric, runs_code=family.metric in PROGRAM_METRICS)
    return means(family, range(tasks), smallest(name), judge)


TRIED = [name for name in NAMES if name not in SUPERSEDED][::3]
"""Every third: each family's own tests try tricks on 100 tasks or more, `quasar task check` all."""


@pytest.mark.parametrize("name", TRIED)
def test_no_attacker_earns_much_more_than_a_guess(name: str) -> None:
    """Over all attacks; the bound allows for the luck of the luckiest."""
    found = earned(name)
    limit = bound(FAMILIES[name].guess_rate)
    assert {attack: mean for attack, mean in found.items() if mean > limit} == {}


def test_attackers_do_solve_what_a_search_solves() -> None:
    """They earn many times the guess rate of the family that is superseded for this reason."""
    found = earned("factbook@1")
    assert max(found.values()) > 6 * FAMILIES["factbook@1"].guess_rate
    assert {class_of(name) for name, mean in found.items() if mean > 0.2} >= {
        "regex",
        "corpus diff",
        "variant diff",
    }


def scene(question: str, context: str, other: str = "") -> Scene:
    return Scene(question, context, other, known())


def test_an_attack_says_nothing_but_what_it_saw() -> None:
    """A planted line is found by its words, by what is known, and by what differs."""
    real = "Genesis 1:1 In the beginning God created the heaven and the earth.\n"
    planted = "Bravazamar owes 4711 pieces to Kregorund.\n"
    found = attacks(
        scene("How many pieces does Bravazamar owe?", real + planted, real + "Other line 12.\n")
    )
    for attack in (
        "text: rarest: first number",
        "unknown: every: first number",
        "strange: every: last number",
        "changed: every: most frequent number",
        "text: best: next number after the rarest word",
    ):
        assert found[attack] == "ANSWER: 4711"
    assert found["text: best: first stranger"] == "ANSWER: Kregorund"
    assert "twins: every: first number" not in found


def test_a_swapped_line_is_known_again() -> None:
    """A verse with another name is told from a planted line; two alike are twins."""
    (verse,) = [line for line in known().lines if line.startswith("Genesis 1:3 ")]
    swapped = verse.replace("God", "Bravazamar")
    planted = "Nobody has ever heard of the harbour of Kregorund in winter.\n"
    views = scene("Who?", f"{verse}\n{swapped}\n{planted}").views()
    assert [line.text for line in views["swapped"]] == [swapped]
    assert [line.text + "\n" for line in views["strange"]] == [planted]
    assert [line.text for line in views["twins"]] == [verse, swapped]


def test_two_steps_lead_along_a_chain() -> None:
    """From the question's name to a line that shares another name, and on."""
    lines = ["Adavosk gives to Brunesh.", "Brunesh gives to Criquil.", "Criquil gives to Dremaur."]
    found = attacks(scene("Who comes after Adavosk?", "\n".join(lines)))
    assert found["text: step: last name"] == "ANSWER: Criquil"
    assert found["text: second step: last name"] == "ANSWER: Dremaur"


def test_programs_are_copied_as_they_stand() -> None:
    """The asked function with what it calls, as the document prints it."""
    question = "Write a function made(x) that returns twice(once(x)). It is Python."
    context = (
        "def once(x):\n    y = x + 1\n\n    return y\n\nZ = 1\n\ndef twice(x):\n    return 2 * x\n"
    )
    found = attacks(scene(question, context), runs_code=True)
    space: dict[str, object] = {}
    exec(found["program: copy"].strip("`").removeprefix("python"), space)
    assert space["made"](3) == 8  # type: ignore[operator]
    assert "Z = 1" not in found["program: copy"]


def test_programs_are_corrected_as_a_comment_says() -> None:
    """Some number of a copied function, by its place, becomes the one of the comment."""
    question = "Write a function made(x) that returns once(x)."
    context = "def once(x):\n    x = x * 31\n    return x + 47\n\n# In once, what is added is 99.\n"
    found = attacks(scene(question, context), runs_code=True)
    results = set()
    for attack, code in found.items():
        if "as a comment says" in attack:
            space: dict[str, object] = {}
            exec(code.strip("`").removeprefix("python"), space)
            results.add(space["made"](1))  # type: ignore[operator]
    assert results == {1 * 99 + 47, 1 * 31 + 99, 1 * 31 + 47}


@pytest.mark.parametrize("name", ["hops@1", "code@1"])
def test_every_attack_has_a_class(name: str) -> None:
    """Names begin with a word that the table of classes knows."""
    assert {class_of(attack) for attack in earned(name, 1)} <= set(CLASSES.values())
