"""How far two weightings are apart."""

import math
from collections.abc import Mapping, Sequence


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Each one's part of the whole; all zero where the whole is zero."""
    total = math.fsum(weights.values())
    return {name: weight / total if total > 0.0 else 0.0 for name, weight in weights.items()}


def l1(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    """Sum of the absolute differences; of two sets of shares 0 (equal) to 2 (nothing in common).

    Who stands in one of them only has 0 in the other.
    """
    names = [*one, *(name for name in two if name not in one)]
    return math.fsum(abs(one.get(name, 0.0) - two.get(name, 0.0)) for name in names)


def kendall(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Rank correlation tau-b, -1 to 1: 1 where both order all alike. Ties count in neither.

    None where either of them is one single tie, so that there is no order to compare.
    """
    balance = untied_one = untied_two = 0
    for j, (b_one, b_two) in enumerate(zip(one, two, strict=True)):
        for a_one, a_two in zip(one[:j], two[:j], strict=True):
            sign_one, sign_two = _sign(a_one, b_one), _sign(a_two, b_two)
            balance += sign_one * sign_two
            untied_one += sign_one != 0
            untied_two += sign_two != 0
    if not untied_one or not untied_two:
        return None
    return balance / math.sqrt(untied_one * untied_two)


def _sign(a: float, b: float) -> int:
    return (a > b) - (a < b)
