"""What RULER's needles in a haystack share: people, and lines that lead from one to the next.

A line about each person tells what they do and keep, another one which number is theirs, and if
that is asked for a third one who fills in. Each names somebody else too.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, NamedTuple, TypeVar

from msgspec import Meta, Struct

from quasar.benchmarks import names, values
from quasar.benchmarks.families.ruler_wordings import BOTH, LATEST, LINKS, ROLES
from quasar.benchmarks.planted import Planted, Spelled
from quasar.benchmarks.traits import PETS, TRADES
from quasar.draw import Draw

P = TypeVar("P", bound=Struct)
Links = Annotated[int, Meta(ge=0, le=3)]
"""How often the question goes from a person to the one who fills in for them."""


class Shape(NamedTuple):
    """What a task of this module is made of."""

    people: int
    keys: int = 1
    """People who share a trade and differ in their pets."""
    values: int = 1
    """Numbers of a person that count."""
    queries: int = 1
    """People that are asked for."""
    links: int = 0


class Plan(Struct, frozen=True):
    """Shared by all variants. Lists have one element a line; people are numbers."""

    queries: int
    links: int
    trades: list[int]
    pets: list[int]
    roles: list[int]
    """Wordings of the lines that tell what a person does."""
    onlookers: list[int]
    """The other one on that line."""
    passes: list[int]
    """Wordings of the lines that tell who fills in; empty where that is not asked."""
    next: list[int]
    """Who fills in for each."""
    refused: list[int]
    """Who does not."""
    notes: list[list[int]]
    """Wordings of the lines with numbers: for each line about a person, those of all people."""
    clerks: list[list[int]]
    """The other one on each of those."""


def _others(draw: Draw, people: int, rounds: int) -> list[list[int]]:
    """In each round somebody else for everyone, each once, and nobody the same twice."""
    ring = draw.shuffled(range(people))
    steps = draw.sample(range(1, people), rounds)
    found = [[0] * people for _ in steps]
    for others, step in zip(found, steps, strict=True):
        for at, person in enumerate(ring):
            others[person] = ring[(at + step) % people]
    return found


class Niah(Planted[P, Plan], Generic[P]):
    """What these families share."""

    min_tokens = 8_000
    value: Callable[[Draw], str] = staticmethod(values.number)
    about = "Everybody in it has one valid number. Which is the number of"
    """The question up to whom it is about."""
    form = "the number"
    """What the answer consists of."""
    wordings: Sequence[str] = LATEST
    """Of a line with two numbers, of which the first counts or both do."""

    @abstractmethod
    def shape(self, parameters: P) -> Shape:
        """The numbers of a level."""

    def plan(self, draw: Draw, parameters: P) -> Plan:
        shape = self.shape(parameters)
        people, lines = shape.people, -(-shape.values // 2)
        trades = draw.sample(range(len(TRADES)), -(-people // shape.keys))
        pets = [draw.sample(range(len(PETS)), shape.keys) for _ in trades]
        passes = people if shape.links else 0

        def worded(wordings: Sequence[str], n: int) -> list[int]:
            return [draw.below(len(wordings)) for _ in range(n)]

        onlookers, following, refused, *clerks = _others(draw, people, 3 + lines)
        return Plan(
            queries=shape.queries,
            links=shape.links,
            trades=[trades[i // shape.keys] for i in range(people)],
            pets=[pets[i // shape.keys][i % shape.keys] for i in range(people)],
            roles=worded(ROLES, people),
            onlookers=onlookers,
            passes=worded(LINKS, passes),
            next=following[:passes],
            refused=refused[:passes],
            notes=[worded(self.wordings, people) for _ in range(lines)],
            clerks=clerks,
        )

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        people, lines = len(plan.trades), len(plan.notes)
        who = names.many(draw, people)
        drawn = values.different(self.value, draw, 2 * people * lines)
        held = list(zip(drawn[::2], drawn[1::2], strict=True))
        answer, proof = self._reasoned(plan, held)
        return Spelled(
            [*_about_people(plan, who), *self._notes(plan, who, held)],
            self._asked(plan),
            self.form.format(n=len(answer)),
            ", ".join(answer),
            proof,
        )

    def _notes(self, plan: Plan, who: Sequence[str], held: Sequence[tuple[str, str]]) -> list[str]:
        """The lines with values: first one about everybody, then the next."""
        wordings = [wording for row in plan.notes for wording in row]
        clerks = [clerk for row in plan.clerks for clerk in row]
        return [
            self.wordings[wording].format(a=who[i % len(who)], c=who[clerks[i]], v=v, w=w)
            for i, (wording, (v, w)) in enumerate(zip(wordings, held, strict=True))
        ]

    def _reasoned(self, plan: Plan, held: Sequence[Sequence[str]]) -> tuple[list[str], list[int]]:
        """The values asked for, and the pieces in the order in which one reads them."""
        people = len(plan.trades)
        answer: list[str] = []
        proof: list[int] = []
        for person in range(plan.queries):
            proof.append(person)
            for _ in range(plan.links):
                proof.append(people + person)
                person = plan.next[person]
            for line in range(len(plan.notes)):
                answer += held[line * people + person][: self._counting()]
                proof.append(people + len(plan.passes) + line * people + person)
        return answer, proof

    def _counting(self) -> int:
        """How many of the two numbers of a line count."""
        return 2 if self.wordings is BOTH else 1

    def _asked(self, plan: Plan) -> str:
        steps = "the one who fills in for " * plan.links
        sought = [f"{steps}the {asked(plan, i)}" for i in range(plan.queries)]
        return f"{self.about.format(n=2 * len(plan.notes))} {'; '.join(sought)}?"


def _about_people(plan: Plan, who: Sequence[str]) -> list[str]:
    """The lines that tell what people do, and those that tell who fills in."""
    roles = [
        ROLES[wording].format(a=who[i], b=who[plan.onlookers[i]], does=told(plan, i))
        for i, wording in enumerate(plan.roles)
    ]
    passes = [
        LINKS[wording].format(a=who[i], b=who[plan.next[i]], c=who[plan.refused[i]])
        for i, wording in enumerate(plan.passes)
    ]
    return roles + passes


def told(plan: Plan, person: int) -> str:
    """What a line says of somebody."""
    return f"{TRADES[plan.trades[person]].told} and {PETS[plan.pets[person]].told}"


def asked(plan: Plan, person: int) -> str:
    """How a question calls the same one."""
    return f"{TRADES[plan.trades[person]].asked} who keeps {PETS[plan.pets[person]].asked}"
