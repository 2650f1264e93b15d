"""Family ``instance@1``: who brought the i-th letter of a writer about a matter.

Four people write many letters to each other about a few matters, each several times, quoting the
same verses: near duplicates, as in multi-round co-reference. A letter is four lines: who writes to
whom in wording that goes both ways, the matter without its name, a real verse, and the messenger,
whom no other letter has. So the line with the answer holds no word of the question, and the
asked writer stands in half of all letters.

It measures counting in order by meaning. A program that knows these wordings solves it.
"""

from functools import cache
from typing import Annotated

from msgspec import Meta, Struct

from quasar.benchmarks import bible, names
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

WRITERS = 4
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
QUOTED = 8
"""Verses in a context that letters quote."""
LONGEST = 20
"""Canonical tokens of a verse that is quoted, at most."""

ENVELOPES = (
    "{a} to {b}, greeting.\n",
    "From {a}, for the eyes of {b}.\n",
    "{a} has this to tell {b}.\n",
    "{b} heard from {a} once more.\n",
    "For {b}, in the hand of {a}.\n",
    "{b} broke the wax of {a} and read.\n",
)
"""Lines that say that ``a`` writes to ``b``; half begin with the reader."""

MATTERS = {
    "a harvest": (
        "The barley stood so high that the sickles were dull by noon.\n",
        "Every sheaf is bound, and the barn will not hold them.\n",
        "Hail spared our wheat, so there is grain until spring.\n",
        "The reapers went home with full sacks and sore backs.\n",
    ),
    "an illness": (
        "The fever has gone down, yet she cannot rise from bed.\n",
        "His cough is worse, and the physician shakes his head.\n",
        "Since yesterday she keeps no food down and cannot sleep.\n",
        "They put wet cloths on his brow and count his breaths.\n",
    ),
    "a wedding": (
        "The bride wore her mother's veil, and the ring was small.\n",
        "They knelt before the priest as two and rose as one.\n",
        "My niece has taken a husband, and we danced until dawn.\n",
        "Both families sat at one table when the vows were spoken.\n",
    ),
    "a theft": (
        "The lock was forced at night and the spoons are gone.\n",
        "Whoever climbed in by our window knew where the purse lay.\n",
        "My horse is not in its stall, and the rope was cut.\n",
        "A strange hand was in my pocket, and now it is empty.\n",
    ),
    "a voyage": (
        "The mast broke in the gale, but we made port.\n",
        "Nine weeks of salt water, and at last a coast.\n",
        "We lie at anchor and wait for a fair wind.\n",
        "The captain says that two more tides will bring us in.\n",
    ),
}
"""How the question names each, and lines that tell of it."""

MESSENGERS = (
    "{c} had the bag that day.\n",
    "It came over the hills with {c}.\n",
    "The saddle was that of {c}.\n",
    "{c} got a meal for the trouble.\n",
)


class Parameters(Struct, frozen=True):
    """Difficulty."""

    matters: Annotated[int, Meta(ge=4, le=5)]
    letters: Annotated[int, Meta(ge=5, le=8)]
    """Of each writer about each matter."""


class Letter(Struct, frozen=True):
    """One letter but for names: numbers of what it is made of."""

    writer: int
    reader: int
    envelope: int
    matter: int
    wording: int
    verse: int
    messenger: int


class Plan(Struct, frozen=True):
    """What variants share."""

    letters: list[Letter]
    verses: list[int]
    """Numbers of quotable ones."""
    asked: int
    """The letter."""


def _letter(draw: Draw, writer: int, matter: int) -> Letter:
    reader = (writer + 1 + draw.below(WRITERS - 1)) % WRITERS
    envelope, wording = draw.below(len(ENVELOPES)), draw.below(4)
    return Letter(writer, reader, envelope, matter, wording, draw.below(QUOTED), draw.below(4))


def _like(letters: list[Letter], one: Letter) -> list[int]:
    """Numbers of the letters of that writer about that matter."""
    pairs = enumerate((letter.writer, letter.matter) for letter in letters)
    return [i for i, pair in pairs if pair == (one.writer, one.matter)]


@cache
def _quotable() -> tuple[str, ...]:
    """Short verses without their citations."""
    sizes = corpus().tokens
    return tuple(v.text for v in bible.verses() if sizes[v.unit] <= LONGEST and v.text[0].isalpha())


class Instance(Planted[Parameters, Plan]):
    """The family. The rate is for a messenger of any letter that names the writer, at level 1."""

    name = "instance@1"
    guess_rate = 1 / 50
    levels = (Parameters(5, 5), Parameters(5, 6), Parameters(5, 7))
    min_tokens = 8_000
    ordered = True

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        matters = draw.sample(range(len(MATTERS)), parameters.matters)
        each = [(w, m) for w in range(WRITERS) for m in matters] * parameters.letters
        letters = [_letter(draw, writer, matter) for writer, matter in draw.shuffled(each)]
        like = _like(letters, draw.choice(letters))
        asked = draw.choice(like[1:-1])  # an end would be likely to be an end of all letters
        return Plan(letters, draw.sample(range(len(_quotable())), QUOTED), asked)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        invented = names.many(draw, WRITERS + len(plan.letters))
        people, messengers = invented[:WRITERS], invented[WRITERS:]
        pieces = [
            _piece(letter, people, messenger, plan.verses)
            for letter, messenger in zip(plan.letters, messengers, strict=True)
        ]
        asked = plan.letters[plan.asked]
        like = [i for i in _like(plan.letters, asked) if i <= plan.asked]
        matter = list(MATTERS)[asked.matter]
        return Spelled(
            pieces,
            "People write letters in it, four lines each, and the last line tells of the messenger."
            f" Who brought the {ORDINALS[len(like) - 1]} letter, in the order of the document, "
            f"that {people[asked.writer]} wrote about {matter}?",
            "the name of the messenger",
            messengers[plan.asked],
            like,
        )


def _piece(letter: Letter, people: list[str], messenger: str, verses: list[int]) -> str:
    told = list(MATTERS.values())[letter.matter][letter.wording]
    verse = _quotable()[verses[letter.verse]]
    a, b = people[letter.writer], people[letter.reader]
    return (
        ENVELOPES[letter.envelope].format(a=a, b=b)
        + told
        + f"{verse}\n"
        + MESSENGERS[letter.messenger].format(c=messenger)
    )
