"""Families whose contexts are lines of their own and nothing else: what they share.

Such a context may have a hundred thousand lines, so a family writes it in one go. A question and
its answer cost little all the same: they need the plan and not the lines.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Struct

from quasar.benchmarks.family import OneAnswer
from quasar.benchmarks.haystack import Place
from quasar.draw import Draw
from quasar.errors import UsageError
from quasar.events.task import TextPart


class Laid(Protocol):
    """The lines without names and numbers, as all variants have them; a Struct."""

    @property
    def tokens(self) -> int:
        """Canonical tokens of the context, exactly."""
        ...

    @property
    def proof(self) -> Sequence[int]:
        """Numbers of the lines that the answer follows from."""
        ...


P = TypeVar("P", bound=Struct)
"""Parameters of difficulty."""
Q = TypeVar("Q", bound=Struct)
"""A plan."""
L = TypeVar("L", bound=Laid)


class Said(NamedTuple):
    """What one variant asks."""

    question: str
    """Without the form of the answer."""
    form: str
    """What stands after ``ANSWER:``."""
    answer: str


class Listed(ABC, Generic[P, Q, L]):
    """A family of this kind."""

    name: str
    metric: str = "answer_exact@1"
    guess_rate: float
    levels: Sequence[P]
    usual: int = 2
    """The level, from 1, of one who names none."""
    min_tokens: int = 8_000
    max_tokens: int = 2_000_000

    @abstractmethod
    def plan(self, draw: Draw, parameters: P) -> Q:
        """What question and answer are made of. Cheap."""

    @abstractmethod
    def lay(self, plan: Q, seed: bytes, size: int) -> L:
        """The lines that fill a bucket of so many tokens."""

    @abstractmethod
    def say(self, plan: Q, variant_seed: bytes) -> Said:
        """Question and answer of a variant. Cheap."""

    @abstractmethod
    def write(self, laid: L, variant_seed: bytes) -> str:
        """The context of a variant."""

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> "ListedTemplate":
        """Raises UsageError for a size, parameters or a source that the family cannot take."""
        kind = type(self.levels[0])
        chosen = self.levels[self.usual - 1] if parameters is None else parameters
        if source:
            raise UsageError(f"{self.name} hides things in its own lines: leave the source out")
        if not isinstance(chosen, kind):
            known = ", ".join(field.name for field in msgspec.structs.fields(kind))
            raise UsageError(f"{self.name} takes parameters of its own: {known}")
        if not self.min_tokens <= tokens <= self.max_tokens:
            raise UsageError(
                f"{self.name} makes contexts of {self.min_tokens} to {self.max_tokens} tokens, "
                f"not {tokens}: choose a bucket in that range"
            )
        return ListedTemplate(self, seed, tokens, chosen)


class ListedTemplate:
    """A task. Its lines are laid out when first needed."""

    def __init__(
        self, family: Listed[Any, Any, Any], seed: bytes, size: int, parameters: Struct
    ) -> None:
        self.family = family
        self.size = size
        """The bucket, in canonical tokens."""
        self.parameters = parameters
        self.plan = family.plan(Draw(seed, f"{family.name}/plan"), parameters)
        self._seed = seed

    @cached_property
    def laid(self) -> Any:
        """The lines as all variants have them."""
        return self.family.lay(self.plan, self._seed, self.size)

    @cached_property
    def digest(self) -> str:
        shared = (self.family.name, self.size, self.parameters, self.plan, self.laid)
        return sha256(msgspec.json.encode(shared)).hexdigest()

    def instance(self, variant_seed: bytes) -> "ListedInstance":
        return ListedInstance(self, variant_seed)


class ListedInstance(OneAnswer):
    """One variant."""

    def __init__(self, template: ListedTemplate, variant_seed: bytes) -> None:
        self._template = template
        self._seed = variant_seed

    @cached_property
    def said(self) -> Said:
        """Its question and answer."""
        return self._template.family.say(self._template.plan, self._seed)

    @property
    def tokens(self) -> int:
        tokens: int = self._template.laid.tokens
        return tokens

    @property
    def answer(self) -> str:
        return self.said.answer

    @property
    def question(self) -> list[TextPart]:
        return [
            TextPart(text=f"Answer from the document alone, not from memory. {self.said.question}"),
            TextPart(
                text=f"End with one line that reads ANSWER: and then {self.said.form}, no more."
            ),
        ]

    @property
    def proof(self) -> list[Place]:
        return [Place(line, 1) for line in self._template.laid.proof]

    def context(self) -> str:
        return self._template.family.write(self._template.laid, self._seed)
