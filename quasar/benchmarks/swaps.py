"""Words of real text that change places by a drawn bijection, and no token count changes."""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from string import punctuation
from typing import TypeVar

from quasar.benchmarks import tokenizer
from quasar.draw import bulk

T = TypeVar("T")

BEFORE = ("", " ", *punctuation)
"""What may stand before a word and be merged with its first token."""


class Swaps:
    """Words in groups; each may stand where another of its group does.

    A word ends in a letter or digit and is no part of a longer one, so nothing that follows is
    merged with it; the words of a group have the same tokens after each character of BEFORE.
    """

    def __init__(self, kinds: Iterable[Sequence[str]]) -> None:
        """``kinds``: words that mean alike, such as names of men; each is cut into groups."""
        self._kinds = [list(kind) for kind in kinds]

    @cached_property
    def groups(self) -> list[list[str]]:
        """Of two words or more."""
        found: dict[tuple[int, ...], list[str]] = {}
        for i, kind in enumerate(self._kinds):
            for word in kind:
                key = (i, *(tokenizer.count(before + word) for before in BEFORE))
                found.setdefault(key, []).append(word)
        return [group for group in found.values() if len(group) > 1]

    def drawn(self, seed: bytes) -> dict[str, str]:
        """What replaces each word: another of its group, always."""
        swapped = dict[str, str]()
        for i, group in enumerate(self.groups):
            swapped.update(cycled(seed, f"group {i}", group))
        return swapped


def cycled(seed: bytes, purpose: str, items: Sequence[T]) -> dict[T, T]:
    """Another one for each of two or more items, each once: they follow each other in a ring."""
    ranks = bulk(seed, purpose, 2**32, len(items))
    order = [items[i] for i in sorted(range(len(items)), key=ranks.__getitem__)]
    return dict(zip(order, [*order[1:], order[0]], strict=True))


def swap(word: re.Pattern[str], swapped: dict[str, str], text: str) -> str:
    """The text with its words replaced. ``word`` matches whole words, known and unknown ones."""
    return word.sub(lambda found: swapped.get(found[0], found[0]), text)
