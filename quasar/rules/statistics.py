"""What a mean is worth: n, standard error and interval stand beside it.

Formulas are those of Miller 2024 (arXiv 2411.00640), but for small samples of 0 and 1. Sums are
``math.fsum``, so order of arrival never shows.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
"""A context."""


class Summary(NamedTuple):
    """A sample of scores."""

    n: int
    mean: float
    se: float | None
    """Standard error of the mean; None below two values, or where all share one context."""
    low: float
    """95 % interval: Wilson's for 0/1 values, else mean -/+ 1.96 se, cut to [0, 1]."""
    high: float


class Difference(NamedTuple):
    """Of two miners over the contexts that both answered."""

    n: int
    """Contexts."""
    mean: float
    """First less second."""
    se: float | None
    low: float
    """95 % interval, ``mean -/+ 1.96 se``; -1 to 1 where the error is unknown."""
    high: float


Z = 1.96


def mean_of(values: Sequence[float]) -> float:
    """``math.fsum(values) / n``: the same bits in any order and on any Python."""
    return math.fsum(values) / len(values)


def summarise(
    values: Sequence[float], contexts: Sequence[Hashable] | None = None
) -> Summary | None:
    """Summary of scores in [0, 1]; None for an empty sample.

    ``contexts``: of each value, what it was asked about; equal ones make one cluster.
    """
    n = len(values)
    if n == 0:
        return None
    mean = mean_of(values)
    clustered = contexts is not None and len(dict.fromkeys(contexts)) < n
    if clustered:
        assert contexts is not None
        se = clustered_error(values, contexts, mean)
    else:
        se = standard_error(values, mean) if n > 1 else None
    binary = not clustered and all(v in (0.0, 1.0) for v in values)
    low, high = _wilson(mean, n) if binary else _normal(mean, se)
    return Summary(n, mean, se, low, high)


def standard_error(values: Sequence[float], mean: float) -> float:
    """``sqrt(sum((x - mean)^2) / (n (n - 1)))``, of the mean; needs two values or more."""
    n = len(values)
    return math.sqrt(math.fsum((v - mean) * (v - mean) for v in values) / (n * (n - 1)))


def clustered_error(
    values: Sequence[float], clusters: Sequence[Hashable], mean: float
) -> float | None:
    """Of the mean, where values of one cluster hang together.

    ``sqrt(SE^2 + 1/n^2 * sum over clusters of sum over i != j of (x_i - mean)(x_j - mean))``. The
    inner sum is a cluster's own sum of deviations squared, less its squares, so it takes linear
    time. Below 0, which few clusters can give, it is 0. None for fewer than two clusters.
    """
    n, within = len(values), dict[Hashable, list[float]]()
    for value, cluster in zip(values, clusters, strict=True):
        within.setdefault(cluster, []).append(value - mean)
    if len(within) < 2:
        return None
    shared = [_together(deviations) for deviations in within.values()]
    plain = standard_error(values, mean)
    return math.sqrt(max(0.0, plain * plain + math.fsum(shared) / (n * n)))


def difference(one: Mapping[K, float], two: Mapping[K, float]) -> Difference | None:
    """Mean of ``a - b`` over the contexts of both, with its error; None where they share none.

    Context to score. What is hard for both cancels out, so a small difference shows much sooner
    than from two means: on anchors, where both had the same text, sooner still.
    """
    apart = [score - two[context] for context, score in one.items() if context in two]
    if not apart:
        return None
    mean = mean_of(apart)
    se = standard_error(apart, mean) if len(apart) > 1 else None
    low, high = (-1.0, 1.0) if se is None else (mean - Z * se, mean + Z * se)
    return Difference(len(apart), mean, se, low, high)


def _together(deviations: Sequence[float]) -> float:
    total = math.fsum(deviations)
    return total * total - math.fsum(d * d for d in deviations)


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
