"""RULER's needles among needles, where each key is a description and the question another one.

The whole context is lines of one kind: somebody with a trade, a pet and a home has a number. The
question describes one of them in words that no line has. Many others share two of the three with
the one that is asked for, and thousands share one; no two share all three.

These are ``niah_multikey_2`` (numbers) and ``niah_multikey_3`` (UUIDs for keys and values: half of
the lines give a person a first identifier, the others exchange it for a second one). They measure
telling many alike things apart by meaning; a program that knows these traits solves them.
"""

from collections.abc import Sequence
from itertools import permutations
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from quasar.benchmarks import tokenizer, values
from quasar.benchmarks.listed import Listed, Said
from quasar.benchmarks.traits import HOMES, PETS, TRADES
from quasar.draw import Draw, bulk, derive

TABLES = (TRADES, PETS, HOMES)
PEOPLE = len(TRADES) * len(PETS) * len(HOMES)
"""How many descriptions there are."""
OWNERS = (
    "Whoever {0}, {1} and {2} signs with {u}.\n",
    "{u} is painted on the gate of the one who {0}, {1} and {2}.\n",
    "One who {0}, {1} and {2} wears {u} on the sleeve.\n",
    "{u} stands in the book for the one who {0}, {1} and {2}.\n",
    "The badge of the one who {0}, {1} and {2} shows {u}.\n",
    "Parcels with {u} on them go to the one who {0}, {1} and {2}.\n",
)
"""Whose ``u`` is."""
ORDERS = tuple(permutations(range(3)))
"""In which a line tells the traits."""
SWAPS = (
    "{u} was handed in at the desk for {v}.\n",
    "Show {u} and you leave with {v}.\n",
    "{v} goes to the bearer of {u}.\n",
    "The clerk holds {v} back until somebody brings {u}.\n",
    "{v} was printed to take the place of {u}.\n",
    "On the last page {u} leads to {v}.\n",
)
"""``u`` becomes ``v``."""

Traits = tuple[int, int, int]
"""Numbers of a trade, a pet and a home."""


SLOTS = ("{u}", "{v}")
MARK = "\0"
"""Stands for a value until a variant has it."""
SHORTEST = 25
"""Nobody takes fewer tokens."""


class Crowd(Struct, frozen=True):
    """How many others share two of three traits with the one who is asked for."""

    alike: Annotated[int, Meta(ge=4, le=60)] = 24


class Plan(Struct, frozen=True):
    """By their traits: the one who is asked for, then those alike."""

    first: list[Traits]


class Needles(Struct, frozen=True):
    """The context but for its values; the lowest numbers are of the one who is asked for."""

    tokens: int
    parts: list[str]
    """What stands before, between and after the values."""
    slots: list[int]
    """Numbers of the values, in reading order."""
    proof: list[int]


class Line(NamedTuple):
    """A line or the wording of one."""

    text: str
    """With a MARK for each value."""
    held: Sequence[int]
    """Which of a person's values those are."""
    tokens: int


def _traits(number: int) -> Traits:
    number, home = divmod(number, len(HOMES))
    trade, pet = divmod(number, len(PETS))
    return trade, pet, home


def _told(traits: Traits) -> list[str]:
    return [table[i].told for table, i in zip(TABLES, traits, strict=True)]


def _wording(text: str, value: str) -> Line:
    """One of OWNERS or SWAPS: its tokens are those without the three traits."""
    held = sorted((i for i in (0, 1) if SLOTS[i] in text), key=lambda i: text.index(SLOTS[i]))
    marked = text.replace("{u}", MARK).replace("{v}", MARK)
    words = 3 if "{0}" in text else 0
    sample = marked.format("a", "a", "a").replace(MARK, value)
    return Line(marked, held, tokenizer.count(sample) - words)


class Multikey2(Listed[Crowd, Plan, Needles]):
    """Finding one number by a description, among thousands that are alike."""

    name = "ruler.niah_multikey_2@1"
    guess_rate = 1 / 200
    levels = (Crowd(12), Crowd(), Crowd(48))
    about = "Everybody in it has one number. Which is the number of"
    form = "the number"
    swaps: Sequence[str] = ()
    """Wordings of a second line about each."""

    def given(self, variant_seed: bytes, n: int) -> list[str]:
        """The first ``n`` of a variant's values."""
        drawn = bulk(variant_seed, f"{self.name}/values", 9_000_000, n)
        return [str(1_000_000 + number) for number in drawn]

    def plan(self, draw: Draw, parameters: Crowd) -> Plan:
        asked = _traits(draw.below(PEOPLE))
        trade, pet, home = asked
        others: list[Traits] = [
            *((i, pet, home) for i in range(len(TRADES)) if i != trade),
            *((trade, i, home) for i in range(len(PETS)) if i != pet),
            *((trade, pet, i) for i in range(len(HOMES)) if i != home),
        ]
        return Plan([asked, *draw.sample(others, parameters.alike)])

    def lay(self, plan: Plan, seed: bytes, size: int) -> Needles:
        seed = derive(seed, f"{self.name}/lines")
        lines = self._lines(plan, seed, size)
        order = sorted(range(len(lines)), key=bulk(seed, "order", 2**32, len(lines)).__getitem__)
        return Needles(
            sum(line.tokens for line in lines),
            "".join([lines[i].text for i in order]).split(MARK),
            [slot for i in order for slot in lines[i].held],
            [order.index(i) for i in range(2 if self.swaps else 1)],
        )

    def _lines(self, plan: Plan, seed: bytes, size: int) -> list[Line]:
        """As many as fit, person by person."""
        sample = self.given(seed, 1)[0]
        owners = [_wording(text, sample) for text in OWNERS]
        swaps = [_wording(text, sample) for text in self.swaps]
        costs = {t.told: tokenizer.count(f" {t.told}") for table in TABLES for t in table}
        most = size // SHORTEST
        drawn = map(_traits, bulk(seed, "traits", PEOPLE, 3 * most))
        people = dict.fromkeys([*plan.first, *drawn])
        dice = zip(*(bulk(seed, f"wording/{i}", 6, most) for i in range(3)), strict=True)
        lines: list[Line] = []
        left = size
        for traits, (owner, order, swap) in zip(people, dice, strict=False):
            told, first = _told(traits), owners[owner]
            slot = len(lines)
            text = first.text.format(*(told[i] for i in ORDERS[order]))
            here = [Line(text, [slot], first.tokens + sum(costs[t] for t in told))]
            if swaps:
                second = swaps[swap]
                here.append(second._replace(held=[slot + i for i in second.held]))
            left -= sum(line.tokens for line in here)
            if left < 0:
                break
            lines += here
        return lines

    def say(self, plan: Plan, variant_seed: bytes) -> Said:
        trade, pet, home = (table[i].asked for table, i in zip(TABLES, plan.first[0], strict=True))
        each = 2 if self.swaps else 1
        return Said(
            f"{self.about} the {trade} who keeps {pet} and lives {home}?",
            self.form,
            self.given(variant_seed, each)[-1],
        )

    def write(self, laid: Needles, variant_seed: bytes) -> str:
        held = self.given(variant_seed, len(laid.slots))
        text = [""] * (2 * len(laid.slots) + 1)
        text[::2] = laid.parts
        text[1::2] = [held[slot] for slot in laid.slots]
        return "".join(text)


class Multikey3(Multikey2):
    """Finding the UUID that another one leads to, by a description among many alike."""

    name = "ruler.niah_multikey_3@1"
    guess_rate = 1 / 150
    about = "Everybody in it starts with one identifier and ends up with another. What ends up with"
    form = "the second identifier, letters and hyphens included"
    swaps = SWAPS

    def given(self, variant_seed: bytes, n: int) -> list[str]:
        words = bulk(variant_seed, f"{self.name}/values", 2**32, 3 * n)
        return [
            values.as_uuid(((words[i] << 64) + (words[i + 1] << 32) + words[i + 2]) % values.UUIDS)
            for i in range(0, len(words), 3)
        ]
