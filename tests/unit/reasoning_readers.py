"""Oracles of the reasoning families: they read question and proof, and know the wordings."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from quasar.benchmarks.families import (
    absent,
    ancestors,
    associations,
    factbook2,
    latent_list,
    latest,
    stories,
    variables,
)

Lines = Sequence[str]


@cache
def pattern(wording: str) -> re.Pattern[str]:
    """Matches what a wording with ``{a}`` and its kin was made into."""
    text, seen = "", set[str]()
    for part in re.split(r"(\{\w+\})", wording.removesuffix("\n")):
        key = part.strip("{}")
        if part == key:
            text += re.escape(part)
        else:
            text += f"(?P={key})" if key in seen else f"(?P<{key}>.+?)"
            seen.add(key)
    return re.compile(text)


def told(line: str, wordings: Sequence[str]) -> Mapping[str, str] | None:
    """What a line says in one of these wordings; None if it says nothing of the kind."""
    for wording in wordings:
        if match := pattern(wording).fullmatch(line):
            return match.groupdict()
    return None


def find(expression: str, text: str) -> str:
    """The first group of the first match; empty where there is none."""
    match = re.search(expression, text)
    return match[1] if match else ""


def read_latest(question: str, lines: Lines) -> str:
    book = dict[str, str]()
    for line in lines:
        if said := told(line, latest.TRUE):
            book[said["a"]] = said["b"]
    at = find(r"Look up (\w+),", question)
    while at in book:
        at = book[at]
    return at


def read_stories(question: str, lines: Lines) -> str:
    places, owners = dict[str, str](), dict[str, list[str]]()
    trails = dict[str, list[str]]()
    for line in lines:
        if said := told(line, stories.WENT):
            places[said["a"]] = said["b"]
        if said := told(line, stories.GOT):
            owners.setdefault(said["a"], []).append(said["b"])
        for thing, had in owners.items():
            trail, at = trails.setdefault(thing, []), places.get(had[-1], "")
            if at and trail[-1:] != [at]:
                trail.append(at)
    if "How many" in question:
        listed = find(r"all in all: (.*)\?", question).replace("the ", "").split(", ")
        return ", ".join(str(len(owners[thing])) for thing in listed)
    ((thing, had),) = owners.items()
    if "Who had it" in question:
        assert trails[thing][-1] == find(r"is in (\w+) at", question)
        return had[-2]
    assert f"the {thing} " in question
    return trails[thing][-2 if "before it came" in question else -1]


def read_ancestors(question: str, lines: Lines) -> str:
    parents = dict[str, str]()
    for line in lines:
        said = told(line, ancestors.BORN)
        assert said is not None
        parents[said["a"]] = said["b"]
    children = {parent: child for child, parent in parents.items()}
    if "How many" in question:
        low, high = find(r"up from (\w+)", question), find(r"is (\w+), and", question)
        steps = 0
        while low != high:
            low, steps = parents[low], steps + 1
        return f"{steps}, {children[high]}"
    at, way = find(r" of (\w+)(?:\?| that)", question), parents
    if "descendant" in question:
        way = children
    for _ in lines:
        at = way[at]
    wanted = [n for n, word in ancestors.ORDINALS.items() if f"the {word} " in question]
    assert wanted in ([], [len(lines)])
    return at


def read_variables(question: str, lines: Lines) -> str:
    values = dict[str, int]()
    for line in lines:
        for action in ("set", "add", "subtract"):
            said = told(line, variables.WORDINGS[action])
            if said is None:
                continue
            by = int(said.get("n") or said["m"])
            read = values.get(said.get("b", ""), 0)
            values[said["a"]] = {"set": by, "add": read + by, "subtract": read - by}[action]
    return str(values[find(r"register (\w+) at", question)])


def read_latent_list(question: str, lines: Lines) -> str:
    begun = told(lines[0], [latent_list.BEGIN])
    assert begun is not None
    items = [int(number) for number in begun["n"].split(", ")]
    for line in lines[1:]:
        for action, wordings in latent_list.WORDINGS.items():
            said = told(line, wordings)
            if said is not None and action != "idle":
                number, at = int(said.get("n") or 0), int(said.get("k") or 0)
                latent_list.apply(action, items, at, number)
    first, last = map(int, re.findall(r"items (\d+) to (\d+)", question)[0])
    part = items[first - 1 : last]
    if "the sum of" in question:
        return str(sum(part))
    return (
        str(min(part) * len(items)) if "the smallest of" in question else ", ".join(map(str, part))
    )


def read_absent(question: str, lines: Lines) -> str:
    answers = list[str]()
    for part in find(r"as numbers: (.*)\. The document", question).split("; "):
        for attribute in absent.ATTRIBUTES:
            if asked := told(part, [attribute.asked]):
                found = [told(line, attribute.told) for line in lines]
                answers += [
                    next((said["n"] for said in found if said and said["a"] == asked["a"]), "none")
                ]
    return ", ".join(answers)


def read_factbook(question: str, lines: Lines) -> str:
    at = find(r"(\w+)\?\n", question)
    for line in lines[:-1]:
        said = next(found for tie in factbook2.TIES if (found := told(line, tie.told)))
        assert said["a"] == at
        at = said["b"]
    assert lines[-1].startswith(f"{at} - ")
    return find(r"([0-9][0-9,]*)", lines[-1]).replace(",", "")


def read_associations(question: str, lines: Lines) -> str:
    for table in associations.tables():
        wanted = find(re.escape(table.asked).replace(r"\{e\}", "([0-9]+)"), question)
        if wanted:
            break
    entry = next(entry for entry in table.entries if entry.asked == wanted)
    both = [w.format(a="{a}", e=entry.told) for w in table.told]
    said = told(lines[0], [*both, *(w[0].upper() + w[1:] for w in both)])
    assert said is not None
    at = said["a"]
    for line in lines[1:]:
        lodging = told(line, associations.LODGING)
        assert lodging is not None
        assert lodging["a"] == at
        at = lodging["b"]
    return at


READERS: dict[str, Callable[[str, Lines], str]] = {
    "absent@1": read_absent,
    "ancestors@1": read_ancestors,
    "associations@1": read_associations,
    "factbook@2": read_factbook,
    "latent_list@1": read_latent_list,
    "latest@1": read_latest,
    "stories@1": read_stories,
    "variables@1": read_variables,
}
