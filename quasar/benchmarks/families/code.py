"""Family ``code@1``: write a function that does what hidden ones do, one after the other.

Twelve small functions stand among the functions and classes of Python's standard library, four of
each kind: on a number, on a list of numbers, on text. A comment elsewhere corrects one number in
each, naming it by its part and not by its value; so copying what is written there is wrong in
every case. The template draws steps, chain, wording, places and haystack; a variant draws names,
numbers and cases. The reference is computed by ``steps``: no text is ever run.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256

import msgspec
from msgspec import Struct

from quasar.benchmarks import identifiers, tokenizer
from quasar.benchmarks.families.code_cases import Blank, Drawn, draw_variant
from quasar.benchmarks.families.code_steps import (
    DIGITS,
    KINDS,
    LAST,
    PLAIN,
    STEPS,
    Function,
    Kind,
    Step,
)
from quasar.benchmarks.family import Program, refuse_parameters
from quasar.benchmarks.haystack import DEPTHS, Haystack, Place, fill
from quasar.benchmarks.sources import CODE_DIGEST, sources
from quasar.draw import Draw, derive
from quasar.errors import UsageError
from quasar.events.task import TextPart

NAME = "code@1"
OF_KIND = 4
"""Hidden functions of each kind."""
FUNCTIONS = OF_KIND * len(KINDS)
LENGTHS = (3, 4)
"""How many functions may follow each other."""
MIN_TOKENS, MAX_TOKENS = 4_000, 512_000
_HEIGHT = 2
"""Lines of a correction: itself and an empty one."""

CORRECTIONS = (
    "# Note on {name}: the {role} has been {c} since the last release.\n\n",
    "# The {role} that {name} shows is out of date, it has to be {c}.\n\n",
    "# As agreed, the {role} in {name} is now {c}.\n\n",
    "# Reviewed: for {name} we settled on {c} as the {role}.\n\n",
)
"""What says a number anew; a name always follows a blank."""


class Shape(msgspec.Struct, frozen=True):
    """A hidden function but for its name and numbers."""

    kind: Kind
    steps: list[int]
    """The first and two others of STEPS, by number, in the order in which they stand."""
    plain: int
    """One of PLAIN."""
    plain_at: int
    """How many of the steps come before it."""
    corrected: int
    """Which of its four numbers the comment gives."""
    correction: int
    """Wording of the comment."""

    def all_steps(self) -> list[Step]:
        """In order; LAST ends them."""
        steps = [STEPS[self.kind][i] for i in self.steps]
        steps.insert(self.plain_at, PLAIN[self.kind][self.plain])
        return [*steps, LAST[self.kind]]

    @property
    def corrected_step(self) -> int:
        """Number of the step whose number the comment gives."""
        return [i for i, step in enumerate(self.all_steps()) if step.role][self.corrected]


class Plan(msgspec.Struct, frozen=True):
    """What a template draws besides its haystack."""

    shapes: list[Shape]
    chain: list[int]
    """The functions that are asked for, by number, innermost first; all of one kind."""
    depths: list[int]
    """Where each function stands, then each comment (``haystack.DEPTHS``)."""


def _shape(draw: Draw, kind: Kind) -> Shape:
    others = draw.sample(range(1, len(STEPS[kind])), 2)
    return Shape(
        kind,
        draw.shuffled([0, *others]),  # a factor comes always: without it a modulus does nothing
        draw.below(len(PLAIN[kind])),
        draw.below(4),
        draw.below(4),
        draw.below(len(CORRECTIONS)),
    )


def _plan(seed: bytes, name: str, lengths: Sequence[int]) -> Plan:
    draw = Draw(seed, f"{name}/plan")
    shapes = [_shape(draw, KINDS[i // OF_KIND]) for i in range(FUNCTIONS)]
    first = draw.below(len(KINDS)) * OF_KIND
    chain = draw.sample(range(first, first + OF_KIND), draw.choice(lengths))
    return Plan(shapes, chain, [draw.below(DEPTHS) for _ in range(2 * FUNCTIONS)])


def _pieces(
    shapes: list[Shape], function_names: list[str], old: list[list[int]], new: list[int]
) -> list[str]:
    """The hidden functions, then the comments that correct them."""
    functions = [
        Function(shape.kind, shape.all_steps(), constants).source(name)
        for shape, name, constants in zip(shapes, function_names, old, strict=True)
    ]
    comments = [
        CORRECTIONS[shape.correction].format(
            name=name, role=shape.all_steps()[shape.corrected_step].role, c=c
        )
        for shape, name, c in zip(shapes, function_names, new, strict=True)
    ]
    return functions + comments


class CodeTemplate:
    """A task of the family. The haystack is drawn when first needed and shared by all variants."""

    name = NAME

    def __init__(self, seed: bytes, size: int, lengths: Sequence[int] = LENGTHS) -> None:
        self.size = size
        """The bucket, in canonical tokens."""
        self.plan = _plan(seed, self.name, lengths)
        self._seed = seed

    @cached_property
    def planted(self) -> int:
        """Canonical tokens of the planted pieces: names and numbers never change them."""
        return sum(map(tokenizer.count, self._sample))

    @cached_property
    def _sample(self) -> list[str]:
        """The pieces of no particular variant."""
        shapes = self.plan.shapes
        new = [int("1" * DIGITS[shape.kind]) for shape in shapes]
        old = [[c] * len(shape.all_steps()) for shape, c in zip(shapes, new, strict=True)]
        return _pieces(shapes, [identifiers.IDENTIFIERS[0]] * FUNCTIONS, old, new)

    @cached_property
    def haystack(self) -> list[int]:
        """Numbers of the real units, in order: modules in drawn order, each in its own."""
        draw = Draw(self._seed, f"{NAME}/haystack")
        taken = fill(draw, sources().tokens, self.size - self.planted)
        rank = draw.shuffled(range(len(sources().modules)))
        return sorted(taken, key=lambda unit: (rank[sources().homes[unit]], unit))

    @cached_property
    def tokens(self) -> int:
        """Canonical tokens of every variant's context."""
        sizes = sources().tokens
        return self.planted + sum(sizes[i] for i in self.haystack)

    @cached_property
    def laid_out(self) -> Haystack:
        """The real text with its places for the planted pieces."""
        return Haystack([sources().units[i] for i in self.haystack], self.plan.depths)

    @cached_property
    def places(self) -> list[Place]:
        """Where the planted pieces stand."""
        return self.laid_out.places([piece.count("\n") for piece in self._sample])

    @cached_property
    def digest(self) -> str:
        shared = (NAME, CODE_DIGEST, self.size, self.plan, self.haystack)
        return sha256(msgspec.json.encode(shared)).hexdigest()

    def instance(self, variant_seed: bytes) -> "CodeInstance":
        return CodeInstance(self, variant_seed)


class CodeInstance:
    """One variant: names, numbers and cases."""

    def __init__(self, template: CodeTemplate, variant_seed: bytes) -> None:
        self._template = template
        self._seed = variant_seed
        names = Draw(variant_seed, f"{template.name}/names")
        invented = identifiers.invent(names, FUNCTIONS + 1)
        self.function_name, *self.names = invented

    @cached_property
    def drawn(self) -> Drawn:
        """Numbers and cases."""
        plan = self._template.plan
        blanks = [
            Blank(shape.kind, shape.all_steps(), shape.corrected_step) for shape in plan.shapes
        ]
        return draw_variant(derive(self._seed, self._template.name), blanks, plan.chain)

    @property
    def tokens(self) -> int:
        return self._template.tokens

    options: Mapping[str, object] = {}

    @property
    def references(self) -> Sequence[str]:
        return [self.answer]

    @property
    def program(self) -> Program:
        cases = [[value] for value in self.drawn.inputs]
        return Program(self.function_name, cases, list(self.drawn.expected))

    @property
    def answer(self) -> str:
        return msgspec.json.encode(self.drawn.expected).decode()

    @property
    def question(self) -> list[TextPart]:
        call = "x"
        for i in self._template.plan.chain:
            call = f"{self.names[i]}({call})"
        return [
            TextPart(
                text="The document is Python source text. Write a function "
                f"{self.function_name}(x) that returns {call}. Each of these functions is as the "
                "document defines it, but for one number: a comment elsewhere in the document "
                "says what this number is, and the comment is right."
            ),
            TextPart(
                text="Define everything that your function needs and import nothing. Reply with "
                "the code alone, in one ```python block."
            ),
        ]

    def pieces(self) -> list[str]:
        """The hidden functions, then the comments that correct them."""
        return _pieces(self._template.plan.shapes, self.names, self.drawn.old, self.drawn.new)

    @property
    def proof(self) -> list[Place]:
        """For each function of the chain, innermost first: its definition, its correction."""
        places = self._template.places
        return [places[i + j] for i in self._template.plan.chain for j in (0, FUNCTIONS)]

    def context(self) -> str:
        return self._template.laid_out.hide(self.pieces())


class Code:
    """The family. Nobody guesses what a function returns."""

    name = NAME
    metric = "code_pass@1"
    guess_rate = 0.0

    levels: Sequence[Struct] = ()

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> CodeTemplate:
        refuse_parameters(NAME, parameters, source)
        if not MIN_TOKENS <= tokens <= MAX_TOKENS:
            raise UsageError(
                f"{NAME} makes contexts of {MIN_TOKENS} to {MAX_TOKENS} tokens, not {tokens}: "
                "choose a bucket in that range"
            )
        return CodeTemplate(seed, tokens)
