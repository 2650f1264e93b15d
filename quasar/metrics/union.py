"""Unions of what pairs of sentences have in common, within a bound of work.

Two packages unite the longest common subsequences of all pairs. Here a pair is followed only while
it can still add to the union: that is rarely so, and the result is the same. Texts can be made for
which it is always so; therefore work ends at a bound, and pairs after it add nothing to a score.
Texts that people write stay far below it (``docs/metrics.md`` says how far).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from quasar.metrics.alignment import path

Words = tuple[str, ...]
Pair = TypeVar("Pair")


SHORT = 8
"""Rows of a walk that is remembered: texts made to be slow repeat short ones without end."""


class Work:
    """What is left to do for one text and one reference."""

    def __init__(self, units: int = 2_000_000) -> None:
        self.left = units
        """Of 0.2 microseconds or so."""
        self._walked: dict[tuple[int, ...], list[tuple[int, int]]] = {}

    def path(self, matches: Sequence[int], width: int) -> list[tuple[int, int]]:
        """``alignment.path`` at its price, known or not."""
        self.left -= 12 + len(matches) * (3 + width // 300)
        if len(matches) > SHORT:
            return list(path(matches, width))
        key = (width, *matches)
        if key not in self._walked:
            self._walked[key] = list(path(matches, width))
        return self._walked[key]


def unite(
    sought: Iterable[tuple[int, Iterable[Pair]]], follow: Callable[[Pair], int], work: Work
) -> int:
    """The bits of all that is found.

    ``sought``: each thing's bit, with all pairs that may have it in common. ``follow`` gives the
    bits of what a pair has in common; it is asked once a pair, if at all.
    """
    united = 0
    followed = set()
    for bit, pairs in sought:
        for pair in pairs:
            if united & bit or work.left < 0:
                break
            work.left -= 1
            if pair not in followed:
                followed.add(pair)
                united |= follow(pair)
    return united


def standing(sentences: Sequence[Words]) -> dict[str, list[int]]:
    """For each word the numbers of the sentences that have it, in order."""
    found: dict[str, list[int]] = {}
    for i, sentence in enumerate(sentences):
        for word in dict.fromkeys(sentence):
            found.setdefault(word, []).append(i)
    return found
