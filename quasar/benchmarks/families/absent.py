"""Family ``absent@1``: several things at once, some of which the document does not say.

Each of a dozen people and more has six of eight numbers told, each in wording that the question
does not share; all have four digits. A question asks for some numbers of different people and
kinds, and half of them on average are not told: their place in the answer is ``none``. All and
nothing never are, so neither one who always answers nor one who never does is right.

It measures knowing what was not read. A program that knows the wordings of each kind solves it.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw


class Attribute(NamedTuple):
    """Something that may be told about a person."""

    asked: str
    told: tuple[str, ...]
    """Lines about person ``a`` with number ``n``."""


ATTRIBUTES = (
    Attribute(
        "the money that {a} owes",
        (
            "{a} still has {n} florins to pay back.\n",
            "Some lender waits for {n} florins from {a}.\n",
            "Without those {n} florins of debt {a} would sleep better.\n",
        ),
    ),
    Attribute(
        "the size of the flock of {a}",
        (
            "{a} drives {n} ewes to the hills.\n",
            "At shearing, {n} ewes crowd the yard of {a}.\n",
            "A wolf looks down on the {n} ewes that graze for {a}.\n",
        ),
    ),
    Attribute(
        "the number of volumes in the library of {a}",
        (
            "{a} put {n} books on the shelves.\n",
            "The walls of {a} are lined with {n} books.\n",
            "Mice live behind the {n} books that {a} inherited.\n",
        ),
    ),
    Attribute(
        "the length of the last journey of {a}",
        (
            "{a} came home after {n} miles on the road.\n",
            "It took {a} all summer to walk those {n} miles.\n",
            "The boots of {a} lasted {n} miles and fell apart.\n",
        ),
    ),
    Attribute(
        "the weight of the cart of {a}",
        (
            "The scales showed {n} pounds under the wagon of {a}.\n",
            "{a} needs an ox to move {n} pounds of oak and iron on wheels.\n",
            "The bridge groaned: {a} rolled {n} pounds over it.\n",
        ),
    ),
    Attribute(
        "the extent of the orchard of {a}",
        (
            "{a} planted {n} apple trees.\n",
            "In May, {n} apple trees are in flower behind the house of {a}.\n",
            "Frost spared the {n} apple trees on the land of {a}.\n",
        ),
    ),
    Attribute(
        "the stock in the cellar of {a}",
        (
            "{n} bottles lie under the stairs of {a}.\n",
            "{a} counts {n} bottles of red and white below the kitchen.\n",
            "No thief ever found the {n} bottles that {a} keeps cool.\n",
        ),
    ),
    Attribute(
        "the support for {a} at the election",
        (
            "{n} townsmen raised a hand for {a}.\n",
            "{a} carried the day with {n} ballots.\n",
            "In the urn lay {n} slips with the name {a} on them.\n",
        ),
    ),
)
TOLD = 6
"""Attributes that are told of each person."""


class Parameters(Struct, frozen=True):
    """Difficulty."""

    asked: Annotated[int, Meta(ge=4, le=6)]
    """Things in a question."""
    people: Annotated[int, Meta(ge=10, le=50)]


class Line(Struct, frozen=True):
    """One line but for its number."""

    person: int
    attribute: int
    wording: int


class Plan(Struct, frozen=True):
    """What variants share."""

    people: int
    asked: list[tuple[int, int]]
    """Person and attribute of each thing."""
    lines: list[Line]


class Absent(Planted[Parameters, Plan]):
    """The family. The rate: the pattern among 14, and one of six numbers for one or more of them.

    One thing told and three absent is 4 patterns of 14, with chance 1/6 for the number; then 6
    patterns with 1/36, and 4 with 1/216. At best one bets on one thing told: 1/14 times 1/6.
    """

    name = "absent@1"
    guess_rate = 1 / 84
    levels: Sequence[Parameters] = (Parameters(4, 12), Parameters(5, 20), Parameters(6, 40))
    min_tokens = 8_000

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        kinds = range(len(ATTRIBUTES))
        orders = [draw.shuffled(kinds) for _ in range(parameters.people)]
        lines = [
            Line(person, kind, draw.below(len(ATTRIBUTES[kind].told)))
            for person, order in enumerate(orders)
            for kind in order[:TOLD]
        ]
        pattern = 1 + draw.below((1 << parameters.asked) - 2)  # neither all absent nor all told
        people = draw.sample(range(parameters.people), parameters.asked)
        asked = list[tuple[int, int]]()
        for i, person in enumerate(people):
            order = orders[person]
            asked.append((person, draw.choice(order[:TOLD] if pattern >> i & 1 else order[TOLD:])))
        return Plan(parameters.people, asked, lines)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        people = names.many(draw, plan.people)
        numbers = draw.sample(range(1_000, 10_000), len(plan.lines))
        pieces = [
            ATTRIBUTES[line.attribute].told[line.wording].format(a=people[line.person], n=number)
            for line, number in zip(plan.lines, numbers, strict=True)
        ]
        told = {(line.person, line.attribute): i for i, line in enumerate(plan.lines)}
        found = [told.get(asked) for asked in plan.asked]
        answer = ", ".join("none" if i is None else str(numbers[i]) for i in found)
        listed = "; ".join(
            ATTRIBUTES[attribute].asked.format(a=people[person]) for person, attribute in plan.asked
        )
        question = (
            f"Give, in this order, as numbers: {listed}. The document does not say all of them; "
            "where it does not, say none."
        )
        form = "the numbers in digits, or none in their place, separated by a comma and a blank"
        asked_of = {person for person, _ in plan.asked}
        proof = [i for i, line in enumerate(plan.lines) if line.person in asked_of]
        return Spelled(pieces, question, form, answer, proof)
