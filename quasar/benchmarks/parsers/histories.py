"""Parsers of families that tell in order what changes: a book, a list, registers, a story."""

import re
from typing import NamedTuple

from quasar.benchmarks.families import latent_list as lists
from quasar.benchmarks.families import latest as book
from quasar.benchmarks.families import ruler_vt
from quasar.benchmarks.families import stories as tales
from quasar.benchmarks.families import variables as registers
from quasar.benchmarks.parsers.wordings import NAME, NUMBER, find, read


def latest(question: str, context: str) -> str:
    """Keeps the last true entry of each key, and looks up from key to key."""
    said = read(context, {"true": book.TRUE}, b=f"{NAME}|{NUMBER}")
    entries = {line.held["a"]: line.held["b"] for line in said}
    at = entries[find(r"Look up (\w+),", question)]
    while at in entries:
        at = entries[at]
    return at


def variables(question: str, context: str) -> str:
    """Plays all assignments."""
    true = {kind: registers.WORDINGS[kind] for kind in ("set", "add", "subtract")}
    values = dict[str, int]()
    for kind, held, _ in read(context, true):
        if kind == "set":
            values[held["a"]] = int(held["n"])
        else:
            by = int(held["m"])
            values[held["a"]] = values.get(held["b"], 0) + (by if kind == "add" else -by)
    return str(values[find(r"in register (\w+) at", question)])


def chains(question: str, context: str) -> str:
    """Plays all copies, and gives the variables that end up with the number."""
    kinds = {"start": ruler_vt.STARTS, "copy": ruler_vt.COPIES}
    values = dict[str, str]()
    for kind, held, _ in read(context, kinds, v=NUMBER):
        if kind == "start":
            values[held["a"]] = ruler_vt.in_words(int(held["v"]))
        else:
            values[held["b"]] = values.get(held["a"], "")
    wanted = find(r"with the number (.+)\?", question)
    return ", ".join(name for name, value in values.items() if value == wanted)


def latent_list(question: str, context: str) -> str:
    """Plays the changes of the asked list."""
    first, last = map(int, re.findall(r"items ([0-9]+) to ([0-9]+) of", question)[0])
    items = _played(find(r"items [0-9]+ to [0-9]+ of (\w+)", question), context)
    part = items[first - 1 : last]
    if "the sum of" in question:
        return str(sum(part))
    if "the smallest of" in question:
        return str(min(part) * len(items))
    return ", ".join(map(str, part))


def _played(name: str, context: str) -> list[int]:
    """The list at the end."""
    items: list[int] = []
    for begun in read(context, {"begin": [lists.BEGIN]}, a=name, n="[0-9, ]+"):
        items = [int(number) for number in begun.held["n"].split(", ")]
    for action, held, _ in read(context, lists.WORDINGS, a=name):
        lists.apply(action, items, int(held.get("k", 0)), int(held.get("n", 0)))
    return items


class World(NamedTuple):
    """What happened to each thing, by its name."""

    owners: dict[str, list[str]]
    """Who had it, in order."""
    trails: dict[str, list[str]]
    """Where it was, in order."""


def stories(question: str, context: str) -> str:
    """Plays all journeys and gifts."""
    world = _world(context)
    if "How many people" in question:
        listed = find(r"all in all: the (.+)\?", question).split(", the ")
        return ", ".join(str(len(world.owners[thing])) for thing in listed)
    if "Who had it" in question:
        place = find(r"things is in (\w+) at", question)
        (thing,) = (thing for thing, trail in world.trails.items() if trail[-1:] == [place])
        return world.owners[thing][-2]
    trail = world.trails[find(r"Where (?:is|was) the (\w+ \w+) ", question)]
    return trail[-2 if "before it came" in question else -1]


def _world(context: str) -> World:
    world, places = World({}, {}), dict[str, str]()
    true = {"went": tales.WENT, "got": tales.GOT}
    for kind, held, _ in read(context, true, a=f"{NAME}|[a-z]+ [a-z]+"):
        if kind == "went":
            places[held["a"]] = held["b"]
        else:
            world.owners.setdefault(held["a"], []).append(held["b"])
        for thing, had in world.owners.items():
            trail, place = world.trails.setdefault(thing, []), places.get(had[-1])
            if place and trail[-1:] != [place]:
                trail.append(place)
    return world
