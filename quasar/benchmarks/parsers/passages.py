"""Parsers of families of longer pieces: letters, passages, copies and verses."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from quasar.benchmarks import bible
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.families import difference as copies
from quasar.benchmarks.families import instance as letters
from quasar.benchmarks.families import ruler_qa as qa
from quasar.benchmarks.parsers.needles import described
from quasar.benchmarks.parsers.wordings import find, first, pattern, read


def instance(question: str, context: str) -> str:
    """Counts the writer's letters about the matter, and reads whose messenger the asked one had."""
    said = re.findall(r"the (\w+) letter, .+ that (\w+) wrote about (.+)\?", question)
    (rank, writer, matter), lines = said[0], context.split("\n")
    told = [line.rstrip("\n") for line in letters.MATTERS[matter]]
    sent = read(context, {"from": letters.ENVELOPES}, a=writer)
    at = [said.number for said in sent if lines[said.number + 1] in told]
    last = lines[at[letters.ORDINALS.index(rank)] + 3]
    return first(read(last, {"brought": letters.MESSENGERS})).held["c"]


def people(question: str, context: str) -> str:
    """Goes from passage to passage, and reads the place in the last."""
    place, who = _asked(question)
    (does,) = described(who)
    passage = _passage(context, does=does)
    ways = {fact.asked.removesuffix("{x}"): fact for fact in qa.PEOPLE}
    for way in reversed(re.findall("|".join(ways), who)):
        passage = _passage(context, a=_fact(ways[way], passage))
    return _fact(place, passage)


def _asked(question: str) -> tuple[qa.Fact, str]:
    """The fact, and about whom."""
    for fact in qa.PLACES:
        if match := pattern(fact.asked, x=".+").search(question):
            return fact, match["x"]
    raise LookupError(question)


def _passage(context: str, **known: str) -> str:
    """The one about somebody who is called so, or does so."""
    blanks = {"does": ".+", "facts": ".+", **{key: re.escape(v) for key, v in known.items()}}
    found = first(read(context, {"about": qa.FORMS}, **blanks))
    return context.split("\n")[found.number]


def _fact(fact: qa.Fact, passage: str) -> str:
    found = filter(None, (pattern(told).search(passage) for told in fact.told))
    return first(match[1] for match in found)


@cache
def _nouns() -> Mapping[str, str]:
    """The kind of each noun that a copy may have."""
    return {noun: kind for kind, nouns in copies.KINDS.items() for noun in nouns.split()}


def difference(question: str, context: str) -> str:
    """Pairs old and new copies by all but their nouns, and finds the pair of the asked kinds."""
    was, now = re.findall(r"only, (.+) has become (.+)\. Which", question)[0]
    old = {rest: noun for rest, noun in _copies(context, "Old copy: ") if _nouns()[noun] == was}
    new = [pair for pair in _copies(context, "New copy: ") if _nouns()[pair[1]] == now]
    (answer,) = (noun for rest, noun in new if rest in old)
    return answer


def _copies(context: str, head: str) -> Iterator[tuple[str, str]]:
    """Each copy without its noun, and the noun."""
    noun = re.compile(rf"(?<![A-Za-z-])(?:{'|'.join(_nouns())})(?![a-z'-])")
    for line in context.split("\n"):
        if line.startswith(head):
            (found,) = noun.finditer(line)
            yield line[len(head) : found.start()] + "_" + line[found.end() :], found[0]


CITED = re.compile(r"((?:[123] )?[A-Z][a-z]+(?: of Solomon)? \d+:\d+) (.*)")


@cache
def _others() -> frozenset[str]:
    """Lines of the vendored text that are no verses."""
    return frozenset(corpus().units[i].rstrip("\n") for i in bible.other_units())


def _spaced(text: str) -> str:
    return f" {' '.join(bible.words(text))} "


def verses(question: str, context: str) -> str:
    """Counts verses from the quoted one on, leaving out the vendored text that is none."""
    cited = filter(None, map(CITED.fullmatch, context.split("\n")))
    found = [(match[1], match[2]) for match in cited if match[2] not in _others()]
    quoted = find('the words "(.+?)"', question)
    distance, way = re.findall(r"stands ([0-9]+) verses (after|before) it", question)[0]
    (at,) = (i for i, (_, text) in enumerate(found) if f" {quoted} " in _spaced(text))
    return found[at + (int(distance) if way == "after" else -int(distance))][0]
