"""Family ``factbook@1``: facts about invented places, hidden in real text.

Eight invented places get two lines each, shaped like real factbook lines: one of the field that
is asked for and one of another field. Every line of the asked field has a number of the same
length, so each is a decoy for the others. The template draws the shapes, the places and the
haystack; a variant draws the names and the numbers, so an answer copied from another miner is
wrong, and so is the true number of the country that lent its line.
"""

from collections.abc import Sequence
from functools import cache, cached_property
from hashlib import sha256
from itertools import groupby
from typing import Literal

import msgspec
from msgspec import Struct

from quasar.benchmarks import names, tokenizer
from quasar.benchmarks.corpus import DATA_DIGEST, Fact, corpus
from quasar.benchmarks.family import OneAnswer, refuse_parameters
from quasar.benchmarks.haystack import DEPTHS, Haystack, Place, fill
from quasar.draw import Draw
from quasar.errors import UsageError
from quasar.events.task import TextPart

NAME = "factbook@1"
PLACES = 8
"""Invented places in a context."""
MIN_TOKENS, MAX_TOKENS = 1_000, 2_000_000

FIELDS = {
    "Area - land": "land area",
    "Area - total": "total area",
    "Area - water": "water area",
    "Coastline": "length of the coastline",
    "HIV/AIDS - people living with HIV/AIDS": "number of people living with HIV/AIDS",
    "Internet users - total": "total number of internet users",
    "Irrigated land": "extent of irrigated land",
    "Labor force": "size of the labor force",
    "Land boundaries - total": "total length of the land boundaries",
    "Population": "population",
    "Railways - total": "total length of railways",
    "Roadways - paved": "length of paved roadways",
    "Roadways - total": "total length of roadways",
    "Roadways - unpaved": "length of unpaved roadways",
    "Telephones - fixed lines - total subscriptions": "total of fixed telephone subscriptions",
    "Telephones - mobile cellular - total": "total number of mobile cellular telephones",
}
"""Label of each field that is asked for, and how a question says it."""

Kind = Literal["value", "holder", "largest"]
KINDS: tuple[Kind, ...] = ("value", "holder", "largest")
"""Give the number of a place; the place of a number; the place with the largest number."""


class Plan(msgspec.Struct, frozen=True):
    """What a template draws besides its haystack. Lists have one element a line.

    Line i states the asked field of place i; line PLACES + i another field of place i.
    """

    kind: Kind
    asked: int
    """The place that the question is about, unless it is about the largest."""
    shapes: list[int]
    """Numbers of the facts that lend their wording."""
    depths: list[int]
    """Where each line stands (``haystack.DEPTHS``)."""


@cache
def _groups() -> dict[str, list[list[int]]]:
    """For each field, lists of at least PLACES facts whose values have the same length."""
    facts = corpus().facts

    def key(i: int) -> tuple[str, int]:
        return facts[i].field, len(str(facts[i].value))

    groups: dict[str, list[list[int]]] = {}
    for (field, _), members in groupby(sorted(range(len(facts)), key=key), key):
        group = list(members)
        if len(group) >= PLACES:
            groups.setdefault(field, []).append(group)
    return groups


@cache
def _real_values() -> frozenset[int]:
    """Numbers that a planted line never has: a question about them would have two answers."""
    return frozenset(fact.value for fact in corpus().facts)


def _plan(seed: bytes) -> Plan:
    draw = Draw(seed, f"{NAME}/plan")
    kind = draw.choice(KINDS)
    field = draw.choice(sorted(_groups()))
    same = draw.sample(draw.choice(_groups()[field]), PLACES)
    facts = corpus().facts
    other = draw.sample([i for i, fact in enumerate(facts) if fact.field != field], PLACES)
    depths = [draw.below(DEPTHS) for _ in range(2 * PLACES)]
    return Plan(kind, draw.below(PLACES), same + other, depths)


def around(fact: Fact) -> tuple[str, str]:
    """What stands between the country and the number of a line, and what follows the number."""
    before, _, after = fact.text.removeprefix(fact.country).partition(f"{fact.value:,}")
    return before, after


def _perturb(draw: Draw, value: int) -> int:
    """A number of the same length that differs from ``value`` in every digit."""
    first, *rest = (int(digit) for digit in str(value))
    result = draw.choice([d for d in range(1, 10) if d != first])
    for digit in rest:
        result = result * 10 + (digit + 1 + draw.below(9)) % 10
    return result


def fresh(draw: Draw, values: list[int]) -> list[int]:
    """A perturbed number for each value: no two equal, and none a real one."""
    drawn: list[int] = []
    for value in values:
        found = (_perturb(draw, value) for _ in range(1000))
        drawn.append(next(v for v in found if v not in drawn and v not in _real_values()))
    return drawn


class FactbookTemplate:
    """A task of the family. The haystack is drawn when first needed and shared by all variants."""

    def __init__(self, seed: bytes, size: int) -> None:
        self.size = size
        """The bucket, in canonical tokens."""
        self.plan = _plan(seed)
        self.shapes = [corpus().facts[i] for i in self.plan.shapes]
        self.wordings = [around(fact) for fact in self.shapes]
        self._seed = seed

    @cached_property
    def planted(self) -> int:
        """Canonical tokens of the planted lines: names and numbers never change them."""
        samples = (
            f"{before}{fact.value:,}{after}"
            for fact, (before, after) in zip(self.shapes, self.wordings, strict=True)
        )
        return sum(names.NAME_TOKENS + tokenizer.count(sample) for sample in samples)

    @cached_property
    def haystack(self) -> list[int]:
        """Numbers of the real units, in order."""
        draw = Draw(self._seed, f"{NAME}/haystack")
        return fill(draw, corpus().tokens, self.size - self.planted)

    @cached_property
    def tokens(self) -> int:
        """Canonical tokens of every variant's context."""
        sizes = corpus().tokens
        return self.planted + sum(sizes[i] for i in self.haystack)

    @cached_property
    def laid_out(self) -> Haystack:
        """The real text with its places for the planted lines."""
        return Haystack([corpus().units[i] for i in self.haystack], self.plan.depths)

    @cached_property
    def digest(self) -> str:
        shared = (NAME, DATA_DIGEST, self.size, self.plan, self.haystack)
        return sha256(msgspec.json.encode(shared)).hexdigest()

    def instance(self, variant_seed: bytes) -> "FactbookInstance":
        return FactbookInstance(self, variant_seed)


class FactbookInstance(OneAnswer):
    """One variant: names and numbers."""

    def __init__(self, template: FactbookTemplate, variant_seed: bytes) -> None:
        self._template = template
        self.names = names.invent(Draw(variant_seed, f"{NAME}/names"), PLACES)
        originals = [fact.value for fact in template.shapes]
        self.values = fresh(Draw(variant_seed, f"{NAME}/values"), originals)

    @property
    def tokens(self) -> int:
        return self._template.tokens

    @property
    def answer(self) -> str:
        plan = self._template.plan
        if plan.kind == "value":
            return str(self.values[plan.asked])
        if plan.kind == "holder":
            return self.names[plan.asked]
        return self.names[max(range(PLACES), key=self.values.__getitem__)]

    @property
    def question(self) -> list[TextPart]:
        wanted = "number in digits" if self._template.plan.kind == "value" else "name of the place"
        return [
            TextPart(text=f"Answer from the document alone, not from memory. {self._asked()}"),
            TextPart(text=f"End with one line that reads ANSWER: and then the {wanted}, no more."),
        ]

    def _asked(self) -> str:
        plan = self._template.plan
        phrase = FIELDS[self._template.shapes[0].field]
        if plan.kind == "value":
            return f"What is the {phrase} of {self.names[plan.asked]}?"
        if plan.kind == "holder":
            return f"Which place has {self.values[plan.asked]:,} as its {phrase}?"
        return f"Which of these places has the largest {phrase}: {', '.join(self.names)}?"

    def lines(self) -> list[str]:
        """The planted lines: line i states field i // PLACES of place i % PLACES."""
        return [
            f"{self.names[i % PLACES]}{before}{self.values[i]:,}{after}"
            for i, (before, after) in enumerate(self._template.wordings)
        ]

    @property
    def proof(self) -> list[Place]:
        plan = self._template.plan
        places = self._template.laid_out.places([1] * (2 * PLACES))
        return places[:PLACES] if plan.kind == "largest" else [places[plan.asked]]

    def context(self) -> str:
        return self._template.laid_out.hide(self.lines())


class Factbook:
    """The family. A third of the questions can be guessed, with a chance of one in PLACES."""

    name = NAME
    metric = "answer_exact@1"
    guess_rate = 1 / PLACES / len(KINDS)

    levels: Sequence[Struct] = ()

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> FactbookTemplate:
        refuse_parameters(NAME, parameters, source)
        if not MIN_TOKENS <= tokens <= MAX_TOKENS:
            raise UsageError(
                f"{NAME} makes contexts of {MIN_TOKENS} to {MAX_TOKENS} tokens, not {tokens}: "
                "choose a bucket in that range"
            )
        return FactbookTemplate(seed, tokens)
