"""Family ``ruler.vt@1``: which variables have got a value, from one to the next.

RULER's variable tracking (Hsieh et al. 2024) in noise: chains of variables, of which the first is
set to a number and each other one copies the one before. One chain is asked for by its number,
which the question spells in words and the line in digits. Unlike in the published task there are
a dozen chains of equal length, and each line also names a variable that it leaves alone, from
another chain and before or after the others: each variable is named three times, a chain is no
island, and only the words say what is copied into what. All variables of the chain, and no other,
are the answer.

It measures following a chain without a slip. A program that knows these wordings solves it.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from quasar.benchmarks import names, values
from quasar.benchmarks.noise import InNoise
from quasar.benchmarks.planted import Spelled
from quasar.draw import Draw

STARTS = (
    "{a} is set to {v}; {c} and {d} stay as they are.\n",
    "{c} and {d} are passed over and {v} is stored in {a}.\n",
    "{v} goes into {a}, neither into {c} nor into {d}.\n",
    "Neither {c} nor {d} but {a} receives {v}.\n",
)
"""``a`` gets the number; ``c`` and ``d`` do not."""
COPIES = (
    "{b} is set to what {a} holds; {c} stays as it is.\n",
    "{b} copies {a} and takes no notice of {c}.\n",
    "What {a} holds is copied into {b}, not into {c}.\n",
    "{c} is left alone when {a} is written into {b}.\n",
    "{a} is copied into {b}, though {c} is nearer.\n",
    "Not {c} but {a} is read, and {b} is overwritten with it.\n",
    "{b} receives what {a} holds and {c} receives nothing.\n",
    "{c} receives nothing, since {a} goes into {b}.\n",
)
"""``b`` gets what ``a`` has; ``c`` does not."""

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(n: int) -> str:
    """A number below a million in English."""
    if n >= 1000:
        thousands, rest = divmod(n, 1000)
        return f"{in_words(thousands)} thousand" + (f" {in_words(rest)}" if rest else "")
    if n >= 100:
        hundreds, rest = divmod(n, 100)
        return f"{_ONES[hundreds]} hundred" + (f" {in_words(rest)}" if rest else "")
    if n >= 20:
        tens, ones = divmod(n, 10)
        return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")
    return _ONES[n]


class Chains(Struct, frozen=True):
    """How long chains are, and how many variables there are about."""

    hops: Annotated[int, Meta(ge=2, le=8)] = 4
    variables: Annotated[int, Meta(ge=64, le=120)] = 70

    @property
    def chains(self) -> int:
        """As many as there are variables for."""
        return self.variables // (self.hops + 1)


class Line(Struct, frozen=True):
    """Sets variable ``at`` of chain ``chain``, counted from 0."""

    chain: int
    at: int
    wording: int
    decoys: list[tuple[int, int]]
    """Chain and place of the variables left alone: two where a chain starts, else one."""


class Plan(Struct, frozen=True):
    """The lines in their order in the text; chain 0 is the asked one."""

    hops: int
    chains: int
    lines: list[Line]


def _decoys(draw: Draw, chains: int, hops: int) -> list[list[tuple[int, int]]]:
    """For each place of a chain, the decoys of its line: how many chains on, and which place.

    So each variable is a decoy once, and a last one, which nothing copies, twice.
    """
    places = draw.shuffled([*range(hops + 1), hops])
    on = draw.sample(range(1, chains), 2)
    decoys = [(1 + draw.below(chains - 1), place) for place in places]
    first, second = (i for i, place in enumerate(places) if place == hops)
    decoys[first], decoys[second] = (on[0], hops), (on[1], hops)
    return [decoys[:2], *([decoy] for decoy in decoys[2:])]


def _merged(draw: Draw, chains: int, length: int) -> list[tuple[int, int]]:
    """Chain and place of each line: any order in which every chain goes forward."""
    at = [0] * chains
    found: list[tuple[int, int]] = []
    for chain in draw.shuffled([chain for chain in range(chains) for _ in range(length)]):
        found.append((chain, at[chain]))
        at[chain] += 1
    return found


class Vt(InNoise):
    """The family; there are far more sets of variables than anybody can try."""

    name = "ruler.vt@1"
    metric = "set_exact@1"
    guess_rate = 0.0
    levels = (Chains(2), Chains(), Chains(6))
    ordered = True

    def plan(self, draw: Draw, parameters: Chains) -> Plan:
        chains, hops = parameters.chains, parameters.hops
        decoys = _decoys(draw, chains, hops)
        lines = [
            Line(
                chain,
                at,
                draw.below(len(COPIES if at else STARTS)),
                [((chain + on) % chains, place) for on, place in decoys[at]],
            )
            for chain, at in _merged(draw, chains, hops + 1)
        ]
        return Plan(hops, chains, lines)

    def spell(self, plan: Plan, draw: Draw) -> Spelled:
        length = plan.hops + 1
        drawn = names.many(draw, plan.chains * length)
        named = [drawn[i * length : (i + 1) * length] for i in range(plan.chains)]
        numbers = values.different(lambda d: values.number(d, 5), draw, plan.chains)
        return Spelled(
            [_spelled(line, named, numbers[line.chain]) for line in plan.lines],
            "Variables get their values there, one after the other. Which of them all end up with "
            f"the number {in_words(int(numbers[0]))}?",
            f"the names of all {length} variables with commas between them",
            ", ".join(named[0]),
            [i for i, line in enumerate(plan.lines) if line.chain == 0],
        )


def _spelled(line: Line, named: Sequence[Sequence[str]], number: str) -> str:
    mine, (c, *d) = named[line.chain], [named[chain][at] for chain, at in line.decoys]
    if line.at == 0:
        return STARTS[line.wording].format(a=mine[0], c=c, d=d[0], v=number)
    return COPIES[line.wording].format(a=mine[line.at - 1], b=mine[line.at], c=c)
