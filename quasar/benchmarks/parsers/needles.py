"""Parsers of RULER's needles: people by what they do and keep, and the numbers that are theirs."""

import re
from collections import defaultdict

from quasar.benchmarks.families.ruler_needles import SWAPS
from quasar.benchmarks.families.ruler_wordings import BOTH, LATEST, LINKS, ROLES
from quasar.benchmarks.parsers.wordings import NUMBER, find, first, follow, read
from quasar.benchmarks.traits import HOMES, PETS, TRADES

TOLD = {trait.asked: trait.told for table in (TRADES, PETS, HOMES) for trait in table}
"""What a line says, by what a question says."""
_TRADE = "|".join(trade.asked for trade in TRADES)
UUID = "[0-9a-f]{8}-[0-9a-f-]{27}"


def described(question: str) -> list[str]:
    """Trade and pet of each person in a question, as lines tell them."""
    found = re.findall(f"the ({_TRADE}) who keeps ([a-z]+)", question)
    return [f"{TOLD[trade]} and {TOLD[pet]}" for trade, pet in found]


def needles(question: str, context: str) -> str:
    """From the description to the name, to those who fill in, to the numbers."""
    links = {line.held["a"]: line.held["b"] for line in read(context, {"link": LINKS})}
    both = "one valid number" not in question
    held = defaultdict[str, list[str]](list)
    value = f"{UUID}|{NUMBER}"
    for said in read(context, {"note": BOTH if both else LATEST}, v=value, w=value):
        held[said.held["a"]] += [said.held["v"], said.held["w"]][: 1 + both]
    answers = list[str]()
    people = described(question)
    steps = question.count("fills in for") // len(people)
    for does in people:
        roles = [role.replace("{does}", does) for role in ROLES]
        name = first(read(context, {"role": roles})).held["a"]
        answers += held[follow(links, name, steps)]
    return ", ".join(answers)


def numbers(question: str, context: str) -> str:
    """The number on the line that tells all three traits."""
    return find(r"\b([0-9]{7})\b", _owner(question, context))


def identifiers(question: str, context: str) -> str:
    """What the identifier on the line with all three traits is exchanged for."""
    held = find(f"({UUID})", _owner(question, context))
    swaps = [wording.replace("{u}", held) for wording in SWAPS]
    return first(read(context, {"swap": swaps}, v=UUID)).held["v"]


def _owner(question: str, context: str) -> str:
    asked = re.findall(rf"the ({_TRADE}) who keeps (.+) and lives (.+)\?", question)[0]
    told = [TOLD[trait] for trait in asked]
    return first(line for line in context.split("\n") if all(trait in line for trait in told))
