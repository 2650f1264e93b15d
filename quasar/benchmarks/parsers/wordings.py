"""Wordings turned round: from a line back to what its blanks held."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")
T = TypeVar("T")

NAME = "[A-Z][a-z]+"
NUMBER = "[0-9]+"
BLANKS = {"n": NUMBER, "m": NUMBER, "k": NUMBER}
"""What a blank holds; a name where nothing else is said."""


class Said(NamedTuple, Generic[K]):
    """A line that has one of the wordings."""

    kind: K
    held: Mapping[str, str]
    """By the name of the blank."""
    number: int
    """Of the line, from 0."""


@lru_cache(maxsize=1024)
def pattern(wording: str, **blanks: str) -> re.Pattern[str]:
    """What matches every line of a wording; ``blanks``: expressions of some blanks."""
    text, seen = "", set[str]()
    for part in re.split(r"(\{\w+\})", wording.removesuffix("\n")):
        blank = part.strip("{}")
        if part == blank:
            text += re.escape(part)
        elif blank in seen:
            text += f"(?P={blank})"
        else:
            text += f"(?P<{blank}>{(BLANKS | blanks).get(blank, NAME)})"
            seen.add(blank)
    return re.compile(text)


def read(context: str, kinds: Mapping[K, Sequence[str]], **blanks: str) -> Iterator[Said[K]]:
    """Each line that has a wording of one of these kinds, in order."""
    known = [(kind, pattern(w, **blanks)) for kind, wordings in kinds.items() for w in wordings]
    for number, line in enumerate(context.split("\n")):
        for kind, shape in known:
            if match := shape.fullmatch(line):
                yield Said(kind, match.groupdict(), number)
                break


def first(found: Iterable[T]) -> T:
    """The first of these. Raises LookupError where there is none."""
    for one in found:
        return one
    raise LookupError("nothing has been found")


def find(expression: str, text: str) -> str:
    """The first group of the first match. Raises LookupError where there is none."""
    match = re.search(expression, text)
    if match is None:
        raise LookupError(expression)
    return match[1]


def follow(steps: Mapping[str, str], at: str, times: int) -> str:
    """Who is so many steps on. Raises LookupError where the way ends before."""
    for _ in range(times):
        at = steps[at]
    return at
