"""The King James Bible in the vendored text: verses, chapters and passages."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import NamedTuple

from quasar.benchmarks import tokenizer
from quasar.benchmarks.corpus import corpus

_VERSE = re.compile(r"((?:[123] )?[A-Z][a-z]+(?: of Solomon)?) (\d+):(\d+) (.*)")


class Verse(NamedTuple):
    """One verse: ``<book> <chapter>:<number> <text>``, a unit of the corpus."""

    unit: int
    """Its number there."""
    book: str
    chapter: int
    number: int
    text: str


class Passage(NamedTuple):
    """At most LONGEST verses of a chapter that follow each other."""

    verses: tuple[Verse, ...]
    tokens: int
    """Canonical tokens of the verses with their citations."""


LONGEST = 8
"""Verses of a passage."""
FULL = 12
"""Words of a gloss."""


@cache
def verses() -> tuple[Verse, ...]:
    """All, in order."""
    found = ((i, _VERSE.fullmatch(unit.rstrip("\n"))) for i, unit in enumerate(corpus().units))
    return tuple(Verse(i, m[1], int(m[2]), int(m[3]), m[4]) for i, m in found if m)


@cache
def chapters() -> dict[tuple[str, int], tuple[Verse, ...]]:
    """Verses by book and number of the chapter, in order."""
    by_chapter = groupby(verses(), key=lambda verse: (verse.book, verse.chapter))
    return {chapter: tuple(group) for chapter, group in by_chapter}


@cache
def passages() -> tuple[Passage, ...]:
    """All, in order: each chapter cut into as few about equal parts as may be."""
    return tuple(passage for members in chapters().values() for passage in _cut(members))


def _cut(members: tuple[Verse, ...]) -> Iterator[Passage]:
    parts = -(-len(members) // LONGEST)
    for i in range(parts):
        some = members[len(members) * i // parts : len(members) * (i + 1) // parts]
        yield Passage(some, sum(corpus().tokens[verse.unit] for verse in some))


@cache
def other_units() -> tuple[int, ...]:
    """Numbers of the corpus units that are no verses."""
    known = {verse.unit for verse in verses()}
    return tuple(i for i in range(len(corpus().units)) if i not in known)


class Gloss(NamedTuple):
    """A line of other text that can stand under a citation like a verse."""

    unit: int
    """Its number in the corpus."""
    tokens: int
    """Canonical tokens of a blank and the line."""


@cache
def glosses() -> tuple[Gloss, ...]:
    """Lines of at least FULL words."""
    more = cache(lambda head: tokenizer.count(f" {head}") - tokenizer.count(head))
    units, sizes = corpus().units, corpus().tokens
    words = ((i, units[i].split(" ", FULL)) for i in other_units())
    return tuple(Gloss(i, sizes[i] + more(found[0])) for i, found in words if len(found) > FULL)


def words(text: str) -> list[str]:
    """Of a verse, without punctuation."""
    return re.findall(r"[\w'-]+", text)


@cache
def _all_words() -> str:
    """Every verse's words on a line of its own."""
    return "\n".join(f" {' '.join(words(verse.text))} " for verse in verses())


def is_unique(quotation: Sequence[str]) -> bool:
    """Whether just one place of all verses has these words in a row."""
    wanted = f" {' '.join(quotation)} "
    first = _all_words().find(wanted)
    return first >= 0 and _all_words().find(wanted, first + 1) < 0
