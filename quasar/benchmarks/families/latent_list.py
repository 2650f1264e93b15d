"""Family ``latent_list@1``: what stands in a list after many changes to it.

Six lists of numbers change line by line, one beside the other, and some changes are only proposed.
Asked is a part of one list at the end; the sum of a part; or its smallest number times the length
of the list. All numbers have four digits and no two are equal, so nothing but the state of the
list tells which to give.

It measures carrying a growing state, as Michelangelo's latent list does. A program that knows the
wordings computes it.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.families.updates import interleaved
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

LISTS = 6
START, SHORTEST, LONGEST = 7, 6, 11
"""Lengths of a list: at first, and ever."""
PART = 4
"""Items that are asked about."""

Action = Literal["append", "insert", "remove", "drop", "reverse", "sort", "turn", "swap", "idle"]
WORDINGS: dict[Action, tuple[str, ...]] = {
    "append": ("{n} joins the end of {a}.\n", "{a} grows by {n}, after all the others.\n"),
    "insert": (
        "{n} is put into {a} so that it becomes item {k}.\n",
        "{a} makes room: {n} is item {k} from now on, and later items move on by one.\n",
    ),
    "remove": (
        "Item {k} of {a} is taken out.\n",
        "{a} loses item {k}, and those after it close up.\n",
    ),
    "drop": ("The last item of {a} is taken off.\n", "{a} is shortened by one at its end.\n"),
    "reverse": ("{a} is turned back to front.\n", "{a} runs the other way round from now on.\n"),
    "sort": (
        "{a} is put in order, the smallest number first.\n",
        "From the smallest to the largest, {a} is arranged anew.\n",
    ),
    "turn": (
        "The first item of {a} goes to its end.\n",
        "{a} sends the item in front to the back.\n",
    ),
    "swap": (
        "Item {k} of {a} and the first one change places.\n",
        "{a} has its first item and item {k} exchanged.\n",
    ),
    "idle": (
        "It was proposed to add {n} to {a}; nobody did.\n",
        "{a} was about to get {n}, and then was left as it was.\n",
        "In a dream {a} began with {n}.\n",
    ),
}
"""``a`` is the list, ``n`` a number, ``k`` a place counted from 1."""
GROWING: tuple[Action, ...] = ("append", "insert")
SHRINKING: tuple[Action, ...] = ("remove", "drop")
MOVING: tuple[Action, ...] = ("reverse", "sort", "turn", "swap")
BEGIN = "{a} begins as {n}.\n"

Kind = Literal["slice", "sum", "smallest"]
KINDS: tuple[Kind, ...] = ("slice", "sum", "smallest")


class Parameters(Struct, frozen=True):
    """Difficulty."""

    operations: Annotated[int, Meta(ge=16, le=60)]
    """On each list; a quarter does nothing."""


class Operation(Struct, frozen=True):
    """One line but for its number."""

    target: int
    """The list."""
    action: Action
    at: int
    """The place, counted from 1; what needs none ignores it."""
    wording: int


class Plan(Struct, frozen=True):
    """What variants share. Lines that begin the lists come before the operations."""

    kind: Kind
    asked: int
    first: int
    """Where the part begins, counted from 1."""
    operations: list[Operation]


class LatentList(Planted[Parameters, Plan]):
    """The family. The rate is for one who takes the list as it began: sometimes a part is left."""

    name = "latent_list@1"
    guess_rate = 0.02
    levels: Sequence[Parameters] = (Parameters(16), Parameters(24), Parameters(40))
    min_tokens = 8_000
    ordered = True

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        lengths, operations = [START] * LISTS, list[Operation]()
        for target in interleaved(draw, [parameters.operations] * LISTS):
            action = _action(draw, lengths[target])
            at = 2 + draw.below(lengths[target] - 1)
            operations.append(Operation(target, action, at, draw.below(len(WORDINGS[action]))))
            lengths[target] += (action in GROWING) - (action in SHRINKING)
        asked = draw.below(LISTS)
        first = 1 + draw.below(lengths[asked] - PART + 1)
        return Plan(draw.choice(KINDS), asked, first, operations)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        called = names.many(draw, LISTS)
        numbers = iter(draw.sample(range(1_000, 10_000), LISTS * START + len(plan.operations)))
        lists = [[next(numbers) for _ in range(START)] for _ in range(LISTS)]
        pieces = [
            BEGIN.format(a=name, n=", ".join(map(str, items)))
            for name, items in zip(called, lists, strict=True)
        ]
        for operation in plan.operations:
            number, name = next(numbers), called[operation.target]
            text = WORDINGS[operation.action][operation.wording]
            pieces.append(text.format(a=name, n=number, k=operation.at))
            apply(operation.action, lists[operation.target], operation.at, number)
        proof = [LISTS + i for i, done in enumerate(plan.operations) if done.target == plan.asked]
        question, form, answer = _asked(plan, called[plan.asked], lists[plan.asked])
        return Spelled(pieces, question, form, answer, [plan.asked, *proof])


def _action(draw: Draw, length: int) -> Action:
    """A quarter does nothing; the length stays between its bounds."""
    kind = draw.below(4)
    if kind == 0:
        return "idle"
    if kind == 1:
        return draw.choice(MOVING)
    grows = length == SHORTEST or (length < LONGEST and kind == 2)
    return draw.choice(GROWING if grows else SHRINKING)


def apply(action: Action, items: list[int], at: int, number: int) -> None:
    """Change a list in place; ``at`` counts from 1."""
    if action == "append":
        items.append(number)
    elif action == "insert":
        items.insert(at - 1, number)
    elif action == "remove":
        del items[at - 1]
    elif action == "drop":
        del items[-1]
    elif action == "reverse":
        items.reverse()
    elif action == "sort":
        items.sort()
    elif action == "turn":
        items.append(items.pop(0))
    elif action == "swap":
        items[0], items[at - 1] = items[at - 1], items[0]


def _asked(plan: Plan, name: str, items: list[int]) -> tuple[str, str, str]:
    """Question, form and answer."""
    last = plan.first + PART - 1
    part, where = items[plan.first - 1 : last], f"items {plan.first} to {last} of {name}"
    rule = "The document tells in order how lists change; what is only proposed changes nothing."
    if plan.kind == "slice":
        form = "the numbers, separated by a comma and a blank"
        return f"{rule} Which are {where} at the end?", form, ", ".join(map(str, part))
    form = "the number in digits"
    if plan.kind == "sum":
        return f"{rule} What is the sum of {where} at the end?", form, str(sum(part))
    asked = f"Take the smallest of {where} at the end. What is it times the length of that list?"
    return f"{rule} {asked}", form, str(min(part) * len(items))
