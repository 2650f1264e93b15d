"""Fills a budget of tokens with whole units in drawn order, and hides lines between them."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from quasar.draw import Draw

DEPTHS = 1_000_000
"""A depth counts from 0 (before the haystack) to this (after it), exclusive."""


def fill(draw: Draw, sizes: Sequence[int], budget: int) -> list[int]:
    """Numbers of the units taken, in drawn order; none is taken twice.

    A drawn unit is taken if it still fits. Draws end when at most 1 % of the budget is left
    (or no unit is). Work is linear in the units drawn: a shuffle that stops early.
    """
    pool = list(range(len(sizes)))
    taken: list[int] = []
    left = budget
    for i in range(len(pool)):
        if left * 100 <= budget:
            break
        j = i + draw.below(len(pool) - i)
        pool[i], pool[j] = pool[j], pool[i]
        if sizes[pool[i]] <= left:
            taken.append(pool[i])
            left -= sizes[pool[i]]
    return taken


class Place(NamedTuple):
    """Where a planted piece stands: whole lines of the context, counted by line feeds."""

    first: int
    """Number of its first line, from 0."""
    lines: int
    """How many lines it has."""

    def of(self, context: str) -> str:
        """The piece itself."""
        return "\n".join(context.split("\n")[self.first : self.first + self.lines])


class Haystack:
    """Real units in order, and the depths at which pieces are hidden between them."""

    def __init__(self, units: Sequence[str], depths: Sequence[int]) -> None:
        self.order = sorted(range(len(depths)), key=depths.__getitem__)
        """Planted pieces as they follow each other."""
        cuts = [len(units) * depths[i] // DEPTHS for i in self.order]
        borders = [0, *cuts, len(units)]
        self._segments = ["".join(units[a:b]) for a, b in pairwise(borders)]
        """The real text before, between and after the planted pieces."""

    def hide(self, pieces: Sequence[str]) -> str:
        """The context: pieces, each ending with a newline, stand at their depths."""
        first, *others = self._segments
        text = [first]
        for i, segment in zip(self.order, others, strict=True):
            text += (pieces[i], segment)
        return "".join(text)

    def places(self, heights: Sequence[int]) -> list[Place]:
        """Where each piece stands, given how many lines each has."""
        before = accumulate(segment.count("\n") for segment in self._segments)
        above = accumulate((heights[i] for i in self.order), initial=0)
        firsts = [a + b for a, b in zip(before, above, strict=True)]
        found = {i: Place(firsts[rank], heights[i]) for rank, i in enumerate(self.order)}
        return [found[i] for i in range(len(heights))]
