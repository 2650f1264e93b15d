"""The vendored text: units of one line each, and the facts that some of them state."""

from functools import cache
from typing import NamedTuple

import msgspec

from quasar.benchmarks import vendored

DATA_DIGEST = "a87bf74feab457044d772fa98e560a9f4a804f672c0cd288e9d566c27de901c4"
"""SHA-256 of the decompressed text pack."""


class Fact(NamedTuple):
    """A number that the factbook gives for a country."""

    country: str
    field: str
    """Its label, such as ``Area - total``."""
    value: int
    text: str
    """The whole unit: ``<country> - <field>: <value with commas> ...`` and a newline."""


class Corpus(NamedTuple):
    """About 2.4 million canonical tokens of public-domain English."""

    units: tuple[str, ...]
    """Single lines that end with a newline and begin with a character that is not white space."""
    tokens: tuple[int, ...]
    """Canonical tokens of each unit; sums are exact (see ``tokenizer``)."""
    facts: tuple[Fact, ...]


class _Pack(msgspec.Struct):
    units: list[str]
    tokens: list[int]
    facts: list[tuple[str, str, int, int]]


@cache
def corpus() -> Corpus:
    """The corpus, read once a process. Raises CannotJudge where the pack is not as pinned."""
    pack = msgspec.json.decode(vendored.load("pack.xz", DATA_DIGEST), type=_Pack)
    units = tuple([unit + "\n" for unit in pack.units])
    facts = tuple(
        Fact(country, field, value, units[unit]) for country, field, value, unit in pack.facts
    )
    return Corpus(units, tuple(pack.tokens), facts)
