"""Parsers of families that tell who goes with whom or what, in any order, and ask to look it up."""

import re

from quasar.benchmarks.families import absent as numbers
from quasar.benchmarks.families import ancestors as births
from quasar.benchmarks.families import associations as tables
from quasar.benchmarks.families import factbook2 as ties
from quasar.benchmarks.families.factbook import FIELDS
from quasar.benchmarks.parsers.wordings import NUMBER, find, first, follow, pattern, read


def absent(question: str, context: str) -> str:
    """Looks up each number by person and kind; what nothing was said of is none."""
    told = dict(enumerate(attribute.told for attribute in numbers.ATTRIBUTES))
    book = {(kind, held["a"]): held["n"] for kind, held, _ in read(context, told)}
    answers = list[str]()
    for part in find(r"as numbers: (.+)\. The document", question).split("; "):
        for i, attribute in enumerate(numbers.ATTRIBUTES):
            if match := pattern(attribute.asked).fullmatch(part):
                answers.append(book.get((i, match["a"]), "none"))
    return ", ".join(answers)


def ancestors(question: str, context: str) -> str:
    """Goes up, or down, from parent to parent."""
    said = read(context, {"born": births.BORN})
    parents = {line.held["a"]: line.held["b"] for line in said}
    children = {parent: child for child, parent in parents.items()}
    if "How many generations" in question:
        at, end = re.findall(r"up from (\w+) is (\w+),", question)[0]
        steps = 0
        while at != end:
            at, steps = parents[at], steps + 1
        return f"{steps}, {children[end]}"
    at = find(r"(?:ancestor|descendant) of (\w+)(?:\?| that)", question)
    if "earliest" in question:
        while at in parents:
            at = parents[at]
        return at
    (steps,) = (n for n, word in births.ORDINALS.items() if f"the {word} " in question)
    return follow(children if "descendant of" in question else parents, at, steps)


def associations(question: str, context: str) -> str:
    """Finds the line of the entry by its other name, then goes from host to host."""
    told = _told(question)
    wordings = [text for line in told for text in (line, line[0].upper() + line[1:])]
    at = first(read(context, {"told": wordings})).held["a"]
    lodging = read(context, {"lodges": tables.LODGING})
    hosts = {line.held["a"]: line.held["b"] for line in lodging}
    hops = question.count("the host there") + question.count("that one's host")
    return follow(hosts, at, hops)


def _told(question: str) -> list[str]:
    """Wordings of the line about the asked entry, with a blank for the person."""
    for table in tables.tables():
        if match := pattern(table.asked, e=NUMBER).search(question):
            entry = first(entry for entry in table.entries if entry.asked == match["e"])
            return [wording.replace("{e}", entry.told) for wording in table.told]
    raise LookupError("an entry of no table")


def factbook(question: str, context: str) -> str:
    """Goes from place to place along the ties, and reads the number of the last."""
    told = dict(enumerate(tie.told for tie in ties.TIES))
    others = {(kind, held["a"]): held["b"] for kind, held, _ in read(context, told)}
    label, rest = first(
        (label, asked)
        for label, field in FIELDS.items()
        if (asked := question.partition(f"What is the {field} of ")[2].partition("?")[0])
    )
    ways = [tie.asked.removesuffix("{x}") for tie in ties.TIES]
    place = rest.split(" ")[-1]
    for way in reversed(re.findall("|".join(ways), rest)):
        place = others[ways.index(way), place]
    return find(rf"(?m)^{place} - {re.escape(label)}:.*?([0-9][0-9,]*)", context).replace(",", "")
