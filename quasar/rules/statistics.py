"""What a mean is worth: n, standard error and interval stand beside it."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Summary(NamedTuple):
    """A sample of scores."""

    n: int
    mean: float
    se: float | None
    """Standard error ``sqrt(sum((x - mean)^2) / (n (n - 1)))``; None below two values."""
    low: float
    """95 % interval: Wilson's for 0/1 values, else mean -/+ 1.96 se, cut to [0, 1]."""
    high: float


Z = 1.96


def mean_of(values: Sequence[float]) -> float:
    """``math.fsum(values) / n``: the same bits in any order and on any Python."""
    return math.fsum(values) / len(values)


def summarise(values: Sequence[float]) -> Summary | None:
    """Summary of scores in [0, 1]; None for an empty sample."""
    n = len(values)
    if n == 0:
        return None
    mean = mean_of(values)
    se = standard_error(values, mean) if n > 1 else None
    binary = all(v in (0.0, 1.0) for v in values)
    low, high = _wilson(mean, n) if binary else _normal(mean, se)
    return Summary(n, mean, se, low, high)


def standard_error(values: Sequence[float], mean: float) -> float:
    """Of the mean; needs two values or more (Miller 2024, arXiv 2411.00640)."""
    n = len(values)
    return math.sqrt(math.fsum((v - mean) * (v - mean) for v in values) / (n * (n - 1)))


def _normal(mean: float, se: float | None) -> tuple[float, float]:
    if se is None:
        return 0.0, 1.0
    return max(0.0, mean - Z * se), min(1.0, mean + Z * se)


def _wilson(mean: float, n: int) -> tuple[float, float]:
    """Wilson 1927: stays inside [0, 1] and is honest for small n."""
    z2 = Z * Z
    centre = (mean + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(mean * (1 - mean) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
