"""Family ``verses@1``: which verse stands so many verses before or after the one that says this.

The context is passages of the King James Bible in drawn order, every verse on a line with its
citation, and before each passage lines of other vendored text that carry citations too. A
variant's bijections exchange names of men and of places, and each chapter's verses stand under the
book and number of another. The question quotes some words of one verse, which no other has, and
asks for the citation of a verse beyond that passage: so the words lead to a line that does not hold
the answer, and neither adding to its number nor counting lines leads there.

It measures finding and counting in real text against what memory says: the verse's true citation
is the canary. A program that knows the Bible's lines from others can count them.
"""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from quasar.benchmarks import bible, bible_names
from quasar.benchmarks.corpus import DATA_DIGEST, corpus
from quasar.benchmarks.family import OneAnswer
from quasar.benchmarks.haystack import Place, fill
from quasar.benchmarks.swaps import swap
from quasar.draw import Draw, bulk, derive
from quasar.errors import UsageError
from quasar.events.task import TextPart

NAME = "verses@1"
MIN_TOKENS, MAX_TOKENS = 8_000, 2_000_000
NEAREST = bible.LONGEST
"""No answer stands nearer to the quotation than so many verses: it is in another passage."""
SHARE = 70
"""Percent of a context that is verses, as long as there are enough."""


class Parameters(Struct, frozen=True):
    """Difficulty."""

    reach: Annotated[int, Meta(ge=40, le=90)]
    """How many distances there are, from NEAREST on."""
    words: Annotated[int, Meta(ge=5, le=10)]
    """Of the quotation."""


class Glossed(Struct, frozen=True):
    """A line of other text under the citation of a verse that is not in its passage."""

    unit: int
    number: int
    """Of that verse."""
    tokens: int


class Plan(Struct, frozen=True):
    """What a template draws besides the order of passages. Verses count through the document."""

    quoted: int
    asked: int
    first_word: int
    """Where the quotation begins in its verse."""


class VersesTemplate:
    """A task. Its passages are drawn when first needed and shared by all variants."""

    def __init__(self, seed: bytes, size: int, parameters: Parameters) -> None:
        self.size = size
        """The bucket, in canonical tokens."""
        self.parameters = parameters
        self._seed = seed

    @cached_property
    def passages(self) -> list[bible.Passage]:
        """In order."""
        sizes = [passage.tokens for passage in bible.passages()]
        taken = fill(Draw(self._seed, f"{NAME}/passages"), sizes, self.size * SHARE // 100)
        return [bible.passages()[i] for i in taken]

    @cached_property
    def verses(self) -> list[bible.Verse]:
        """Of all passages, in order."""
        return [verse for passage in self.passages for verse in passage.verses]

    @cached_property
    def plan(self) -> Plan:
        draw, words = Draw(self._seed, f"{NAME}/plan"), self.parameters.words
        for _ in range(1000):
            quoted = draw.below(len(self.verses))
            distance = NEAREST + draw.below(self.parameters.reach)
            asked = quoted + distance if draw.below(2) else quoted - distance
            said = bible.words(self.verses[quoted].text)
            first = draw.below(max(1, len(said) - words))
            quotation = said[first : first + words]
            inside = 0 <= asked < len(self.verses)
            if inside and len(quotation) == words and bible.is_unique(quotation):
                return Plan(quoted, asked, first)
        raise AssertionError("1000 draws gave no quotation that stands once")

    @cached_property
    def glosses(self) -> list[list[Glossed]]:
        """Before each passage: one or more."""
        count, pool = len(self.passages), bible.glosses()
        left = self.size - sum(passage.tokens for passage in self.passages)
        # a citation has five to nine tokens: few of those drawn here do not fit in the end
        taken = fill(Draw(self._seed, f"{NAME}/glosses"), [g.tokens + 6 for g in pool], left)
        places = [*range(count), *bulk(self._seed, f"{NAME}/places", count, len(taken))]
        numbers = bulk(self._seed, f"{NAME}/numbers", 9, len(taken))
        before: list[list[Glossed]] = [[] for _ in range(count)]
        for at, i, more in zip(places, taken, numbers, strict=False):
            last = self.passages[at].verses[-1]
            tokens = bible_names.cited(last.book) + pool[i].tokens
            if tokens <= left:
                before[at].append(Glossed(pool[i].unit, last.number + 1 + more, tokens))
                left -= tokens
        return before

    @cached_property
    def tokens(self) -> int:
        """Canonical tokens of every variant's context."""
        between = [gloss.tokens for before in self.glosses for gloss in before]
        return sum(passage.tokens for passage in self.passages) + sum(between)

    @cached_property
    def lines(self) -> list[int]:
        """The line of each verse."""
        found, at = list[int](), 0
        for passage, before in zip(self.passages, self.glosses, strict=True):
            at += len(before)
            found += range(at, at + len(passage.verses))
            at += len(passage.verses)
        return found

    @cached_property
    def digest(self) -> str:
        units = [verse.unit for verse in self.verses]
        shared = (NAME, DATA_DIGEST, self.size, self.parameters, self.plan, units, self.glosses)
        return sha256(msgspec.json.encode(shared)).hexdigest()

    def instance(self, variant_seed: bytes) -> "VersesInstance":
        return VersesInstance(self, variant_seed)


class VersesInstance(OneAnswer):
    """One variant: names and citations."""

    def __init__(self, template: VersesTemplate, variant_seed: bytes) -> None:
        self._template = template
        self._seed = variant_seed

    @cached_property
    def names(self) -> dict[str, str]:
        """What stands for each name."""
        return bible_names.swaps().drawn(derive(self._seed, f"{NAME}/names"))

    @cached_property
    def headings(self) -> dict[bible_names.Heading, bible_names.Heading]:
        """Where each chapter stands."""
        return bible_names.headings(derive(self._seed, f"{NAME}/headings"))

    @property
    def tokens(self) -> int:
        return self._template.tokens

    @property
    def answer(self) -> str:
        verse = self._template.verses[self._template.plan.asked]
        book, chapter = self.headings[verse.book, verse.chapter]
        return f"{book} {chapter}:{verse.number}"

    @property
    def canary(self) -> str:
        """What memory would answer."""
        verse = self._template.verses[self._template.plan.asked]
        return f"{verse.book} {verse.chapter}:{verse.number}"

    @property
    def question(self) -> list[TextPart]:
        plan = self._template.plan
        said = bible.words(self._template.verses[plan.quoted].text)
        words = said[plan.first_word : plan.first_word + self._template.parameters.words]
        quotation = swap(bible_names.NAME, self.names, " ".join(words))
        distance = plan.asked - plan.quoted
        way = "after" if distance > 0 else "before"
        return [
            TextPart(
                text="Answer from the document alone, not from memory: names and citations of the "
                "Bible are exchanged in it, and passages stand in another order. One verse has, "
                f'but for punctuation, the words "{quotation}". Which verse stands '
                f"{abs(distance)} verses {way} it in the document? Count through all passages in "
                "between, but only verses of the Bible: other text stands under citations too."
            ),
            TextPart(
                text="End with one line that reads ANSWER: and then the citation at the head of "
                "its line, such as Ruth 3:4, no more."
            ),
        ]

    @property
    def proof(self) -> list[Place]:
        """The quoted verse, then the asked one."""
        template = self._template
        return [Place(template.lines[i], 1) for i in (template.plan.quoted, template.plan.asked)]

    def context(self) -> str:
        pairs = zip(self._template.passages, self._template.glosses, strict=True)
        return "".join(self._passage(passage, before) for passage, before in pairs)

    def _passage(self, passage: bible.Passage, before: list[Glossed]) -> str:
        """Glosses and verses under their citations."""
        book, number = self.headings[passage.verses[0].book, passage.verses[0].chapter]
        rests = "\n".join(f"{verse.number} {verse.text}" for verse in passage.verses)
        said = swap(bible_names.NAME, self.names, rests)
        head, units = f"{book} {number}:", corpus().units
        glosses = "".join(f"{head}{gloss.number} {units[gloss.unit]}" for gloss in before)
        return f"{glosses}{head}{said.replace(chr(10), chr(10) + head)}\n"


class Verses:
    """The family. The rate is for any verse within reach, on the right side, at level 1."""

    name = NAME
    metric = "answer_exact@1"
    guess_rate = 1 / 40
    levels: Sequence[Struct] = (Parameters(40, 8), Parameters(60, 6), Parameters(90, 5))
    usual = 2

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> VersesTemplate:
        chosen = self.levels[self.usual - 1] if parameters is None else parameters
        if not isinstance(chosen, Parameters):
            raise UsageError(f"{NAME} takes parameters of its own: reach, words")
        if source:
            raise UsageError(f"{NAME} is about its own text only: leave the source out")
        if not MIN_TOKENS <= tokens <= MAX_TOKENS:
            raise UsageError(
                f"{NAME} makes contexts of {MIN_TOKENS} to {MAX_TOKENS} tokens, not {tokens}: "
                "choose a bucket in that range"
            )
        return VersesTemplate(seed, tokens, chosen)
