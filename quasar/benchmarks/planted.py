"""Families that plant pieces in real text: what they share.

Such a family only says what a task is made of (``plan``) and how a variant spells it (``spell``).
Here are the haystack, the places, the exact length and the digest.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from quasar.benchmarks import packs, tokenizer
from quasar.benchmarks.family import OneAnswer
from quasar.benchmarks.haystack import DEPTHS, Haystack, Place, fill
from quasar.draw import Draw, derive
from quasar.errors import UsageError
from quasar.events.task import TextPart

P = TypeVar("P", bound=Struct)
"""Parameters of difficulty."""
Q = TypeVar("Q", bound=Struct)
"""A plan."""


class Spelled(NamedTuple):
    """One variant in words."""

    pieces: list[str]
    """What is planted, in a fixed order: whole lines, none of which begins with white space.

    Piece i has the same number of lines and of canonical tokens in every variant of a plan.
    """
    question: str
    """What is asked, without the form of the answer."""
    form: str
    """What stands after ``ANSWER:``, such as "the name of the place"."""
    answer: str
    proof: list[int]
    """Numbers of the pieces that the answer follows from, in the order of reasoning."""
    canary: str = ""
    """What one would answer who remembers the real text instead of reading this one, if any."""


class Planted(ABC, Generic[P, Q]):
    """A family of this kind; one file has its name, numbers, words, ``plan`` and ``spell``."""

    name: str
    guess_rate: float
    levels: Sequence[P]
    usual: int = 2
    """The level, from 1, of one who names none."""
    min_tokens: int = 4_000
    max_tokens: int = 2_000_000
    ordered: bool = False
    """Whether pieces stand in the order in which ``spell`` gives them, or anywhere."""
    metric: str = "answer_exact@1"

    def text(self, source: str) -> packs.Text:
        """What pieces are hidden in. Raises as ``packs.text``."""
        return packs.text(source)

    def arranged(self, draw: Draw, source: str, budget: int) -> list[int]:
        """Numbers of the units that fill a budget of tokens, in order."""
        return fill(draw, self.text(source).tokens, budget)

    def finished(self, context: str, variant_seed: bytes) -> str:
        """A variant's context, changed as a whole: same lines, same number of tokens."""
        del variant_seed  # nothing to change
        return context

    @abstractmethod
    def plan(self, draw: Draw, parameters: P) -> Q:
        """All that variants share but the haystack: shapes, wording, order; no name, no number."""

    @abstractmethod
    def spell(self, plan: Q, draw: Draw) -> Spelled:
        """One variant: invented names and numbers in the words of the plan. Cheap."""

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> "PlantedTemplate":
        """Raises UsageError for a size or parameters that the family cannot make."""
        kind = type(self.levels[0])
        chosen = self.levels[self.usual - 1] if parameters is None else parameters
        if not isinstance(chosen, kind):
            raise UsageError(f"{self.name} takes parameters of its own: {_fields(kind)}")
        if not self.min_tokens <= tokens <= self.max_tokens:
            raise UsageError(
                f"{self.name} makes contexts of {self.min_tokens} to {self.max_tokens} tokens, "
                f"not {tokens}: choose a bucket in that range"
            )
        return PlantedTemplate(self, seed, tokens, chosen, source)


def _fields(kind: type[Struct]) -> str:
    return ", ".join(field.name for field in msgspec.structs.fields(kind)) or "none"


class PlantedTemplate:
    """A task. The haystack is drawn when first needed and shared by all variants."""

    def __init__(
        self, family: Planted[Any, Any], seed: bytes, size: int, parameters: Struct, source: str
    ) -> None:
        self.family = family
        self.size = size
        """The bucket, in canonical tokens."""
        self.parameters = parameters
        self.plan = family.plan(Draw(seed, f"{family.name}/plan"), parameters)
        self.source = source
        self._seed = seed

    @cached_property
    def sample(self) -> Spelled:
        """A variant that no miner gets: it has the length of all of them."""
        return self.spelled(derive(self._seed, f"{self.family.name}/sample"))

    def spelled(self, variant_seed: bytes) -> Spelled:
        """The variant of a seed."""
        return self.family.spell(self.plan, Draw(variant_seed, f"{self.family.name}/spell"))

    @cached_property
    def planted(self) -> int:
        """Canonical tokens of the planted pieces."""
        return tokenizer.count("".join(self.sample.pieces))  # counts of whole lines add up

    @cached_property
    def depths(self) -> list[int]:
        """Where each piece stands (``haystack.DEPTHS``)."""
        draw = Draw(self._seed, f"{self.family.name}/depths")
        found = [draw.below(DEPTHS) for _ in self.sample.pieces]
        return sorted(found) if self.family.ordered else found

    @cached_property
    def haystack(self) -> list[int]:
        """Numbers of the real units, in order. Raises UsageError where they are too few."""
        draw = Draw(self._seed, f"{self.family.name}/haystack")
        sizes, budget = self.family.text(self.source).tokens, self.size - self.planted
        if budget < 0:
            raise UsageError(
                f"{self.family.name} plants {self.planted} tokens, more than {self.size}: "
                "choose a longer context or an easier level"
            )
        taken = self.family.arranged(draw, self.source, budget)
        if self.planted + sum(sizes[i] for i in taken) < 0.98 * self.size:
            raise UsageError(
                f"the text to hide things in is too short, or in too large units, for {self.size} "
                "tokens: choose a shorter context or a longer text"
            )
        return taken

    @cached_property
    def tokens(self) -> int:
        """Canonical tokens of every variant's context."""
        sizes = self.family.text(self.source).tokens
        return self.planted + sum(sizes[i] for i in self.haystack)

    @cached_property
    def laid_out(self) -> Haystack:
        """The real text with its places for the planted pieces."""
        units = self.family.text(self.source).units
        return Haystack([units[i] for i in self.haystack], self.depths)

    @cached_property
    def places(self) -> list[Place]:
        """Where each piece stands."""
        return self.laid_out.places([piece.count("\n") for piece in self.sample.pieces])

    @cached_property
    def digest(self) -> str:
        text = self.family.text(self.source).digest
        name, size = self.family.name, self.size
        shared = (name, text, size, self.parameters, self.plan, self.depths, self.haystack)
        return sha256(msgspec.json.encode(shared)).hexdigest()

    def instance(self, variant_seed: bytes) -> "PlantedInstance":
        return PlantedInstance(self, variant_seed)


class PlantedInstance(OneAnswer):
    """One variant."""

    def __init__(self, template: PlantedTemplate, variant_seed: bytes) -> None:
        self._template = template
        self._seed = variant_seed

    @cached_property
    def spelled(self) -> Spelled:
        """Its names and numbers."""
        return self._template.spelled(self._seed)

    @property
    def tokens(self) -> int:
        return self._template.tokens

    @property
    def answer(self) -> str:
        return self.spelled.answer

    @property
    def canary(self) -> str:
        """What memory would answer; empty where there is nothing to remember."""
        return self.spelled.canary

    @property
    def question(self) -> list[TextPart]:
        said = self.spelled
        return [
            TextPart(text=f"Answer from the document alone, not from memory. {said.question}"),
            TextPart(text=f"End with one line that reads ANSWER: and then {said.form}, no more."),
        ]

    @property
    def proof(self) -> list[Place]:
        return [self._template.places[i] for i in self.spelled.proof]

    def lines(self) -> list[str]:
        """The planted pieces: with the question, all that differs from other variants."""
        return self.spelled.pieces

    def context(self) -> str:
        family = self._template.family
        hidden = self._template.laid_out.hide(self.spelled.pieces)
        return family.finished(hidden, self._seed)
