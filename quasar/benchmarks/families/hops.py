"""Family ``hops@1``: who holds the letter after some handovers, hidden in real text.

Forty invented people form one ring. One line a person says who takes over from them, in wording
that the question does not share, so only the first line can be found by the question's words.
Every person gives once and takes once: no count, and no end of a chain, tells the right name from
the others, and a line says which way it goes only in its words. The template draws ring, wording,
places and haystack; a variant draws the names.

It measures reading in steps, not secrecy of method: a program that knows these wordings solves it.
"""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256

import msgspec
from msgspec import Struct

from quasar.benchmarks import names, tokenizer
from quasar.benchmarks.corpus import DATA_DIGEST, corpus
from quasar.benchmarks.family import OneAnswer, refuse_parameters
from quasar.benchmarks.haystack import DEPTHS, Haystack, Place, fill
from quasar.draw import Draw
from quasar.errors import UsageError
from quasar.events.task import TextPart

NAME = "hops@1"
PEOPLE = 40
"""Invented people in a context."""
HOPS = (2, 3, 4)
"""How many handovers may be asked for."""
MIN_TOKENS, MAX_TOKENS = 2_000, 2_000_000

WORDINGS = (
    "{a} rides as far as the ford and leaves the satchel there with {b}.\n",
    "{a} trusts nobody but {b} with the rest of the road.\n",
    "{a} never goes beyond the mill, where {b} is waiting for the bag.\n",
    "{a} brings the bundle to {b} every evening and turns back.\n",
    "{b} takes the pouch on from where {a} stops.\n",
    "{b} is always woken by {a} at dawn and rides on with the load.\n",
    "{b} carries what {a} has brought as far as the crossroads.\n",
    "{b} relieves {a} at the old bridge and goes on from there.\n",
)
"""Lines in which ``a`` gives to ``b``. Each begins with a name; half begin with the taker's."""
COUNTED = {2: "two", 3: "three", 4: "four"}
_SAMPLE = "Bregruvanth"


class Plan(msgspec.Struct, frozen=True):
    """What a template draws besides its haystack. Lists have one element a line.

    Person i hands over to person (i + 1) % PEOPLE, says line i; the question begins with person 0.
    """

    hops: int
    wordings: list[int]
    depths: list[int]
    """Where each line stands (``haystack.DEPTHS``)."""


def _plan(seed: bytes) -> Plan:
    draw = Draw(seed, f"{NAME}/plan")
    hops = draw.choice(HOPS)
    wordings = [draw.below(len(WORDINGS)) for _ in range(PEOPLE)]
    return Plan(hops, wordings, [draw.below(DEPTHS) for _ in range(PEOPLE)])


class HopsTemplate:
    """A task of the family. The haystack is drawn when first needed and shared by all variants."""

    def __init__(self, seed: bytes, size: int) -> None:
        self.size = size
        """The bucket, in canonical tokens."""
        self.plan = _plan(seed)
        self._seed = seed

    @cached_property
    def planted(self) -> int:
        """Canonical tokens of the planted lines: names never change them."""
        counts = [tokenizer.count(w.format(a=_SAMPLE, b=_SAMPLE)) for w in WORDINGS]
        return sum(counts[w] for w in self.plan.wordings)

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

    def instance(self, variant_seed: bytes) -> "HopsInstance":
        return HopsInstance(self, variant_seed)


class HopsInstance(OneAnswer):
    """One variant: names."""

    def __init__(self, template: HopsTemplate, variant_seed: bytes) -> None:
        self._template = template
        self.names = names.invent_people(Draw(variant_seed, f"{NAME}/names"), PEOPLE)

    @property
    def tokens(self) -> int:
        return self._template.tokens

    @property
    def answer(self) -> str:
        return self.names[self._template.plan.hops]

    @property
    def question(self) -> list[TextPart]:
        count = COUNTED[self._template.plan.hops]
        return [
            TextPart(
                text="Answer from the document alone, not from memory. Its couriers work in "
                "relay: one line about each tells who gets the mail next. "
                f"A letter starts with {self.names[0]}. Who holds it after {count} handovers?"
            ),
            TextPart(text="End with one line that reads ANSWER: and then the name, no more."),
        ]

    def lines(self) -> list[str]:
        """The planted lines: line i says to whom person i hands over."""
        people = self.names
        return [
            WORDINGS[wording].format(a=people[i], b=people[(i + 1) % PEOPLE])
            for i, wording in enumerate(self._template.plan.wordings)
        ]

    @property
    def proof(self) -> list[Place]:
        return self._template.laid_out.places([1] * PEOPLE)[: self._template.plan.hops]

    def context(self) -> str:
        return self._template.laid_out.hide(self.lines())


class Hops:
    """The family. Nothing in the question helps to guess; the rate is for any planted name."""

    name = NAME
    metric = "answer_exact@1"
    guess_rate = 1 / (PEOPLE - 1)

    levels: Sequence[Struct] = ()

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> HopsTemplate:
        refuse_parameters(NAME, parameters, source)
        if not MIN_TOKENS <= tokens <= MAX_TOKENS:
            raise UsageError(
                f"{NAME} makes contexts of {MIN_TOKENS} to {MAX_TOKENS} tokens, not {tokens}: "
                "choose a bucket in that range"
            )
        return HopsTemplate(seed, tokens)
