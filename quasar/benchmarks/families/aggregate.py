"""Family ``aggregate@1``: sums and ranks over the ledger lines of many people, in real text.

Each person has as many lines with an amount, and only the words of a line tell whether it came in
or went out: at least one of anybody's went out, but fewer than half. Asked for is what one has in
the end, how much more one has than another, or who stands at a given rank. The first two are no
number of the text; for the third, each of at least 50 people may be it.

It measures joining records by name, and arithmetic. A program that knows these wordings solves it.
"""

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

Kind = Literal["rest", "gap", "rank"]
KINDS: tuple[Kind, ...] = ("rest", "gap", "rank")
"""What one has in the end; how much more one has than another; who has the k-th most."""
RANKS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")

IN = (
    "{a} brought {n} crowns to the counter.\n",
    "The clerk received {n} crowns from {a}.\n",
    "{n} crowns were handed over by {a}.\n",
    "A sack with {n} crowns of {a} went into the vault.\n",
    "{a} let the bank look after another {n} crowns.\n",
    "To what {a} had there, {n} crowns were added.\n",
)
OUT = (
    "{a} carried {n} crowns away from the counter.\n",
    "The clerk counted out {n} crowns for {a}.\n",
    "{n} crowns were handed back to {a}.\n",
    "A sack with {n} crowns for {a} left the vault.\n",
    "{a} asked the bank to give up {n} crowns, and it did.\n",
    "From what {a} had there, {n} crowns were taken.\n",
)


class Parameters(Struct, frozen=True):
    """Difficulty."""

    people: Annotated[int, Meta(ge=50, le=80)]
    lines: Annotated[int, Meta(ge=5, le=7)]
    """About each of them."""


class Line(Struct, frozen=True):
    """A line but for name and amount."""

    out: bool
    wording: int


class Plan(Struct, frozen=True):
    """What variants share."""

    kind: Kind
    rank: int
    """One of RANKS."""
    asked: list[int]
    """Two people: the one whose rest, or both whose gap may be asked for."""
    lines: list[list[Line]]
    """Of each person."""


def _lines(draw: Draw, n: int) -> list[Line]:
    """Of one person: at least one takes away, and fewer than half of them do."""
    out = 1 + draw.below((n - 1) // 2)
    ways = draw.shuffled([True] * out + [False] * (n - out))
    return [Line(way, draw.below(len(OUT if way else IN))) for way in ways]


class Book(NamedTuple):
    """The numbers of one person's lines."""

    amounts: list[int]
    """Of four digits."""
    rest: int
    """What is left, more than nothing."""


def _book(draw: Draw, lines: list[Line]) -> Book:
    while True:
        amounts = [1000 + draw.below(9000) for _ in lines]
        signed = zip(lines, amounts, strict=True)
        rest = sum(-amount if line.out else amount for line, amount in signed)
        if rest > 0:
            return Book(amounts, rest)


def _books(draw: Draw, plan: Plan) -> list[Book]:
    """No two rests are equal, and no number is what may be asked for."""
    first, second = plan.asked
    while True:
        books = [_book(draw, lines) for lines in plan.lines]
        rests = {book.rest for book in books}
        gap = abs(books[first].rest - books[second].rest)
        numbers = {amount for book in books for amount in book.amounts}
        if len(rests) == len(books) and numbers.isdisjoint({books[first].rest, gap}):
            return books


class Aggregate(Planted[Parameters, Plan]):
    """The family. The rate is for any name where a name is asked for, a third of the time."""

    name = "aggregate@1"
    guess_rate = 1 / (3 * 50)
    levels = (Parameters(50, 5), Parameters(60, 5), Parameters(60, 7))
    min_tokens = 8_000

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        lines = [_lines(draw, parameters.lines) for _ in range(parameters.people)]
        asked = draw.sample(range(parameters.people), 2)
        return Plan(draw.choice(KINDS), draw.below(len(RANKS)), asked, lines)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        people = names.many(draw, len(plan.lines))
        books = _books(draw, plan)
        pieces = [
            (OUT if line.out else IN)[line.wording].format(a=name, n=amount)
            for name, lines, book in zip(people, plan.lines, books, strict=True)
            for line, amount in zip(lines, book.amounts, strict=True)
        ]
        asked, answer, about = _asked(plan, people, [book.rest for book in books])
        height = len(plan.lines[0])
        proof = [i for person in about for i in range(person * height, (person + 1) * height)]
        opening = (
            "Lines of it record what people brought to a house of money and took from it again; "
            "at first nobody had anything there."
        )
        form = "the name" if plan.kind == "rank" else "the number in digits"
        return Spelled(pieces, f"{opening} {asked}", form, answer, proof)


def _asked(plan: Plan, people: list[str], rests: list[int]) -> tuple[str, str, list[int]]:
    """Question, answer, and the people, by number, whose lines it follows from."""
    if plan.kind == "rest":
        one = plan.asked[0]
        return f"How many crowns does {people[one]} have there in the end?", str(rests[one]), [one]
    if plan.kind == "gap":
        less, more = sorted(plan.asked, key=rests.__getitem__)
        asked = f"How many crowns more does {people[more]} have there than {people[less]}?"
        return asked, str(rests[more] - rests[less]), plan.asked
    ranked = sorted(range(len(people)), key=lambda i: -rests[i])
    asked = f"Who has the {RANKS[plan.rank]} largest sum there in the end?"
    return asked, people[ranked[plan.rank + 1]], list(range(len(people)))
