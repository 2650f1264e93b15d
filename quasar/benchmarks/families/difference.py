"""Family ``difference@1``: many verses stand twice with one word altered; find one alteration.

Each verse is real text in which one noun was replaced, by one noun in the old copy and by another
in the new copy. Nouns are of some kinds (animals, tools ...), and each ordered pair of kinds is
one verse's alteration: so at least 56 alterations are of the asked form. The question names the
two kinds, never a word of the verse, and the answer is the noun in the new copy.

It measures comparing documents as a whole by meaning. A program with lists of such nouns solves
it. Memory of the verse gives its first noun, the canary, which is wrong.
"""

import re
from functools import cache
from itertools import permutations
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from quasar.benchmarks import bible
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

KINDS = {
    "an animal": "horse lion wolf cat dog goat sheep mouse rabbit tiger camel eagle fox pig",
    "a tool": "hammer axe knife needle shovel pen pencil fork spoon brush ladder comb",
    "a fruit": "apple fig grape lemon cherry orange plum banana olive coconut pineapple",
    "a metal": "gold silver copper brass steel zinc nickel platinum aluminum titanium chrome",
    "a part of the body": "foot eye ear nose knee neck tongue shoulder finger elbow brain liver",
    "a garment": "coat shirt hat robe belt shoe cloak glove boot sock jacket skirt",
    "a kind of weather": "rain snow wind storm hail frost thunder fog breeze lightning mist",
    "a building": "house tower church palace barn castle cottage hotel school prison",
    "a piece of furniture": "table chair bed bench desk shelf couch cabinet stool carpet",
    "a vehicle": "ship boat cart wagon bicycle bus truck canoe car carriage ferry",
}
"""How the question names each kind, and nouns of it: one canonical token each after a blank.

All are words of the vendored texts: a word that these lack would stand out.
"""
WORDS = [nouns.split() for nouns in KINDS.values()]
LONGEST = 32
"""Canonical tokens of a verse, at most."""


class Slot(NamedTuple):
    """A verse with a place for a noun."""

    before: str
    """Ends with a blank."""
    noun: str
    """What really stands there."""
    after: str


@cache
def slots() -> tuple[Slot, ...]:
    """Verses with exactly one of all the nouns, not too long, none opening like another."""
    nouns = "|".join(noun for kind in WORDS for noun in kind)
    noun = re.compile(rf"(?<![A-Za-z-])(?:{nouns})(?![a-z'-])")
    found: dict[str, Slot] = {}
    for verse in bible.verses():
        matches = list(noun.finditer(verse.text)) if corpus().tokens[verse.unit] <= LONGEST else []
        before = verse.text[: matches[0].start()] if len(matches) == 1 else ""
        if before.endswith(" ") and not before.lower().endswith((" a ", " an ")):
            slot = Slot(before, matches[0][0], verse.text[matches[0].end() :])
            found.setdefault(verse.text[:16], slot)
    return tuple(found.values())


class Parameters(Struct, frozen=True):
    """Difficulty."""

    kinds: Annotated[int, Meta(ge=8, le=10)]
    """Of nouns: n of them make n * (n - 1) pairs of verses."""


class Plan(Struct, frozen=True):
    """What variants share."""

    kinds: list[int]
    """By number; the first alteration, from the first to the second, is asked for."""
    slots: list[int]
    """By number, one for each ordered pair of kinds."""


def _nouns(draw: Draw, kinds: list[int]) -> list[tuple[str, str]]:
    """Old and new noun for each ordered pair of kinds; none twice in a copy."""
    old = {kind: iter(draw.shuffled(WORDS[kind])) for kind in kinds}
    new = {kind: iter(draw.shuffled(WORDS[kind])) for kind in kinds}
    return [(next(old[a]), next(new[b])) for a, b in permutations(kinds, 2)]


class Difference(Planted[Parameters, Plan]):
    """The family. The rate is for any new noun at level 1."""

    name = "difference@1"
    guess_rate = 1 / 56
    levels = (Parameters(8), Parameters(9), Parameters(10))
    min_tokens = 8_000

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        n = parameters.kinds
        kinds = draw.sample(range(len(KINDS)), n)
        return Plan(kinds, draw.sample(range(len(slots())), n * (n - 1)))

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        verses = [slots()[i] for i in plan.slots]
        drawn = (_nouns(draw, plan.kinds) for _ in range(1000))
        nouns = next(found for found in drawn if verses[0].noun not in found[0])
        copies = [
            f"{copy}: {verse.before}{noun}{verse.after}\n"
            for verse, altered in zip(verses, nouns, strict=True)
            for copy, noun in zip(("Old copy", "New copy"), altered, strict=True)
        ]
        first, second = (list(KINDS)[kind] for kind in plan.kinds[:2])
        return Spelled(
            copies,
            "Some verses are in it twice, as an old copy and as a new one, which differ in one "
            f"word. In one verse only, {first} has become {second}. Which one has it become?",
            "the word in the new one",
            nouns[0][1],
            [0, 1],
            verses[0].noun,
        )
