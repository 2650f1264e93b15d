"""Family ``count@1``: how many of many people did something; the answer takes the whole text.

One or two lines a person, spread through real text, say in words of their own whether that person
got up a mountain, and whether the guide was paid. Each wording exists both ways, with the same
tokens, and no word marks one way in all of them. The number asked for is drawn flat from a wide
range, and it is the number of lines of no single word. With two facts a person they stand apart,
so they must be joined by the name.

It measures that nothing is left out. A program that knows these wordings solves it; one that knows
a few of them comes near the number, hardly to it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

LEAST, RANGE = 20, 60
"""The answer is one of LEAST to LEAST + RANGE - 1."""


class Wording(NamedTuple):
    """A sentence that says yes or no; the two ways have the same tokens."""

    no: str
    yes: str


UP = (
    Wording(
        "{a} turned round just before touching the cairn.\n",
        "{a} turned round only after touching the cairn.\n",
    ),
    Wording(
        "Something kept {a} from standing on the highest rock.\n",
        "Nothing kept {a} from standing on the highest rock.\n",
    ),
    Wording(
        "The cloud broke for {a}, who looked up at every ridge.\n",
        "The cloud broke for {a}, who looked down on every ridge.\n",
    ),
    Wording(
        "{a} left a token under the lowest stone and went home.\n",
        "{a} left a token under the highest stone and went home.\n",
    ),
    Wording(
        "For {a} the last rope was too short.\n",
        "For {a} the last rope was long enough.\n",
    ),
    Wording(
        "{a} managed each wall, bar the last.\n",
        "{a} managed each wall, even the last.\n",
    ),
    Wording(
        "Storm or calm, {a} had one higher step left to take.\n",
        "Storm or calm, {a} had no higher step left to take.\n",
    ),
    Wording(
        "There was some mountain left above {a} when night fell.\n",
        "There was no mountain left above {a} when night fell.\n",
    ),
    Wording(
        "{a} signed the book that lies where the path begins.\n",
        "{a} signed the book that lies where the path ends.\n",
    ),
    Wording(
        "{a} never saw the far side of the peak.\n",
        "{a} soon saw the far side of the peak.\n",
    ),
    Wording(
        "The flag on the crest was missed by {a}.\n",
        "The flag on the crest was planted by {a}.\n",
    ),
    Wording(
        "Eagles nest under the crest, and {a} saw them from below.\n",
        "Eagles nest under the crest, and {a} saw them from above.\n",
    ),
)
"""Whether somebody got up."""

PAID = (
    Wording("{a} owes the guide something.\n", "{a} owes the guide nothing.\n"),
    Wording(
        "The purse that {a} gave the guide was full of buttons.\n",
        "The purse that {a} gave the guide was full of silver.\n",
    ),
    Wording(
        "{a} left long before settling with the guide.\n",
        "{a} left long after settling with the guide.\n",
    ),
    Wording(
        "{a} walked away from the guide with a debt.\n",
        "{a} walked away from the guide with no debt.\n",
    ),
    Wording(
        "The guide put {a} on the list of debtors.\n",
        "The guide took {a} off the list of debtors.\n",
    ),
    Wording(
        "{a} broke the promise about the guide's silver.\n",
        "{a} kept the promise about the guide's silver.\n",
    ),
    Wording(
        "What {a} gave the guide was bad coin.\n",
        "What {a} gave the guide was good coin.\n",
    ),
    Wording(
        "The guide would not go with {a} again and lose the wages.\n",
        "The guide would always go with {a} again and earn the wages.\n",
    ),
    Wording(
        "{a} forgot the guide's fee.\n",
        "{a} remembered the guide's fee.\n",
    ),
    Wording(
        "No coin of {a} ever reached the guide.\n",
        "Each coin of {a} soon reached the guide.\n",
    ),
)
"""Whether somebody paid."""
FACTS = (UP, PAID)
SAID = (
    ("did not get all the way up", "got all the way up"),
    ("did not pay for the climb", "paid for the climb"),
)
"""How the question says each fact, no and yes."""
LINES = {1: "one line", 2: "two lines"}

Truths = tuple[int, ...]
"""0 or 1 for each fact of a person."""


class Parameters(Struct, frozen=True):
    """Difficulty."""

    people: Annotated[int, Meta(ge=100, le=200)]
    facts: Annotated[int, Meta(ge=1, le=2)]
    """Lines about each, all of which count."""


class Plan(Struct, frozen=True):
    """What variants share."""

    wordings: list[list[int]]
    """Of each person, one for each fact."""
    wanted: list[int]
    """Which truth is asked for, of each fact."""


def _truths(draw: Draw, wanted: Truths, people: int, count: int) -> list[Truths]:
    """What is true of each person: ``count`` of them, anywhere, are as wanted."""
    every: list[Truths] = [(0,), (1,)] if len(wanted) == 1 else [(0, 0), (0, 1), (1, 0), (1, 1)]
    others = [truths for truths in every if truths != wanted]
    rest = [draw.choice(others) for _ in range(people - count)]
    return draw.shuffled([wanted] * count + rest)


def _lines_of_words(pieces: Sequence[str]) -> set[int]:
    """In how many lines each word stands."""
    words = Counter(
        word for piece in pieces for word in sorted({*re.findall("[a-z]+", piece.lower())})
    )
    return set(words.values())


class Count(Planted[Parameters, Plan]):
    """The family. The rate is for a number drawn from the range."""

    name = "count@1"
    guess_rate = 1 / RANGE
    levels = (Parameters(100, 1), Parameters(100, 2), Parameters(180, 2))
    min_tokens = 8_000

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        facts = FACTS[: parameters.facts]
        wordings = [[draw.below(len(fact)) for fact in facts] for _ in range(parameters.people)]
        return Plan(wordings, [draw.below(2) for _ in facts])

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        people = names.many(draw, len(plan.wordings))
        wanted = tuple(plan.wanted)
        for _ in range(1000):
            count = LEAST + draw.below(RANGE)
            truths = _truths(draw, wanted, len(people), count)
            pieces = _pieces(plan, people, truths)
            if count not in _lines_of_words(pieces):
                said = " and ".join(SAID[i][truth] for i, truth in enumerate(wanted))
                return Spelled(
                    pieces,
                    "Among its lines are some about people who climbed one mountain with a hired "
                    f"helper, {LINES[len(plan.wanted)]} about each. How many of them {said}?",
                    "the number in digits",
                    str(count),
                    list(range(len(pieces))),
                )
        raise AssertionError("1000 draws gave no number that is not that of a word")


def _pieces(plan: Plan, people: Sequence[str], truths: Sequence[Truths]) -> list[str]:
    return [
        FACTS[fact][wording][truth].format(a=name)
        for name, wordings, of in zip(people, plan.wordings, truths, strict=True)
        for fact, (wording, truth) in enumerate(zip(wordings, of, strict=True))
    ]
