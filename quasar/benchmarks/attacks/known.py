"""What anyone can know beforehand: the texts that ship with the package, or a public source."""

from functools import cache
from typing import NamedTuple

from quasar.benchmarks.attacks.words import skeletons, vocabulary_of
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.sources import sources


class Known(NamedTuple):
    """Text held by an attacker."""

    lines: frozenset[str]
    skeletons: frozenset[str]
    """To find a known line again in which something was swapped."""
    vocabulary: frozenset[str]


@cache
def known() -> Known:
    """The vendored texts, cut up once a process; it takes seconds and some hundred MB."""
    units = (*corpus().units, *sources().units)
    lines = frozenset(line for unit in units for line in unit.split("\n"))
    shapes = frozenset(shape for line in lines for shape in skeletons(line))
    return Known(lines, shapes, vocabulary_of(units))
