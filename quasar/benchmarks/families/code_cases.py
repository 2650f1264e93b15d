"""Numbers and hidden cases of a variant of ``code@1``: drawn until no cheap answer is right."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from quasar.benchmarks.families.code_steps import DIGITS, Function, Kind, Step
from quasar.benchmarks.family import Json
from quasar.benchmarks.sources import numbers
from quasar.draw import Draw, derive

T = TypeVar("T")

CASES = 10
"""Hidden cases of a variant."""
TRIES = 50
"""Inputs drawn for a case, and sets of numbers for a variant, before giving up."""


class Drawn(NamedTuple):
    """What a variant draws besides names. Lists have one element a function, or one a case."""

    old: list[list[int]]
    """The numbers that stand in each function, one a step (0 for a step without one)."""
    new: list[int]
    """The number that the comment gives."""
    inputs: list[Json]
    expected: list[Json]


class Blank(NamedTuple):
    """A hidden function before its numbers are drawn."""

    kind: Kind
    steps: Sequence[Step]
    corrected: int
    """The step whose number a comment gives."""


Chain = list[Function]


def draw_variant(seed: bytes, blanks: Sequence[Blank], chain: Sequence[int]) -> Drawn:
    """Numbers and cases such that every correction in the chain counts in every case."""
    for attempt in range(TRIES):
        attempt_seed = derive(seed, f"numbers/{attempt}")
        draw = Draw(attempt_seed, "constants")
        old = [[_constant(draw, b.kind) if s.role else 0 for s in b.steps] for b in blanks]
        new = [_other(draw, b.kind, row[b.corrected]) for b, row in zip(blanks, old, strict=True)]
        right = [_replaced(row, b.corrected, c) for row, b, c in zip(old, blanks, new, strict=True)]
        cases = _cases(
            Draw(attempt_seed, "cases"),
            [Function(blanks[i].kind, blanks[i].steps, right[i]) for i in chain],
            [Function(blanks[i].kind, blanks[i].steps, old[i]) for i in chain],
            {c for row in right + old for c in row},
        )
        if len(cases) == CASES:
            return Drawn(old, new, [a for a, _ in cases], [b for _, b in cases])
    raise AssertionError(f"{TRIES} draws gave no set of cases")


def _replaced(items: Sequence[T], at: int, item: T) -> list[T]:
    return [*items[:at], item, *items[at + 1 :]]


def _number(draw: Draw, digits: int) -> int:
    low = int("1" + "0" * (digits - 1))
    return low + draw.below(9 * low)


def _constant(draw: Draw, kind: Kind) -> int:
    return _number(draw, DIGITS[kind])


def _other(draw: Draw, kind: Kind, number: int) -> int:
    """Another number of that length; another one in the alphabet too."""
    found = (_constant(draw, kind) for _ in range(1000))
    return next(n for n in found if n % 26 != number % 26)


def _input(draw: Draw, kind: Kind) -> Json:
    if kind == "number":
        return _number(draw, 4)
    if kind == "list":
        return [draw.below(1000) for _ in range(5 + draw.below(5))]
    return "".join(chr(97 + draw.below(26)) for _ in range(6 + draw.below(7)))


def _run(chain: Chain, value: Json) -> Json:
    for function in chain:
        value = function.run(value)
    return value


def _cases(draw: Draw, right: Chain, printed: Chain, taken: set[int]) -> list[tuple[Json, Json]]:
    """Inputs and outputs, at most CASES; no output twice, none that the context could show."""
    wrong = [printed] + [_replaced(right, at, function) for at, function in enumerate(printed)]
    cases: list[tuple[Json, Json]] = []
    for _ in range(TRIES * CASES):
        value = _input(draw, right[0].kind)
        output = _run(right, value)
        if (
            _secret(output, taken)
            and output not in [value, *(done for _, done in cases)]
            and all(_run(chain, value) != output for chain in wrong)
        ):
            cases.append((value, output))
        if len(cases) == CASES:
            break
    return cases


def _secret(output: Json, taken: set[int]) -> bool:
    """Whether a number is long, and spelt nowhere in the source text or a hidden function."""
    if not isinstance(output, int):
        return True
    return output >= 1000 and output not in taken and output not in numbers()
