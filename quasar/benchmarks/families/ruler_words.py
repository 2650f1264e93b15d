"""RULER's most common words, where it does not help to count words.

A shop's notes say what became of things; some wordings mean a sale, others do not, and their words
are much alike. The question is about sales alone. Everything is named equally often, sold or not,
so no count of words tells anything. One has to understand each line and then to count over the
whole context, all of which counts.

These are ``cwe`` and ``fwe`` (Hsieh et al. 2024): ten common words at a ratio of ten to one, with
more words in a longer context; and counts that fall with a power of the rank, on a fixed stock.
What they measure is counting by meaning. A program that knows these wordings solves them, and one
that finds out by statistics which wordings go together may get far in a long context.
"""

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import isqrt, prod
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from quasar.benchmarks import tokenizer
from quasar.benchmarks.goods import GOODS, good
from quasar.benchmarks.listed import Listed, Said
from quasar.draw import Draw, bulk, derive

P = TypeVar("P", bound=Struct)

SOLD = (
    "Somebody paid for the {x} and took it home.\n",
    "A customer left with the {x}.\n",
    "The {x} went off to a new owner.\n",
    "Cash was handed over for the {x}.\n",
    "The {x} was wrapped, paid and carried away.\n",
    "A buyer was found for the {x}.\n",
    "We agreed on a price, and the {x} was gone.\n",
    "Out of the door went the {x}, paid in full.\n",
)
"""What counts."""
KEPT = (
    "Somebody asked for the {x} and left without it.\n",
    "A customer held the {x} and put it down again.\n",
    "The {x} went back to its old place.\n",
    "Cash was handed back for the {x}.\n",
    "The {x} was wrapped and paid, but came back.\n",
    "No buyer was found for the {x}.\n",
    "We disagreed on a price, and the {x} stayed.\n",
    "Behind the door stood the {x}, never paid.\n",
)
"""What does not."""
WORDINGS = (*SOLD, *KEPT)
IDLE = "Rain, and nobody at the door.\n"
"""A line that fills what is left of the bucket."""
SHORTEST = 8
"""No line that counts has fewer tokens."""


class Plan(Struct, frozen=True):
    """The parameters of a counting task."""

    asked: int
    """How many things are asked for: those of the lowest numbers."""
    counts: tuple[int, int]
    """What ``counts`` of the family needs."""


class Notes(Struct, frozen=True):
    """The lines."""

    tokens: int
    stock: int
    """How many things there are; they are numbers from 0."""
    wordings: list[int]
    """Of each line, len(WORDINGS) for an idle one."""
    things: list[int]
    """What it is about; ``stock`` for an idle line."""
    proof: list[int]


def _shuffled(seed: bytes, purpose: str, n: int) -> list[int]:
    """The numbers below n in drawn order."""
    return sorted(range(n), key=bulk(seed, purpose, 2**32, n).__getitem__)


class Counting(Listed[P, Plan, Notes], Generic[P]):
    """What both families share."""

    metric = "set_exact@1"
    guess_rate = 0.0

    @abstractmethod
    def counts(self, plan: Plan, n: int) -> tuple[list[int], list[int]]:
        """How often each thing is sold and not sold, in a context of size ``n``."""

    def lay(self, plan: Plan, seed: bytes, size: int) -> Notes:
        seed = derive(seed, f"{self.name}/lines")
        drawn = [
            [first + wording for wording in bulk(seed, half, len(SOLD), size // SHORTEST)]
            for half, first in (("sold", 0), ("kept", len(SOLD)))
        ]
        n, tokens = self._fitting(plan, size, drawn)
        halves = [
            [i for i, times in enumerate(counts) for _ in range(times)]
            for counts in self.counts(plan, n)
        ]
        idle = (size - tokens) // tokenizer.count(IDLE)
        stock = len(self.counts(plan, n)[0])
        things = [*halves[0], *halves[1], *[stock] * idle]
        wordings = [w for row, half in zip(drawn, halves, strict=True) for w in row[: len(half)]]
        wordings += [len(WORDINGS)] * idle
        order = _shuffled(seed, "order", len(things))
        things, wordings = [things[i] for i in order], [wordings[i] for i in order]
        counting = zip(things, wordings, strict=True)
        proof = [i for i, (t, w) in enumerate(counting) if t < plan.asked and w < len(SOLD)]
        return Notes(tokens + idle * tokenizer.count(IDLE), stock, wordings, things, proof)

    def _fitting(self, plan: Plan, size: int, drawn: Sequence[Sequence[int]]) -> tuple[int, int]:
        """The largest ``n`` whose lines fit, and how many tokens they have."""
        costs = [tokenizer.count(wording.format(x=good(0))) for wording in WORDINGS]
        before = [list(accumulate((costs[w] for w in row), initial=0)) for row in drawn]

        def tokens(n: int) -> int:
            total = 0
            for counts, costs in zip(self.counts(plan, n), before, strict=True):
                lines = sum(counts)
                total += costs[lines] if lines < len(costs) else size + 1
            return total

        n = bisect_right(range(size), size, key=tokens) - 1
        return n, tokens(n)

    def say(self, plan: Plan, variant_seed: bytes) -> Said:
        return Said(
            "Every line tells of another item in a shop, from start to end. "
            f"Which {plan.asked} kinds of item did the shop sell most often, "
            "if returned items do not count?",
            f"these {plan.asked} kinds, each in its two words, with commas between them",
            ", ".join(self._goods(variant_seed, plan.asked)),
        )

    def _goods(self, variant_seed: bytes, n: int) -> list[str]:
        """The first ``n`` articles of a variant, all different."""
        drawn = bulk(variant_seed, f"{self.name}/goods", GOODS, 4 * n + 64)
        return [good(i) for i in list(dict.fromkeys(drawn))[:n]]

    def write(self, laid: Notes, variant_seed: bytes) -> str:
        named = [*self._goods(variant_seed, laid.stock), ""]
        halves = [wording.partition("{x}") for wording in WORDINGS] + [(IDLE, "", "")]
        return "".join(
            [
                halves[w][0] + named[thing] + halves[w][2]
                for w, thing in zip(laid.wordings, laid.things, strict=True)
            ]
        )


class Common(Struct, frozen=True):
    """How many things are common, and how often they are sold; the others are as often kept."""

    common: Annotated[int, Meta(ge=2, le=12)] = 10
    often: Annotated[int, Meta(ge=6, le=10)] = 10
    """Sales of a common thing, of 11 mentions; of another one it is 11 less this."""


class Cwe(Counting[Common]):
    """Finding what was sold most often, where all is named equally often; more of it at length."""

    name = "ruler.cwe@1"
    levels = (Common(), Common(often=8), Common(often=7))
    usual = 1

    def plan(self, draw: Draw, parameters: Common) -> Plan:  # noqa: ARG002
        return Plan(parameters.common, (parameters.often, 11 - parameters.often))

    def counts(self, plan: Plan, n: int) -> tuple[list[int], list[int]]:
        common, others = min(plan.asked, n), max(n - plan.asked, 0)
        often, seldom = plan.counts
        return [often] * common + [seldom] * others, [seldom] * common + [often] * others


class Frequent(Struct, frozen=True):
    """How sales fall with rank r: by the power ``halves`` / 2 of it. Steep is easy."""

    halves: Literal[2, 3, 4] = 4
    things: Annotated[int, Meta(ge=55, le=62)] = 60


class Fwe(Counting[Frequent]):
    """Finding what was sold most often, where sales fall with a power of the rank."""

    name = "ruler.fwe@1"
    levels = (Frequent(4), Frequent(3), Frequent(2))
    usual = 1

    def plan(self, draw: Draw, parameters: Frequent) -> Plan:  # noqa: ARG002
        return Plan(3, (parameters.things, parameters.halves))

    def counts(self, plan: Plan, n: int) -> tuple[list[int], list[int]]:
        things, halves = plan.counts
        sold = [isqrt(n * n // prod([rank] * halves)) for rank in range(1, things + 1)]
        return sold, [n - times for times in sold]
