"""Which tasks fit in a round: drawn by ticket until a miner's upload and time are spent.

A long task is drawn less often than its tickets say, as it no longer fits once others were drawn:
``expected`` tells how often that is.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from quasar.draw import Draw, derive
from quasar.rules.policy import BYTES_A_TOKEN, MAX_DRAWN, Mix, Policy, most_bytes

_PLAYED = 400
"""Rounds that an expectation is the mean of."""


class Cost(NamedTuple):
    """Of a task, or what is left for more."""

    bytes: float
    ms: float

    def within(self, left: "Cost") -> bool:
        """Whether it still fits."""
        return self.bytes <= left.bytes and self.ms <= left.ms

    def less(self, spent: "Cost") -> "Cost":
        """What is left."""
        return Cost(self.bytes - spent.bytes, self.ms - spent.ms)


def cost_of(policy: Policy, entry: Mix) -> Cost:
    """Of one task: bytes of context at most, and the milliseconds of its deadline."""
    tokens = policy.bucket(entry.bucket).tokens
    return Cost(BYTES_A_TOKEN * tokens, policy.deadline_ms(tokens))


def budget_of(policy: Policy) -> Cost:
    """For one miner in one round."""
    limit = policy.sampling.miner_ms if policy.sampling else None
    return Cost(most_bytes(policy), math.inf if limit is None else limit)


def draw_entries(seed: bytes, policy: Policy, tickets: Sequence[int]) -> list[int]:
    """Places in the mix, one a task, each drawn among those that still fit.

    ``tickets``: of each entry of the mix.
    """
    draw, left, drawn = Draw(seed, "mix"), budget_of(policy), list[int]()
    costs = [cost_of(policy, entry) for entry in policy.mix]
    while len(drawn) < MAX_DRAWN:
        fitting = [i for i, cost in enumerate(costs) if tickets[i] and cost.within(left)]
        if not fitting:
            break
        drawn.append(_pick(draw, fitting, tickets))
        left = left.less(costs[drawn[-1]])
    return drawn


def example(policy: Policy) -> list[Mix]:
    """The tasks of a round: all of a policy that has them fixed, else some that might be drawn."""
    if policy.sampling is None or not policy.sampling.drawn:
        return policy.tasks
    tickets = [entry.tasks for entry in policy.mix]
    return [policy.mix[place] for place in draw_entries(b"example", policy, tickets)]


def expected(policy: Policy) -> list[float]:
    """Tasks of each entry in a round, on average."""
    if policy.sampling is None or not policy.sampling.drawn:
        return [float(entry.tasks) for entry in policy.mix]
    counts, tickets = [0] * len(policy.mix), [entry.tasks for entry in policy.mix]
    for number in range(_PLAYED):
        for place in draw_entries(derive(b"expected", f"{number}"), policy, tickets):
            counts[place] += 1
    return [count / _PLAYED for count in counts]


def _pick(draw: Draw, places: Sequence[int], tickets: Sequence[int]) -> int:
    total = 0
    for place in places:
        total += tickets[place]
    ticket = draw.below(total)
    for place in places:
        ticket -= tickets[place]
        if ticket < 0:
            return place
    raise AssertionError("a ticket of nobody")
