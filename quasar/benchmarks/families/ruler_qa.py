"""RULER's questions about passages: one passage, or several that lead to each other.

There is no question of a published set here, which models may know by heart. Each passage is about
an invented person: trade and pet, four places that matter in their life, told in any order, and in
``qa_2`` three people they have to do with. All passages are alike; the question is about one of
them, in words that none has. Everybody is named as often as anybody else, every place once.

These are ``qa_1`` (one passage, as in SQuAD) and ``qa_2`` (from one to the next, as in HotpotQA)
of Hsieh et al. 2024, but for the exact answer. They measure telling alike passages and alike facts
apart by meaning; a program that knows these wordings solves them.
"""

from collections.abc import Sequence
from typing import Annotated, Generic, NamedTuple, TypeVar

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.planted import Planted, Spelled
from quasar.benchmarks.traits import PETS, TRADES
from quasar.draw import Draw

P = TypeVar("P", bound=Struct)


class Fact(NamedTuple):
    """Something that joins a person to a place or to another person."""

    asked: str
    """With ``{x}`` for the person."""
    told: Sequence[str]
    """Ways in which a passage tells it, after the person or "who"."""


PLACES = (
    Fact(
        "In which place was {x} born?",
        ("came into the world in {y}", "saw the light of day at {y}", "had a cradle in {y}"),
    ),
    Fact(
        "In which place did {x} learn the trade?",
        ("was an apprentice in {y}", "served under a master at {y}", "began at a workshop in {y}"),
    ),
    Fact(
        "In which place did {x} marry?",
        ("exchanged rings in {y}", "stood at the altar in {y}", "celebrated a wedding at {y}"),
    ),
    Fact(
        "In which place was {x} in jail?",
        ("spent a year behind bars in {y}", "sat locked in a cell at {y}", "served time in {y}"),
    ),
)
"""One of them is asked for."""
PEOPLE = (
    Fact("the landlord of {x}", ("pays rent to {y}", "is a tenant of {y}")),
    Fact("the godparent of {x}", ("was baptised in the arms of {y}", "has a first name from {y}")),
    Fact("the boss of {x}", ("takes orders from {y}", "is on the payroll of {y}")),
)
"""Ways from one passage to another."""
FORMS = (
    "{a} {does}; the same one {facts}.\n",
    "{a}, who {does}, {facts}.\n",
    "It is {a} who {does} and {facts}.\n",
    "Nobody but {a} {does}; besides, that one {facts}.\n",
    "Whoever hears that somebody {facts} should think of {a}, who {does}.\n",
)


class Passage(Struct, frozen=True):
    """One person's."""

    form: int
    trade: int
    pet: int
    facts: list[int]
    """PLACES, then the relations to people, in the order of the passage."""
    wordings: list[int]
    """Of each fact, in the same order."""
    people: list[int]
    """Whom the person has to do with, in the order of PEOPLE; none where nobody is."""


class Plan(Struct, frozen=True):
    """The passages; passage 0 is the first that one needs."""

    passages: list[Passage]
    place: int
    """Which of PLACES is asked for."""
    steps: list[int]
    """Which of PEOPLE lead on from passage 0, in order."""


class Passages(Planted[P, Plan], Generic[P]):
    """What both families share."""

    min_tokens = 8_000

    def _plan(self, draw: Draw, people: int, alike: int, steps: int) -> Plan:
        trades = draw.sample(range(len(TRADES)), -(-people // alike))
        pets = [draw.sample(range(len(PETS)), alike) for _ in trades]
        ring = draw.shuffled(range(people))
        rank = {person: i for i, person in enumerate(ring)}
        hops = draw.sample(range(1, people), len(PEOPLE)) if steps else []
        passages = [
            self._passage(
                draw,
                trades[i // alike],
                pets[i // alike][i % alike],
                [ring[(rank[i] + hop) % people] for hop in hops],
            )
            for i in range(people)
        ]
        chosen = [draw.below(len(PEOPLE)) for _ in range(steps)]
        return Plan(passages, draw.below(len(PLACES)), chosen)

    def _passage(self, draw: Draw, trade: int, pet: int, people: list[int]) -> Passage:
        facts = draw.shuffled(range(len(PLACES) + len(people)))
        wordings = [draw.below(len(_fact(i).told)) for i in facts]
        return Passage(draw.below(len(FORMS)), trade, pet, facts, wordings, people)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        n = len(plan.passages)
        invented = names.many(draw, n * (1 + len(PLACES)))
        who = invented[:n]
        where = [invented[n + i * len(PLACES) : n + (i + 1) * len(PLACES)] for i in range(n)]
        pieces = [
            _spelled(passage, who[i], [*where[i], *(who[j] for j in passage.people)])
            for i, passage in enumerate(plan.passages)
        ]
        first = plan.passages[0]
        at, proof = 0, [0]
        asked = f"the {TRADES[first.trade].asked} who keeps {PETS[first.pet].asked}"
        for step in plan.steps:
            at = plan.passages[at].people[step]
            proof.append(at)
            asked = PEOPLE[step].asked.format(x=asked)
        question = PLACES[plan.place].asked.format(x=asked)
        return Spelled(pieces, question, "the name of the place", where[at][plan.place], proof)


def _fact(number: int) -> Fact:
    return (*PLACES, *PEOPLE)[number]


def _spelled(passage: Passage, name: str, others: Sequence[str]) -> str:
    """The passage of a name; ``others`` has a name for each of the facts."""
    told = [
        _fact(fact).told[wording].format(y=others[fact])
        for fact, wording in zip(passage.facts, passage.wordings, strict=True)
    ]
    does = f"{TRADES[passage.trade].told} and {PETS[passage.pet].told}"
    facts = f"{', '.join(told[:-1])} and {told[-1]}"
    return FORMS[passage.form].format(a=name, does=does, facts=facts)


class Alike(Struct, frozen=True):
    """How many passages there are, and how many of them are about people of one trade."""

    passages: Annotated[int, Meta(ge=55, le=74)] = 64
    alike: Annotated[int, Meta(ge=1, le=16)] = 4


class Qa1(Passages[Alike]):
    """Answering from the one passage that a description in other words fits."""

    name = "ruler.qa_1@1"
    guess_rate = 1 / 256
    levels = (Alike(alike=1), Alike(), Alike(alike=8))

    def plan(self, draw: Draw, parameters: Alike) -> Plan:
        return self._plan(draw, parameters.passages, parameters.alike, 0)


class Steps(Struct, frozen=True):
    """How many passages there are, and how often one has to go on to another."""

    passages: Annotated[int, Meta(ge=55, le=62)] = 56
    steps: Annotated[int, Meta(ge=1, le=4)] = 1


class Qa2(Passages[Steps]):
    """Answering from a passage that another one leads to."""

    name = "ruler.qa_2@1"
    guess_rate = 1 / 224
    levels = (Steps(), Steps(steps=2), Steps(steps=3))
    usual = 1

    def plan(self, draw: Draw, parameters: Steps) -> Plan:
        return self._plan(draw, parameters.passages, 4, parameters.steps)
