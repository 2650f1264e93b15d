"""Cheap attackers on whole-context families: no model, no parser for a family's wordings."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.sources import sources

Lines = Sequence[str]


@cache
def known() -> frozenset[str]:
    """Every line of the vendored texts."""
    return frozenset(line for u in (*corpus().units, *sources().units) for line in u.split("\n"))


def words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text))


def attacks(name: str, asked: str, context: str) -> Iterator[tuple[str, str]]:
    """Ways and answers of one who knows the vendored texts.

    Who compares two variants finds the same lines: all that are not vendored differ.
    """
    lines = [line for line in context.split("\n") if line not in known()]
    for way, answer in on(name, asked, lines):
        yield way, f"ANSWER: {answer}"
    yield "dump", f"ANSWER: {' '.join(lines)[:2_000]}"
    yield "copy", asked
    yield "words of the question", f"ANSWER: {' '.join(sorted(words(asked)))}"


def on(name: str, asked: str, lines: Lines) -> Iterator[tuple[str, str]]:
    """Answers from some lines."""
    has, named = [words(line) for line in lines], words(asked)
    spread = Counter(word for held in has for word in held)
    for rank, key in enumerate(sorted(named & spread.keys(), key=lambda w: (spread[w], w))):
        at = [i for i, held in enumerate(has) if key in held]
        yield f"lines with word {rank}", str(len(at))
        for step in (0, 1, 3) if rank == 0 else ():
            near = [lines[i + step] for i in at if i + step < len(lines)]
            yield from picked(f"lines with the rarest word, {step:+}", name, near, asked)
    linking = {word for held in has if held & named for word in held}
    rare = {word for word in linking - named if spread[word] == 2}
    linked = [line for line, held in zip(lines, has, strict=True) if held & rare]
    yield from picked("lines that share a rare word with those", name, linked, asked)
    yield from picked("any line", name, lines, asked)


def candidates(name: str, line: str) -> Iterator[str]:
    """All on a line that has the form of the family's answers."""
    form = {"difference@1": r"[a-z]+", "verses@1": r"^[\w ]+? \d+:\d+(?= )"}
    yield from re.findall(form.get(name, r"\d+|[A-Z]\w+"), line)


def picked(way: str, name: str, lines: Lines, asked: str) -> Iterator[tuple[str, str]]:
    """One of all that lines offer, or several."""
    found = [text for line in lines for text in candidates(name, line) if text not in asked]
    if not found:
        return
    ranked = [text for text, _ in Counter(found).most_common()]
    yield f"{way}: first", found[0]
    yield f"{way}: last", found[-1]
    yield f"{way}: most frequent", ranked[0]
    yield f"{way}: least frequent", ranked[-1]
    yield f"{way}: hedged", " or ".join(ranked[:5])
    yield f"{way}: a line each", "\nANSWER: ".join(ranked[:20])
    numbers = [int(text) for text in found if text.isdigit()]
    if numbers:
        yield f"{way}: total", str(sum(numbers))
        yield f"{way}: largest", str(max(numbers))
