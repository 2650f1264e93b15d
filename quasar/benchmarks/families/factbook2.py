"""Family ``factbook@2``: a fact about a place that is known only by its ties to others.

Fifty invented places get lines shaped like real factbook lines: a real field with a perturbed
number, another field, and three ties to other places, each told from either end. The question goes
from one place along two to four ties to another, and asks for its number; so the words of the
question lead to the first place and to all fifty numbers of the field, and to nothing else. Every
name stands on eight lines.

The true number of the country that lent the asked line is the canary: it shows memory. A program
that knows how ties are told solves it.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.families.factbook import FIELDS, around, fresh
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

PLACES = 50


class Tie(NamedTuple):
    """A relation: every place has one such other, and is it for one."""

    asked: str
    """The other of ``{x}``."""
    told: tuple[str, ...]
    """Lines in which ``b`` is the other of ``a``."""


TIES = (
    Tie(
        "the main supplier of {x}",
        (
            "{a} - Imports - partners: chiefly {b}\n",
            "{b} - Exports - partners: nearly all to {a}\n",
            "{a} - Ports and terminals: freight arrives mainly from {b}\n",
            "{b} - Merchant marine: its ships unload mainly in {a}\n",
        ),
    ),
    Tie(
        "the place that rules {x}",
        (
            "{a} - Dependency status: administered from {b}\n",
            "{b} - Executive branch: also appoints the governor of {a}\n",
            "{a} - Legal system: final appeals go to judges in {b}\n",
            "{b} - Dependent areas: {a}\n",
        ),
    ),
    Tie(
        "the place that sends its current to {x}",
        (
            "{a} - Energy: a cable from {b} feeds all homes\n",
            "{b} - Energy: its surplus of power is sold to {a}\n",
            "{a} - Economy - overview: dark whenever the turbines of {b} stand still\n",
            "{b} - Pipelines: none; a high-voltage cable ends in {a}\n",
        ),
    ),
)


class Parameters(Struct, frozen=True):
    """Difficulty."""

    hops: Annotated[int, Meta(ge=2, le=4)]
    """Ties from the place in the question to the asked one."""


class Plan(Struct, frozen=True):
    """What variants share."""

    start: int
    path: list[int]
    """Ties to follow, by number, in order."""
    others: list[list[int]]
    """For each tie, the other of each place."""
    wordings: list[int]
    """One for each line of a tie, as ``spell`` makes them."""
    facts: list[int]
    """Facts that lend their wording: of the asked field for each place, then other ones."""


@cache
def _by_field() -> dict[str, list[int]]:
    """Numbers of the facts of each field that is asked for."""
    found = defaultdict[str, list[int]](list)
    for i, fact in enumerate(corpus().facts):
        if fact.field in FIELDS:
            found[fact.field].append(i)
    return found


class Factbook2(Planted[Parameters, Plan]):
    """The family. The rate is for any number of the field."""

    name = "factbook@2"
    guess_rate = 1 / PLACES
    levels: Sequence[Parameters] = (Parameters(2), Parameters(3), Parameters(4))
    min_tokens = 8_000

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        fields = sorted(field for field, facts in _by_field().items() if len(facts) >= PLACES)
        field = draw.choice(fields)
        asked = draw.sample(_by_field()[field], PLACES)
        rest = [i for other in fields if other != field for i in _by_field()[other]]
        others = [_ring(draw) for _ in TIES]
        wordings = [draw.below(len(tie.told)) for tie in TIES for _ in range(PLACES)]
        for _ in range(1000):
            start = draw.below(PLACES)
            path = [draw.below(len(TIES)) for _ in range(parameters.hops)]
            met = walk(others, start, path)
            if len(set(met)) == len(met):
                return Plan(start, path, others, wordings, asked + draw.sample(rest, PLACES))
        raise AssertionError("1000 draws gave no path of different places")

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        places = names.many(draw, PLACES)
        facts = [corpus().facts[i] for i in plan.facts]
        numbers = fresh(draw, [fact.value for fact in facts])
        pieces = [
            f"{number:,}".join((places[i % PLACES] + around(fact)[0], around(fact)[1]))
            for i, (fact, number) in enumerate(zip(facts, numbers, strict=True))
        ]
        for line, wording in enumerate(plan.wordings):
            tie, place = divmod(line, PLACES)
            told = TIES[tie].told[wording]
            pieces.append(told.format(a=places[place], b=places[plan.others[tie][place]]))
        *met, asked = walk(plan.others, plan.start, plan.path)
        ties = [2 * PLACES + tie * PLACES + at for tie, at in zip(plan.path, met, strict=True)]
        who = places[plan.start]
        for tie in plan.path:
            who = TIES[tie].asked.format(x=who)
        question = f"What is the {FIELDS[facts[0].field]} of {who}?"
        answer, canary = str(numbers[asked]), str(facts[asked].value)
        return Spelled(pieces, question, "the number in digits", answer, [*ties, asked], canary)


def _ring(draw: Draw) -> list[int]:
    """All places in one circle: the next of each."""
    order = draw.shuffled(range(PLACES))
    following = dict(zip(order, order[1:] + order[:1], strict=True))
    return [following[place] for place in range(PLACES)]


def walk(others: Sequence[Sequence[int]], start: int, path: Sequence[int]) -> list[int]:
    """The places on the way, both ends included."""
    met = [start]
    for tie in path:
        met.append(others[tie][met[-1]])
    return met
