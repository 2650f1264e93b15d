"""Whether a family keeps its promises: lengths, variants, the reference, and what attackers earn.

Pure but for the judge that is handed in. The metrics stand beside this layer, not below it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from math import fsum
from typing import NamedTuple

import msgspec
from msgspec import Struct

from quasar.benchmarks import tokenizer
from quasar.benchmarks.attacks import Scene, attacks, class_of, known
from quasar.benchmarks.family import MAX_CASES, Family, Instance, Program
from quasar.benchmarks.parsers import Parser

MARGIN = 0.03
"""How much more than the guess rate an attacker may earn."""
AGAIN = 4
"""Who earned more is measured on so many times as many fresh tasks: of thousands of attacks the
best of one sample is a lucky one."""
CHANGED = 50
"""Lines, at least, in which two variants differ: the asked one and its decoys."""

Judge = Callable[[Instance, Sequence[str]], Sequence[float]]
"""What the family's metric gives each of several answers to one instance."""


class Attacked(NamedTuple):
    """The strongest attack of its kind."""

    kind: str
    attack: str
    score: float
    tasks: int


class Checked(Struct, frozen=True):
    """What was found out about a family."""

    family: str
    metric: str
    guess_rate: float
    tokens: int
    problems: list[str]
    """Broken promises in words; empty for a good family."""
    attacked: list[Attacked]
    """One a kind, strongest first."""
    parser: float | None = None
    """What a program earns that was written for the public wordings (``parsers``), in the mean of
    as many tasks; None where there is none."""
    no_parser: str = ""
    """Why there is none."""


def instances(
    family: Family, tokens: int, number: int, parameters: Struct | None = None
) -> tuple[Instance, Instance]:
    """Task ``number`` as two hotkeys get it."""
    template = family.template(sha256(b"check %d" % number).digest(), tokens, parameters)
    return template.instance(b"one %d" % number), template.instance(b"other %d" % number)


def said(reference: str, instance: Instance) -> str:
    """A reference in the form that the question wants."""
    return f"ANSWER: {reference}" if asks_for_mark(instance) else reference


def asked(instance: Instance) -> str:
    """The question as one text."""
    return "\n".join(part.text for part in instance.question)


def asks_for_mark(instance: Instance) -> bool:
    """Whether answers stand behind ``ANSWER:``."""
    return any("ANSWER:" in part.text for part in instance.question)


def broken(
    family: Family, tokens: int, number: int, parameters: Struct | None, judge: Judge
) -> Iterator[str]:
    """Promises that one task does not keep."""
    one, other = instances(family, tokens, number, parameters)
    yield from _lengths(one, other, tokens)
    yield from _variants(one, other)
    if one.program is None:
        earned = judge(one, [said(text, one) for text in one.references])
        if list(earned) != [1.0] * len(one.references):
            yield f"its own references earn {', '.join(map(str, earned))}"
    elif msgspec.json.decode(one.answer) != one.program.expected:
        yield "its answer is not the JSON of what the calls return"
    else:
        yield from _cases(one.program)


def _cases(program: Program) -> Iterator[str]:
    counts = {len(program.cases), len(program.expected), len(program.tolerances or program.cases)}
    if len(counts) > 1 or max(counts) > MAX_CASES:
        yield f"its cases, what they return and tolerances are not one each, {MAX_CASES} at most"


def _lengths(one: Instance, other: Instance, tokens: int) -> Iterator[str]:
    counted = tokenizer.count(one.context())
    if counted != one.tokens:
        yield f"it states {one.tokens} tokens and has {counted}"
    if not 98 * tokens <= 100 * counted <= 100 * tokens:
        yield f"{counted} tokens do not fill 0.98 to 1.0 of {tokens}"
    if (one.tokens, list(one.proof)) != (other.tokens, list(other.proof)):
        yield "length or proof differ between two hotkeys"


def _variants(one: Instance, other: Instance) -> Iterator[str]:
    mine, theirs = one.context().split("\n"), other.context().split("\n")
    if len(mine) != len(theirs):
        yield f"{len(mine)} lines for one hotkey, {len(theirs)} for another"
        return
    changed = [i for i, line in enumerate(mine) if line != theirs[i]]
    if len(changed) < CHANGED:
        yield f"only {len(changed)} lines differ between two hotkeys"
    proved = {i for place in one.proof for i in range(place.first, place.first + place.lines)}
    if proved and max(proved) >= len(mine):
        yield "its proof stands outside the context"
    if one.proof and one.answer != other.answer and proved.isdisjoint(changed):
        yield "answers differ between hotkeys, the lines of the proof do not"


def earnings(
    family: Family, tokens: int, number: int, parameters: Struct | None, judge: Judge
) -> Mapping[str, float]:
    """What each attack earns on one task; an attack that says nothing is left out."""
    one, other = instances(family, tokens, number, parameters)
    scene = Scene(asked(one), one.context(), other.context(), known())
    answers = attacks(scene, runs_code=one.program is not None)
    if not asks_for_mark(one):
        answers = {name: text.removeprefix("ANSWER: ") for name, text in answers.items()}
    different = list(dict.fromkeys(answers.values()))
    earned = dict(zip(different, judge(one, different), strict=True))
    return {name: earned[text] for name, text in answers.items()}


def means(
    family: Family,
    numbers: range,
    tokens: int,
    judge: Judge,
    parameters: Struct | None = None,
    seen: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """What each attack earns in the mean of some tasks; where it says nothing, it earns nothing."""
    scores = defaultdict[str, list[float]](list)
    for number in numbers:
        for name, score in earnings(family, tokens, number, parameters, judge).items():
            scores[name].append(score)
        seen()
    return {name: fsum(its) / len(numbers) for name, its in sorted(scores.items())}


def attacked(
    family: Family,
    tasks: int,
    tokens: int,
    judge: Judge,
    parameters: Struct | None = None,
    seen: Callable[[], None] = lambda: None,
) -> list[Attacked]:
    """The strongest attack of each kind, those above the margin measured again on fresh tasks."""
    first = means(family, range(tasks), tokens, judge, parameters, seen)
    suspects = [name for name, mean in first.items() if mean > family.guess_rate + MARGIN]
    found = {name: (mean, tasks) for name, mean in first.items()}
    if suspects:
        fresh = range(tasks, (1 + AGAIN) * tasks)
        again = means(family, fresh, tokens, judge, parameters, seen)
        found |= {name: (again.get(name, 0.0), len(fresh)) for name in suspects}
    best: dict[str, Attacked] = {}
    for name in sorted(found, key=lambda name: -found[name][0]):
        best.setdefault(class_of(name), Attacked(class_of(name), name, *found[name]))
    return list(best.values())


def parsed(
    family: Family,
    tasks: int,
    tokens: int,
    judge: Judge,
    parser: Parser,
    parameters: Struct | None = None,
) -> float:
    """What a parser earns in the mean of some tasks; nothing for one that it cannot read."""
    scores = list[float]()
    for number in range(tasks):
        instance, _ = instances(family, tokens, number, parameters)
        try:
            answer = parser(asked(instance), instance.context())
        except (LookupError, ValueError):
            answer = ""
        scores += judge(instance, [said(answer, instance)])
    return fsum(scores) / tasks


def too_strong(family: Family, found: Sequence[Attacked]) -> list[str]:
    """Attacks that earn more than a guess may, in words."""
    return [
        f"{one.attack}: {one.score:.3f} on {one.tasks} tasks, guess rate {family.guess_rate:.3f}"
        for one in found
        if one.score > family.guess_rate + MARGIN
    ]
