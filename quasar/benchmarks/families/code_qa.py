"""Family ``code_qa@1``: what holds for the function that a chain of calls leads to.

Sixty real functions of Python's standard library stand under invented names between others, each
with one more parameter, and each calls another of them: they form one ring. Each is an attribute
of one small class. The question names a function and how many calls to follow, and asks for the
default value of the parameter, for the class, or for the constant of the class: so no line with
the named function tells the answer, and every function, class and number of sixty is a decoy. In
all the text, names of functions and classes and longer numbers are exchanged by a variant's
bijection; where source text is used up, vendored prose goes on as comments.

It measures reading code in steps. A program that follows definitions solves it. Nothing asked for
exists outside the document, so there is no canary.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from quasar.benchmarks import code_names, codebase, identifiers, packs
from quasar.benchmarks.hosts import hosts
from quasar.benchmarks.planted import Planted, Spelled
from quasar.benchmarks.sources import numbers
from quasar.benchmarks.swaps import swap
from quasar.draw import Draw, derive

FUNCTIONS = 60
Kind = Literal["default", "class", "constant"]
KINDS: tuple[Kind, ...] = ("default", "class", "constant")
PARAMETERS = ("quota", "ceiling", "patience", "margin")
CONSTANTS = ("retries", "window", "depth", "weight")
ATTRIBUTES = ("run", "handle", "apply", "step")
ASKED: dict[Kind, str] = {
    "default": "What is the default value of the last parameter of the function that you reach?",
    "class": "Which class has the function that you reach as an attribute?",
    "constant": "Which number does the class assign that has the function that you reach as an "
    "attribute?",
}
COUNTED = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


class Parameters(Struct, frozen=True):
    """Difficulty."""

    calls: Annotated[int, Meta(ge=2, le=6)]
    """How many to follow."""


class Shape(Struct, frozen=True):
    """A function and its class but for names and numbers: what they are made of, by number."""

    host: int
    parameter: int
    constant: int
    attribute: int


class Plan(Struct, frozen=True):
    """What variants share. Function i calls function i + 1, the last the first."""

    kind: Kind
    calls: int
    shapes: list[Shape]


def _fresh(draw: Draw, n: int) -> list[int]:
    """``n`` different numbers of four digits that no vendored source text has."""
    found: dict[int, None] = {}
    while len(found) < n:
        number = 1000 + draw.below(9000)
        if number not in numbers():
            found[number] = None
    return list(found)


class CodeQA(Planted[Parameters, Plan]):
    """The family. The rate is for any class, or any default of a function, or any constant."""

    name = "code_qa@1"
    guess_rate = 1 / FUNCTIONS
    levels = (Parameters(2), Parameters(3), Parameters(5))
    min_tokens = 8_000

    def text(self, source: str) -> packs.Text:
        return packs.text(source) if source else codebase.codebase()

    def arranged(self, draw: Draw, source: str, budget: int) -> list[int]:
        if source:
            return super().arranged(draw, source, budget)
        return codebase.arranged(draw, budget)

    def finished(self, context: str, variant_seed: bytes) -> str:
        swapped = code_names.swaps().drawn(derive(variant_seed, f"{self.name}/swaps"))
        return swap(code_names.WORD, swapped, context)

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        shapes = [
            Shape(draw.below(len(hosts())), draw.below(4), draw.below(4), draw.below(4))
            for _ in range(FUNCTIONS)
        ]
        return Plan(draw.choice(KINDS), parameters.calls, shapes)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        functions = identifiers.invent(draw, FUNCTIONS)
        classes = identifiers.invent_classes(draw, FUNCTIONS)
        found = _fresh(draw, 2 * FUNCTIONS)
        defaults, constants = found[:FUNCTIONS], found[FUNCTIONS:]
        answers: dict[Kind, Sequence[int | str]] = {
            "default": defaults,
            "class": classes,
            "constant": constants,
        }
        called = [*functions[1:], functions[0]]
        pieces = [
            hosts()[shape.host].source(name, PARAMETERS[shape.parameter], default, other)
            for shape, name, default, other in zip(
                plan.shapes, functions, defaults, called, strict=True
            )
        ]
        pieces += [
            f"class {owner}:\n    {CONSTANTS[shape.constant]} = {constant}\n"
            f"    {ATTRIBUTES[shape.attribute]} = {name}\n\n\n"
            for shape, owner, constant, name in zip(
                plan.shapes, classes, constants, functions, strict=True
            )
        ]
        steps = list(range(plan.calls + 1))
        owner_too = [] if plan.kind == "default" else [FUNCTIONS + plan.calls]
        return Spelled(
            pieces,
            "It is Python source text, in which some functions each call just one other function "
            f"that stands in it and is an attribute of a class. Begin at {functions[0]} and "
            f"follow {COUNTED[plan.calls]} calls. {ASKED[plan.kind]}",
            "the name" if plan.kind == "class" else "the number in digits",
            str(answers[plan.kind][plan.calls]),
            steps + owner_too,
        )
