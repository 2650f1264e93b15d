"""Which few lines of a long text matter to a question.

A line ranks by the rare words that it shares with the question (BM25, with the rarity squared so
that one name outweighs many common words). The names that only the best lines have lead to more
lines: a question that needs two steps cannot name the second. A line that ends with a colon brings
the indented lines below it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from math import log

from quasar.inference.extractive import COMMON, WORD
from quasar.inference.text import NAME

LENGTH_WEIGHT = 0.75
SATURATION = 1.2
"""Of BM25, at their usual values."""
BEST = 2
"""Lines whose names are followed."""
RARE = 3
"""A name in more lines than this leads nowhere in particular."""
BELOW = 12
"""Indented lines that come with the line above them, at most."""


class Passages:
    """A text by lines, searched word by word."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self._folded = [line.lower() for line in self.lines]
        self._mean = max(1.0, len(text) / max(1, len(self.lines)))

    def ranked(self, question: str) -> Iterator[str]:
        """Passages, the nearest first, each once; none that has nothing to do with the question."""
        given: set[int] = set()
        for line in self._order(question):
            passage = [i for i in self._with_below(line) if i not in given]
            given.update(passage)
            if passage:
                yield "\n".join(self.lines[i] for i in passage)

    def _order(self, question: str) -> list[int]:
        """Numbers of lines: the best, where their names lead, then the others by rank."""
        near = self._near(question)
        found = near[:BEST]
        known = set(WORD.findall(question.lower()))
        for line in found:  # it grows on the way
            for word in self._new_words(line, known):
                having = self._having(word)
                if len(having) <= RARE:
                    found += [i for i in having if i not in found]
            if len(found) >= len(near):
                break
        return list(dict.fromkeys([*found, *near]))

    def _near(self, question: str) -> list[int]:
        """Numbers of the lines that share a word with the question, the nearest first."""
        weights: dict[int, float] = defaultdict(float)
        for word in dict.fromkeys(WORD.findall(question.lower())):
            if word not in COMMON:
                having = self._having(word)
                rarity = log((len(self.lines) + 1) / (len(having) + 1)) ** 2
                for i in having:
                    weights[i] += rarity * self._share(i)
        return sorted(weights, key=lambda i: (-weights[i], i))

    def _share(self, line: int) -> float:
        """A word counts for more in a short line."""
        length = len(self.lines[line]) / self._mean
        return (SATURATION + 1) / (1 + SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length))

    def _having(self, word: str) -> list[int]:
        """Numbers of the lines in which it stands as a word of its own."""
        alone = re.compile(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])")
        return [i for i, line in enumerate(self._folded) if word in line and alone.search(line)]

    def _new_words(self, line: int, known: set[str]) -> Iterator[str]:
        """Words of the names in a line that are not known yet; they are now."""
        for name in NAME.findall(self.lines[line]):
            for word in name.lower().split():
                if word not in known:
                    known.add(word)
                    yield word

    def _with_below(self, line: int) -> Iterator[int]:
        yield line
        if not self.lines[line].rstrip().endswith(":"):
            return
        indent = _indent(self.lines[line])
        for i in range(line + 1, min(line + 1 + BELOW, len(self.lines))):
            if not self.lines[i].strip() or _indent(self.lines[i]) <= indent:
                return
            yield i


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
