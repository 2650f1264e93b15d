"""The small language of hidden functions: each step has Python text and a meaning of its own.

The meaning is computed here, in integers, lists of integers and text, and the Python text is
never run; a test runs both and compares.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from quasar.benchmarks.family import Json

Kind = Literal["number", "list", "text"]
KINDS: tuple[Kind, ...] = ("number", "list", "text")


class Step(NamedTuple):
    """One line of a function, with at most one number of its own."""

    code: str
    """``{c}`` stands for the number."""
    role: str
    """How English names the number; empty for a step without one."""
    run: Callable[..., Json]
    """From the value and the number (0 where there is none) to the next value."""


def _turned(text: str, by: int) -> str:
    """Letters moved on in the alphabet; other characters stay."""
    return "".join(chr((ord(ch) - 97 + by) % 26 + 97) if "a" <= ch <= "z" else ch for ch in text)


def _cut(text: str, at: int) -> str:
    at %= len(text)
    return text[at:] + text[:at]


STEPS: dict[Kind, tuple[Step, ...]] = {
    "number": (
        Step("value = value * {c}", "factor", lambda v, c: v * c),
        Step("value = value + {c}", "summand", lambda v, c: v + c),
        Step("value = value ^ {c}", "bit mask", lambda v, c: v ^ c),
        Step("value = abs(value - {c})", "subtrahend", lambda v, c: abs(v - c)),
    ),
    "list": (
        Step("items = [n * {c} for n in items]", "factor", lambda v, c: [n * c for n in v]),
        Step("items = [n + {c} for n in items]", "summand", lambda v, c: [n + c for n in v]),
        Step("items = [n ^ {c} for n in items]", "bit mask", lambda v, c: [n ^ c for n in v]),
        Step(
            "items = [n + {c} * i for i, n in enumerate(items)]",
            "weight of the position",
            lambda v, c: [n + c * i for i, n in enumerate(v)],
        ),
    ),
    "text": (
        Step('text = f"{c}{{text}}"', "number put in front", lambda v, c: f"{c}{v}"),
        Step('text = f"{{text}}{c}"', "number put at the end", lambda v, c: f"{v}{c}"),
        Step(
            "text = text[{c} % len(text) :] + text[: {c} % len(text)]",
            "place of the cut",
            _cut,
        ),
    ),
}
"""Steps whose order in a function is drawn."""

LAST: dict[Kind, Step] = {
    "number": Step("value = value % {c}", "modulus", lambda v, c: v % c),
    "list": Step("items = [n % {c} for n in items]", "modulus", lambda v, c: [n % c for n in v]),
    "text": Step(
        'text = "".join(chr((ord(x) - 97 + {c}) % 26 + 97) if x.isalpha() else x for x in text)',
        "shift in the alphabet",
        _turned,
    ),
}
"""The step that ends every function: it bounds numbers, so that nothing grows."""

PLAIN: dict[Kind, tuple[Step, ...]] = {
    "number": (
        Step("value = value // 3", "", lambda v, _: v // 3),
        Step("value = int(str(value)[::-1])", "", lambda v, _: int(str(v)[::-1])),
    ),
    "list": (
        Step("items = items[::-1]", "", lambda v, _: v[::-1]),
        Step("items = sorted(items)", "", lambda v, _: sorted(v)),
        Step("items = items[1:] + items[:1]", "", lambda v, _: v[1:] + v[:1]),
    ),
    "text": (
        Step("text = text[::-1]", "", lambda v, _: v[::-1]),
        Step("text = text[1::2] + text[::2]", "", lambda v, _: v[1::2] + v[::2]),
    ),
}
"""Steps without a number."""

DIGITS: dict[Kind, int] = {"number": 5, "list": 5, "text": 3}
"""Length of every number in a function: the length never tells which one a correction means."""

PARAMETERS: dict[Kind, str] = {"number": "value", "list": "items", "text": "text"}


class Function(NamedTuple):
    """A hidden function: steps with their numbers."""

    kind: Kind
    steps: Sequence[Step]
    constants: Sequence[int]

    def source(self, name: str) -> str:
        """Its definition, ending with one empty line."""
        parameter = PARAMETERS[self.kind]
        body = [step.code.format(c=c) for step, c in zip(self.steps, self.constants, strict=True)]
        lines = [f"def {name}({parameter}):", *(f"    {line}" for line in body)]
        return "\n".join([*lines, f"    return {parameter}", "", ""])

    def run(self, value: Json) -> Json:
        """What it returns."""
        for step, c in zip(self.steps, self.constants, strict=True):
            value = step.run(value, c)
        return value
