"""From accuracies to a reward and a mean, by the names that a policy may use."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Earned(NamedTuple):
    """One scored answer."""

    accuracy: float
    multiplier: float


def total(accuracy: float) -> float:
    """A metric's number as an accuracy in [0, 1]; NaN and anything below 0 is 0."""
    return min(accuracy, 1.0) if accuracy > 0.0 else 0.0


def capped_reward(earned: Earned) -> float:
    """capped@1: ``min(accuracy * multiplier, 1.0)``, the subnet's published rule."""
    return min(earned.accuracy * earned.multiplier, 1.0)


def capped_mean(answers: Sequence[Earned]) -> float:
    """capped@1: the mean reward."""
    return math.fsum(capped_reward(a) for a in answers) / len(answers)


def weighted_reward(earned: Earned) -> float:
    """weighted@1: the raw accuracy; the multiplier weighs it in the mean."""
    return earned.accuracy


def weighted_mean(answers: Sequence[Earned]) -> float:
    """weighted@1: ``sum(multiplier * accuracy) / sum(multiplier)``."""
    weight = math.fsum(a.multiplier for a in answers)
    return math.fsum(a.multiplier * a.accuracy for a in answers) / weight


REWARDS = {"capped@1": capped_reward, "weighted@1": weighted_reward}
MEANS = {"capped@1": capped_mean, "weighted@1": weighted_mean}
