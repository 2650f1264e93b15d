"""What an attacker sees of one task, and which lines of it are worth a look."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from quasar.benchmarks.attacks.known import Known
from quasar.benchmarks.attacks.words import Found, read, skeletons

_SPELLED = (
    ("second", "two"),
    ("third", "three"),
    ("fourth", "four"),
    ("fifth", "five"),
    ("sixth", "six"),
    ("seventh", "seven"),
    ("eighth", "eight"),
    ("ninth", "nine"),
    ("tenth", "ten"),
)
RANKS = {word: i for i, words in enumerate(_SPELLED, 2) for word in words}


class Line(NamedTuple):
    """A line of the context."""

    number: int
    text: str
    found: Sequence[Found]
    words: frozenset[str]
    fresh: Mapping[str, Sequence[str]]
    """By kind, what the question does not say itself."""


def fresh(lines: Sequence[Line], kind: str) -> list[str]:
    """All of a kind on some lines that the question does not say, in order."""
    return [text for line in lines for text in line.fresh.get(kind, ())]


class Scene:
    """A task seen from outside: no answer, no proof, no model."""

    def __init__(self, question: str, context: str, other: str, known: Known) -> None:
        self.question = question
        self.context = context
        self.other = other
        """The same task as another hotkey got it."""
        self.known = known

    @cached_property
    def lines(self) -> list[Line]:
        """All that are not empty."""
        return list(self._read(self.context))

    def _read(self, text: str) -> Iterator[Line]:
        for number, line in enumerate(text.split("\n")):
            if line:
                found = read(line, self.known.vocabulary)
                new: dict[str, list[str]] = {}
                for f in found:
                    if f.text not in self.asked:
                        new.setdefault(f.kind, []).append(f.text)
                yield Line(number, line, found, frozenset([f.text for f in found]), new)

    @cached_property
    def asked(self) -> frozenset[str]:
        """What the question says itself."""
        lines = (read(line, self.known.vocabulary) for line in self.question.split("\n"))
        return frozenset([f.text for line in lines for f in line])

    @cached_property
    def keys(self) -> list[str]:
        """Names, numbers, codes and quotations of the question, in order."""
        lines = (read(line, self.known.vocabulary) for line in self.question.split("\n"))
        found = [f for line in lines for f in line if f.kind != "word"]
        return list(dict.fromkeys(f.text for f in found if f.text != "ANSWER"))

    @cached_property
    def rank(self) -> int:
        """The number that the question spells, such as 3 for "third" or "three"; else 1."""
        words = re.findall(r"[a-z]+", self.question.lower())
        return next((RANKS[word] for word in words if word in RANKS), 1)

    @cached_property
    def numbers(self) -> list[int]:
        """Small numbers that the question spells in digits, and the one that it spells in words."""
        found = [int(word) for word in re.findall(r"\b[0-9]{1,3}\b", self.question)]
        return [*found[:3], *([self.rank] if self.rank > 1 else [])]

    @cached_property
    def spread(self) -> Counter[str]:
        """On how many lines each word stands."""
        return Counter(word for line in self.lines for word in line.words)

    def views(self) -> dict[str, list[Line]]:
        """Lines left after each way to tell planted ones from the haystack."""
        unknown = [line for line in self.lines if line.text not in self.known.lines]
        swapped = {line.number for line in unknown if self._is_swapped(line.text)}
        return {
            "text": self.lines,
            "twins": self._twins(),
            "unknown": unknown,
            "strange": [line for line in unknown if line.number not in swapped],
            "swapped": [line for line in unknown if line.number in swapped],
            "changed": self._changed(),
        }

    def _is_swapped(self, line: str) -> bool:
        return any(shape in self.known.skeletons for shape in skeletons(line))

    def _changed(self) -> list[Line]:
        """Lines that the other hotkey's context does not have there."""
        theirs, mine = self.other.split("\n"), self.context.count("\n") + 1
        if len(theirs) == mine:
            return [line for line in self.lines if theirs[line.number] != line.text]
        held = frozenset(theirs)
        return [line for line in self.lines if line.text not in held]

    def _twins(self) -> list[Line]:
        """Lines that look like another one of this context but are not equal to it."""
        texts: dict[str, dict[str, None]] = {}
        for line in self.lines:
            for shape in skeletons(line.text):
                texts.setdefault(shape, {})[line.text] = None
        twins = {text for alike in texts.values() if len(alike) > 1 for text in alike}
        return [line for line in self.lines if line.text in twins]
