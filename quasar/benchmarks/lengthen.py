"""Lengthens a document to a bucket: others of its kind stand around it, then the vendored text.

Every document begins with a character that is not white space and ends with a newline, so token
counts add up; one that does not fit is cut after a whole line.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from quasar.benchmarks import tokenizer
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.haystack import Place, fill
from quasar.draw import Draw

FILLER_TOKENS = 2_000
"""About so many canonical tokens of the vendored text make one document."""
_BORDER = re.compile(r"\n(?=\S)")
"""The next line begins with no white space: counts add up over such a border."""


class Shelf(NamedTuple):
    """Documents, each once."""

    texts: Sequence[str]
    tokens: Sequence[int]
    """Canonical tokens of each."""


class Block(NamedTuple):
    """One document of a lengthened text."""

    document: int | None = None
    """Its number on the shelf; None for vendored text."""
    kept: int | None = None
    """How many characters of it; None for all."""
    units: Sequence[int] = ()
    """Numbers of the units of vendored text."""


class Layout(NamedTuple):
    """A lengthened text, without the words."""

    blocks: list[Block]
    """In reading order."""
    gold: int
    """Number, from 0, of the block that the question is about."""
    tokens: int
    """Canonical tokens, exactly."""
    titled: bool
    """Whether a line with its number stands over each document."""


def title(number: int) -> str:
    """The line over document ``number``, counted from 1."""
    return f"[Document {number}]\n"


class _Room:
    """Blocks so far, and the tokens that are left."""

    def __init__(self, tokens: int, titled: bool) -> None:
        self.left, self._titled = tokens, titled
        self.blocks: list[Block] = []

    @property
    def free(self) -> int:
        """Tokens that the next document may have."""
        return self.left - (_title_tokens(len(self.blocks) + 1) if self._titled else 0)

    def add(self, block: Block, tokens: int) -> None:
        self.left = self.free - tokens
        self.blocks.append(block)


def lengthen(draw: Draw, shelf: Shelf, gold: int, size: int, *, titled: bool) -> Layout:
    """Fill ``size`` tokens around document ``gold``, which must fit; less than 2 % stay free.

    Time is linear in the documents of the shelf and the tokens.
    """
    room = _Room(size, titled)
    room.add(Block(gold), shelf.tokens[gold])
    _add_others(room, draw, shelf, gold, size)
    if room.left * 100 > size:
        _add_filler(room, draw)
    order = draw.shuffled(range(len(room.blocks)))
    return Layout([room.blocks[i] for i in order], order.index(0), size - room.left, titled)


def _add_others(room: _Room, draw: Draw, shelf: Shelf, gold: int, size: int) -> None:
    """Other documents in drawn order; the first that does not fit whole is cut and the last."""
    for number in draw.shuffled([i for i in range(len(shelf.texts)) if i != gold]):
        if room.left * 100 <= size:
            return
        if shelf.tokens[number] <= room.free:
            room.add(Block(number), shelf.tokens[number])
            continue
        kept, tokens = _cut(shelf.texts[number], room.free)
        if kept:
            room.add(Block(number, kept), tokens)
            return


def _cut(text: str, budget: int) -> tuple[int, int]:
    """Characters and tokens of the whole lines from the beginning that fit."""
    kept = tokens = 0
    for unit in lines_of(text):
        more = tokenizer.count(unit)
        if tokens + more > budget:
            break
        kept, tokens = kept + len(unit), tokens + more
    return kept, tokens


def lines_of(text: str) -> Iterator[str]:
    """A text in pieces, each of whole lines that begin with no white space: counts add up."""
    start = 0
    for border in _BORDER.finditer(text):
        yield text[start : border.end()]
        start = border.end()
    yield text[start:]


def _add_filler(room: _Room, draw: Draw) -> None:
    """Vendored text, some units a document."""
    sizes = corpus().tokens
    reserve = _title_tokens(1_000_000)
    budget = (room.left - reserve) * FILLER_TOKENS // (FILLER_TOKENS + reserve)
    units: list[int] = []
    tokens = 0
    for unit in fill(draw, sizes, max(0, budget)):
        units.append(unit)
        tokens += sizes[unit]
        if tokens >= FILLER_TOKENS:
            room.add(Block(units=units), tokens)
            units, tokens = [], 0
    if units:
        room.add(Block(units=units), tokens)


def text_of(layout: Layout, shelf: Shelf) -> str:
    """The words of a layout."""
    pieces: list[str] = []
    for number, block in enumerate(layout.blocks, start=1):
        pieces += ([title(number)] if layout.titled else []) + [_words(block, shelf)]
    return "".join(pieces)


def place_of(layout: Layout, shelf: Shelf) -> Place:
    """Where the document stands that the question is about, without its title."""
    above = 0
    for block in layout.blocks[: layout.gold]:
        above += layout.titled + _words(block, shelf).count("\n")
    height = _words(layout.blocks[layout.gold], shelf).count("\n")
    return Place(above + layout.titled, height)


def _words(block: Block, shelf: Shelf) -> str:
    if block.document is None:
        return "".join([corpus().units[i] for i in block.units])
    return shelf.texts[block.document][: block.kept]


@lru_cache(maxsize=4096)
def _title_tokens(number: int) -> int:
    return tokenizer.count(title(number))
