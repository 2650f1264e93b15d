"""Family ``ancestors@1``: who is the sixth ancestor, and how far is it up to another?

Four lines of descent, told one birth a line, in wordings that put the older or the younger first.
Everybody also teaches one and houses one, and learns from one and lodges with one; and a line says
that no blood joins the first of one descent and the last of another. So every name stands on six
lines, and which lines lead up, down or nowhere is told by words alone.

It measures following one relation among others over many steps, as NeedleBench's ancestral trace
does. A program that knows the wordings of birth solves it.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from quasar.benchmarks import names
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

DESCENTS = 4
"""Lines of descent."""
DISTANCES = 12
"""How many distances may be the answer."""

BORN = (
    "{a} was born to {b} in a wet spring.\n",
    "{b} begot {a}, as the church book has it.\n",
    "{a} is the son or daughter of {b}; the record is blotted.\n",
    "{b} named the newborn {a} and wept for joy.\n",
    "{a} owes life and temper to {b}, whose offspring one knows at once.\n",
    "{b} put a cradle by the stove for little {a}, the firstborn of the house.\n",
)
"""Lines in which ``b`` is the parent of ``a``."""
APART = (
    "No blood joins {a} and {b}.\n",
    "{b} met {a} at a wedding, a guest like any other.\n",
)
"""Lines between the first of one descent and the last of another."""
LEARNED = (
    "{a} learned the trade from {b}.\n",
    "{b} taught {a} to read.\n",
    "{a} sat five winters on the bench in the school of {b}.\n",
    "{b} corrected the sums of {a} with red ink.\n",
)
LODGED = (
    "{a} rents an attic from {b}.\n",
    "{b} collects the rent from {a} on Mondays.\n",
    "{a} came to {b} with a trunk and took the room by the stairs.\n",
    "{b} cooks for {a}, who pays by the week.\n",
)
OTHERS = (LEARNED, LODGED)

ORDINALS = {4: "fourth", 6: "sixth", 8: "eighth", 10: "tenth", 12: "twelfth"}
Kind = Literal["ancestor", "descendant", "eldest", "distance"]
KINDS: tuple[Kind, ...] = ("ancestor", "descendant", "eldest", "distance")


class Parameters(Struct, frozen=True):
    """Difficulty."""

    generations: Literal[4, 6, 8, 10, 12]
    """How many births lie between the two people, at least."""

    @property
    def length(self) -> int:
        """People in a line of descent."""
        return self.generations + DISTANCES


class Plan(Struct, frozen=True):
    """What variants share. People are numbered through the descents, the youngest first."""

    kind: Kind
    length: int
    start: int
    """The person in the question."""
    steps: int
    """Up, or down for a descendant."""
    joined: list[int]
    """Descents in a ring: the last of each stands beside the first of the next."""
    rings: list[list[int]]
    """For each other relation all people, each of whom learns from, or lodges with, the next."""
    wordings: list[int]
    """For each line, to be taken modulo what there is."""


class Ancestors(Planted[Parameters, Plan]):
    """The family. A name among all others is hardly guessed, a distance with a name not at all."""

    name = "ancestors@1"
    guess_rate = 3 / 63 / 4
    levels: Sequence[Parameters] = (Parameters(4), Parameters(8), Parameters(12))
    min_tokens = 8_000

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        kind, length = draw.choice(KINDS), parameters.length
        more = draw.below(DISTANCES) if kind == "distance" else 0
        steps = parameters.generations + more
        first = length * draw.below(DESCENTS)
        top = first + length - 1
        start = first + draw.below(length - steps)
        start = {"eldest": top - steps, "descendant": start + steps}.get(kind, start)
        people = range(DESCENTS * length)
        rings = [draw.shuffled(people) for _ in OTHERS]
        wordings = [draw.below(12) for _ in range(3 * len(people))]
        joined = draw.shuffled(range(DESCENTS))
        return Plan(kind, length, start, steps, joined, rings, wordings)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        people = names.many(draw, DESCENTS * plan.length)
        lines = _lines(plan)
        pieces = [
            wordings[drawn % len(wordings)].format(a=people[a], b=people[b])
            for (wordings, a, b), drawn in zip(lines, plan.wordings, strict=True)
        ]
        low = plan.start - plan.steps if plan.kind == "descendant" else plan.start
        proof = list(range(low, low + plan.steps))
        if plan.kind == "descendant":
            proof.reverse()
        question, form, answer = _asked(plan, people)
        return Spelled(pieces, question, form, answer, proof)


def _lines(plan: Plan) -> list[tuple[Sequence[str], int, int]]:
    """Wordings and the two people of each line. Line i says who is the parent of person i."""
    found = list[tuple[Sequence[str], int, int]]()
    after = dict(zip(plan.joined, plan.joined[1:] + plan.joined[:1], strict=True))
    for person in range(DESCENTS * plan.length):
        descent, generation = divmod(person, plan.length)
        if generation == plan.length - 1:
            found.append((APART, person, after[descent] * plan.length))
        else:
            found.append((BORN, person, person + 1))
    for wordings, ring in zip(OTHERS, plan.rings, strict=True):
        pairs = zip(ring, ring[1:] + ring[:1], strict=True)
        found += [(wordings, a, b) for a, b in pairs]
    return found


def _asked(plan: Plan, people: list[str]) -> tuple[str, str, str]:
    """Question, form and answer."""
    start, name = people[plan.start], "the name"
    if plan.kind == "distance":
        end = people[plan.start + plan.steps]
        child = people[plan.start + plan.steps - 1]  # a number alone would be right for all miners
        asked = f"How many generations up from {start} is {end}, and through which child of {end}?"
        form = "the number in digits, a comma and the name"
        return f"A parent is one generation up. {asked}", form, f"{plan.steps}, {child}"
    up = people[plan.start + (-plan.steps if plan.kind == "descendant" else plan.steps)]
    if plan.kind == "eldest":
        return f"Who is the earliest ancestor of {start} that the document names?", name, up
    if plan.kind == "ancestor":
        rule = "A parent is the first ancestor, a grandparent the second, and so on."
    else:
        rule = "A child is the first descendant, a grandchild the second, and so on."
    asked = f"Who is the {ORDINALS[plan.steps]} {plan.kind} of {start}?"
    return f"{rule} {asked}", name, up
