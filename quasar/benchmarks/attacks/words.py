"""Cuts lines into the kinds of things that an answer may be."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_QUOTED = re.compile(r"[\"“]([^\"“”\n]{1,60})[\"”]|(?<!\w)'([^'\n]{1,60})'(?!\w)")
_WORD = re.compile(
    r"(?P<term>(?:[1-3] )?[A-Z][a-z]+ [0-9]+:[0-9]+|[0-9]+:[0-9]+"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\w+(?:[_-]\w+)+"
    r"|[A-Z]{2,}\w*|[A-Za-z]+[0-9]\w*|[0-9]+[A-Za-z]\w*)"
    r"|(?P<number>[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)"
    r"|(?P<name>[^\W\d_a-z]\w+)"
    r"|(?P<word>\w{3,})"
)

KINDS = ("number", "name", "stranger", "term", "word", "quoted")
"""Numbers in digits; capitalised words; what no known text has; identifiers, codes and pairs of
numbers; words in lower case; what stands in quotation marks."""


class Found(NamedTuple):
    """Something that an answer may be."""

    kind: str
    text: str
    at: int
    """Where it begins in its line."""


def read(line: str, vocabulary: frozenset[str]) -> list[Found]:
    """All of a line, in order within each kind; a stranger is of its other kind too."""
    found: list[Found] = []
    for match in _WORD.finditer(line):
        kind, text = str(match.lastgroup), match[0]
        text = text.replace(",", "") if kind == "number" else text
        found.append(Found(kind, text, match.start()))
        known = text in vocabulary or (kind == "term" and vocabulary.issuperset(_parts(text)))
        if kind != "number" and not known:
            found.append(Found("stranger", text, match.start()))
    if '"' in line or "“" in line or "'" in line:
        found += [Found("quoted", m[1] or m[2], m.start()) for m in _QUOTED.finditer(line)]
    return found


_PART = re.compile(r"\w+")
_parts = _PART.findall


def vocabulary_of(texts: Iterable[str]) -> frozenset[str]:
    """Every word of some texts; of compounds, the parts."""
    return frozenset(_PART.findall("\n".join(texts)))


_NAME_OR_NUMBER = re.compile(r"[^\W\d_a-z]\w*|[0-9][0-9,.:]*")


def skeletons(line: str) -> list[str]:
    """What is left of a line that somebody swapped names, numbers, its head or its tail in."""
    words = line.split()
    bare = " ".join(_NAME_OR_NUMBER.sub("#", line).split())
    if len(words) < 10:
        return [bare] if len(words) > 4 else []
    return [bare, " ".join(words[:6]), " ".join(words[-6:])]
