"""Family ``latest@1``: look up one key, then the key that it gave, then a number.

Every key has several lines in the text and the last true one holds; others were overwritten, or
only plan, deny or ask. The true one is drawn flat among a key's lines, so "the last mention wins"
is right as seldom as "the first". Some layers of keys refer to each other, the last one to
numbers of five digits, each of which stands once.

It measures order in time and looking up in steps. A program that knows which of these wordings are
true solves it.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from quasar.benchmarks import names
from quasar.benchmarks.families.updates import Update, histories, interleaved, latest
from quasar.benchmarks.planted import Planted, Spelled
from quasar.draw import Draw

KEYS = 10
"""In each layer."""

TRUE = (
    "{a} now stands for {b}.\n",
    "{b} was written over whatever {a} meant before.\n",
    "No longer anything else: {a} means {b}.\n",
    "The clerk struck the old word and put {b} under {a}.\n",
    "Under {a} one finds {b} since that day.\n",
    "{a} was turned to {b}, and nobody objected.\n",
)
"""Lines after which ``a`` gives ``b``."""
UNTRUE = (
    "{a} would stand for {b} if the clerk had his way.\n",
    "Someone asked for {b} under {a} and was sent home.\n",
    "It was planned to turn {a} to {b}; the plan was dropped.\n",
    "{b} was never written under {a}, whatever the copy says.\n",
    "The clerk dreamed of {b} when he slept over {a}.\n",
    "For {a} the draft has {b}, and drafts do not count.\n",
)
"""Lines that change nothing."""


class Parameters(Struct, frozen=True):
    """Difficulty."""

    hops: Annotated[int, Meta(ge=2, le=5)]
    """How many keys are looked up, the one in the question first."""
    lines: Annotated[int, Meta(ge=6, le=8)]
    """About each key."""


class Plan(Struct, frozen=True):
    """What variants share. Key 0 of the first layer is asked for."""

    layers: list[list[list[Update]]]
    """For each layer, each key's lines. A value is a key of the next layer; of the last layer, it
    says nothing, since each line has a number of its own."""
    order: list[int]
    """The key of each line of the text, counted through all layers."""


class Latest(Planted[Parameters, Plan]):
    """The family. The rate is for a drawn line of each of two keys."""

    name = "latest@1"
    guess_rate = 1 / 36
    levels: Sequence[Parameters] = (Parameters(2, 6), Parameters(3, 6), Parameters(5, 8))
    min_tokens = 8_000
    ordered = True

    def plan(self, draw: Draw, parameters: Parameters) -> Plan:
        wordings = len(TRUE), len(UNTRUE)
        layers = [histories(draw, KEYS, parameters.lines, wordings) for _ in range(parameters.hops)]
        order = interleaved(draw, [parameters.lines] * KEYS * parameters.hops)
        return Plan(layers, order)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        keys = names.many(draw, KEYS * len(plan.layers))
        stated = _stated(plan, keys, draw_numbers(draw, KEYS * len(plan.layers[0][0])))
        path = _path(plan)
        pieces, proof, at = list[str](), list[int](), [0] * len(keys)
        for place, key in enumerate(plan.order):
            update = plan.layers[key // KEYS][key % KEYS][at[key]]
            wording = (TRUE if update.holds else UNTRUE)[update.wording]
            pieces.append(wording.format(a=keys[key], b=stated[key][at[key]]))
            at[key] += 1
            if key in path:
                proof.append(place)
        history = zip(plan.layers[-1][path[-1] % KEYS], stated[path[-1]], strict=True)
        answer = [number for update, number in history if update.holds][-1]
        return Spelled(pieces, _asked(keys[0]), "the number in digits", answer, proof)


def _stated(plan: Plan, keys: Sequence[str], numbers: Sequence[int]) -> list[list[str]]:
    """What each line of each key gives, counted through all layers."""
    found, fresh = list[list[str]](), iter(numbers)
    for following, layer in enumerate(plan.layers, 1):
        for history in layer:
            if following < len(plan.layers):
                found.append([keys[following * KEYS + update.value] for update in history])
            else:
                found.append([str(next(fresh)) for _ in history])
    return found


def draw_numbers(draw: Draw, n: int) -> list[int]:
    """``n`` different numbers of five digits."""
    found: dict[int, None] = {}
    while len(found) < n:
        found[10_000 + draw.below(90_000)] = None
    return list(found)


def _path(plan: Plan) -> list[int]:
    """The keys that are looked up, counted through all layers."""
    path = [0]
    for i, layer in enumerate(plan.layers[:-1]):
        path.append((i + 1) * KEYS + latest(layer[path[-1] % KEYS]))
    return path


def _asked(key: str) -> str:
    return (
        "A code book is revised line by line, in order; what is merely wished, offered, dreamt or "
        "rumoured alters nothing. Every name there gives another name, or some number, by its most "
        f"recent actual revision. Look up {key}, next the name that it gives, and so forth. Which "
        "number comes at last?"
    )
