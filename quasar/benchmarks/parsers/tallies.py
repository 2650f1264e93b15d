"""Parsers of families whose answers take many lines together: counts, sums, ranks."""

import re
from collections import Counter, defaultdict

from quasar.benchmarks.families import aggregate as ledger
from quasar.benchmarks.families import count as climbers
from quasar.benchmarks.families import ruler_words as shop
from quasar.benchmarks.parsers.wordings import NAME, find, read


def count(question: str, context: str) -> str:
    """Joins the facts about each person, and counts those who fit."""
    kinds = {
        (fact, truth): [wording[truth] for wording in wordings]
        for fact, wordings in enumerate(climbers.FACTS)
        for truth in (0, 1)
    }
    people = defaultdict[str, set[tuple[int, int]]](set)
    for kind, held, _ in read(context, kinds):
        people[held["a"]].add(kind)
    wanted = {
        (fact, truth)
        for fact, said in enumerate(climbers.SAID)
        for truth in (0, 1)
        if re.search(f" (?:of them|and) {said[truth]}", question)
    }
    return str(sum(wanted == told for told in people.values()))


def aggregate(question: str, context: str) -> str:
    """Adds up the ledger of each person."""
    rests = Counter[str]()
    for kind, held, _ in read(context, {"in": ledger.IN, "out": ledger.OUT}):
        rests[held["a"]] += int(held["n"]) if kind == "in" else -int(held["n"])
    if rank := re.search(r"has the (\w+) largest sum", question):
        return rests.most_common()[ledger.RANKS.index(rank[1]) + 1][0]
    people = [name for name in re.findall(NAME, question) if name in rests]
    first, *others = people
    return str(rests[first] - sum(rests[name] for name in others))


def sales(question: str, context: str) -> str:
    """Counts what was sold."""
    said = read(context, {"sold": shop.SOLD}, x=r"\w+ \w+")
    counts = Counter(line.held["x"] for line in said)
    asked = int(find(r"Which ([0-9]+) kinds", question))
    return ", ".join(thing for thing, _ in counts.most_common(asked))
