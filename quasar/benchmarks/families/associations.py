"""Family ``associations@1``: question and line mean the same and share no word.

Every line ties an invented person to one entry of a table that everyone knows: an element by its
name, an hour in words, a day by its date, a year in Roman numerals, a number in dozens. The
question names the entry otherwise: by atomic number, in minutes since midnight, as a day of the
year, in digits. Then it goes on from that person to the one with whom they lodge, and so on, in a
ring in which every name stands equally often.

It measures search by meaning, the idea of NoLiMa, with tables of our own. Capitals are left out:
the factbook in the haystack would lead to them. A program that has the tables solves it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

ELEMENTS = (
    "hydrogen", "helium", "lithium", "beryllium", "boron", "carbon", "nitrogen", "oxygen",
    "fluorine", "neon", "sodium", "magnesium", "aluminium", "silicon", "phosphorus", "sulphur",
    "chlorine", "argon", "potassium", "calcium", "scandium", "titanium", "vanadium", "chromium",
    "manganese", "iron", "cobalt", "nickel", "copper", "zinc", "gallium", "germanium", "arsenic",
    "selenium", "bromine", "krypton", "rubidium", "strontium", "yttrium", "zirconium", "niobium",
    "molybdenum", "technetium", "ruthenium", "rhodium", "palladium", "silver", "cadmium", "indium",
    "tin", "antimony", "tellurium", "iodine", "xenon", "caesium", "barium", "lanthanum", "cerium",
    "praseodymium", "neodymium", "promethium", "samarium", "europium", "gadolinium", "terbium",
    "dysprosium", "holmium", "erbium", "thulium", "ytterbium", "lutetium", "hafnium", "tantalum",
    "tungsten", "rhenium", "osmium", "iridium", "platinum", "gold", "mercury", "thallium", "lead",
    "bismuth",
)  # fmt: skip
"""By atomic number, from 1."""
MONTHS = (
    ("January", 31),
    ("February", 28),
    ("March", 31),
    ("April", 30),
    ("May", 31),
    ("June", 30),
    ("July", 31),
    ("August", 31),
    ("September", 30),
    ("October", 31),
    ("November", 30),
    ("December", 31),
)
WORDS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
PAST = {
    0: "{h} on the hour",
    5: "five past {h}",
    10: "ten past {h}",
    15: "a quarter past {h}",
    20: "twenty past {h}",
    30: "half past {h}",
    40: "twenty to {next}",
    45: "a quarter to {next}",
    50: "ten to {next}",
    55: "five to {next}",
}
ROMAN = {
    1000: "M", 900: "CM", 500: "D", 400: "CD", 100: "C", 90: "XC", 50: "L", 40: "XL", 10: "X",
    9: "IX", 5: "V", 4: "IV", 1: "I",
}  # fmt: skip


class Entry(NamedTuple):
    """What a line says, and what a question says instead."""

    told: str
    asked: str


class Table(NamedTuple):
    """Entries of one kind."""

    entries: tuple[Entry, ...]
    told: tuple[str, ...]
    """Lines about person ``a`` and entry ``e``."""
    asked: str
    """Who is looked for."""


LODGING = (
    "{a} rents an attic from {b}.\n",
    "{b} collects the rent from {a} on Mondays.\n",
    "{a} came to {b} with a trunk and took the room by the stairs.\n",
    "{b} cooks for {a}, who pays by the week.\n",
)
"""Lines in which ``a`` lodges with ``b``."""


def roman(number: int) -> str:
    """In Roman numerals."""
    text = ""
    for value, letters in ROMAN.items():
        times, number = divmod(number, value)
        text += letters * times
    return text


def _hours() -> tuple[Entry, ...]:
    found = list[Entry]()
    for hour in range(1, 11):
        for minute, words in PAST.items():
            told = words.format(h=WORDS[hour - 1], next=WORDS[hour])
            found.append(Entry(f"{told} in the morning", str(60 * hour + minute)))
    return tuple(found)


def _days() -> tuple[Entry, ...]:
    dates = [f"{month} {day}" for month, days in MONTHS for day in range(1, days + 1)]
    return tuple(Entry(date, str(day)) for day, date in enumerate(dates, 1))[31:]


@cache
def tables() -> tuple[Table, ...]:
    """All of them; each has more entries than any task needs."""
    return (
        Table(
            tuple(Entry(name, str(i)) for i, name in enumerate(ELEMENTS, 1)),
            ("{a} trades in {e}.\n", "The best {e} comes from {a}.\n", "{e} made {a} rich.\n"),
            "the one whose substance has the atomic number {e}",
        ),
        Table(
            _hours(),
            (
                "{a} gets up at {e}.\n",
                "At {e} one hears {a} sing.\n",
                "The bell rings for {a} at {e}.\n",
            ),
            "the one whose time is {e} minutes past midnight",
        ),
        Table(
            _days(),
            (
                "{a} was born on {e}.\n",
                "On {e} they light candles for {a}.\n",
                "{e} belongs to {a}.\n",
            ),
            "the one whose feast is day {e} of a year without leap day",
        ),
        Table(
            tuple(Entry(roman(year), str(year)) for year in range(1101, 1900)),
            (
                "{e} is carved above the door of {a}.\n",
                "{a} drinks wine marked {e}.\n",
                "The seal of {a} has {e} on it.\n",
            ),
            "the one whose year is {e}",
        ),
        Table(
            tuple(
                Entry(f"{dozens} dozen and {rest}", str(12 * i + j))
                for i, dozens in enumerate(WORDS, 1)
                for j, rest in enumerate(WORDS[:11], 1)
            ),
            (
                "{a} sold {e} eggs.\n",
                "Of eggs, {e} lay in the basket of {a}.\n",
                "The hens of {a} laid {e}.\n",
            ),
            "the one whose count is {e}",
        ),
    )


class Parameters(Struct, frozen=True):
    """Difficulty."""

    people: Annotated[int, Meta(ge=60, le=80)]
    hops: Annotated[int, Meta(ge=0, le=4)]
    """How many lodgings follow."""


class Plan(Struct, frozen=True):
    """What variants share."""

    table: int
    entries: list[int]
    """Of each person; the first one's is asked for."""
    wordings: list[int]
    hops: int
    ring: list[int]
    """All people; each lodges with the next."""
    lodgings: list[int]
    """Wording for each of the ring."""


class Associations(Planted[Parameters, Plan]):
    """The family. The rate is for any planted name."""

    name = "associations@1"
    guess_rate = 1 / 60
    levels: Sequence[Parameters] = (Parameters(60, 0), Parameters(60, 1), Parameters(80, 3))
    min_tokens = 8_000

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        table, people = draw.below(len(tables())), range(parameters.people)
        chosen = tables()[table]
        return Plan(
            table,
            draw.sample(range(len(chosen.entries)), parameters.people),
            [draw.below(len(chosen.told)) for _ in people],
            parameters.hops,
            draw.shuffled(people),
            [draw.below(len(LODGING)) for _ in people],
        )

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        people, table = names.many(draw, len(plan.ring)), tables()[plan.table]
        pieces = [
            _first_large(table.told[wording].format(a=name, e=table.entries[entry].told))
            for name, entry, wording in zip(people, plan.entries, plan.wordings, strict=True)
        ]
        landlords = plan.ring[1:] + plan.ring[:1]
        for a, b, wording in zip(plan.ring, landlords, plan.lodgings, strict=True):
            pieces.append(LODGING[wording].format(a=people[a], b=people[b]))
        place, proof, at = plan.ring.index(0), [0], 0
        for hop in range(plan.hops):
            along = (place + hop) % len(plan.ring)
            proof.append(len(people) + along)
            at = landlords[along]
        who = table.asked.format(e=table.entries[plan.entries[0]].asked)
        question = f"Each person has something of one kind in the document. Who is {who}?"
        if plan.hops:
            steps = ", then that one's host" * (plan.hops - 1)
            question = (
                "Each person has something of one kind in the document, and lodges with another. "
                f"Find {who}, then the host there{steps}. Who is the last?"
            )
        return Spelled(pieces, question, "the name", people[at], proof)


def _first_large(line: str) -> str:
    return line[0].upper() + line[1:]
