"""Exact tests in whole numbers, on nothing but the standard library."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K")


def sign_test(more: int, fewer: int) -> float:
    """How often ``more`` or more of so many rounds fall to one of two that are alike.

    One-sided (Dixon and Mood 1946). Rounds in which both are equal count in neither.
    """
    rounds = more + fewer
    return _total(_choices(rounds, more)) / (1 << rounds)


def fisher(here: int, rounds: int, bad: int, total: int) -> float:
    """Fisher's exact test, one-sided (Fisher 1935): ``here`` or more of the bad ones fall here.

    ``rounds`` of ``total`` are this validator's; ``bad`` of ``total`` are bad.
    """
    last = min(rounds, bad)
    ways = [math.comb(bad, k) * math.comb(total - bad, rounds - k) for k in range(here, last + 1)]
    return _total(ways) / math.comb(total, rounds)


def than_most(chances: Sequence[float]) -> tuple[float, int]:
    """From one test against each of the others: a test against more than half of them.

    The probability, and the place of the test that decides it. False names come no oftener than it
    says while this one is like half of the others, whatever the rest do (Benjamini and Heller
    2008, partial conjunction). Of one test it is that one, of two the larger.
    """
    places = sorted(range(len(chances)), key=lambda place: chances[place])
    half = len(chances) // 2
    return min(1.0, (len(chances) - half) * chances[places[half]]), places[half]


def holm(chances: Mapping[K, float]) -> dict[K, float]:
    """Probabilities corrected for their number (Holm 1979), smallest first.

    The level then holds for all together, whatever hangs together with what.
    """
    corrected: dict[K, float] = {}
    highest, left = 0.0, len(chances)
    for name, p in sorted(chances.items(), key=lambda item: item[1]):
        highest = max(highest, min(1.0, left * p))
        corrected[name] = highest
        left -= 1
    return corrected


def findable(least: Mapping[K, float], level: float) -> list[K]:
    """The tests that could be found below the level at all, at their number (Tarone 1990).

    ``least``: the smallest probability that each could give, whoever the counts fell to; so the
    choice knows nothing of who they fell to, and the level holds for what is left.
    """
    number = 1
    while len(chosen := [name for name, p in least.items() if p * number < level]) > number:
        number += 1
    return chosen


def _choices(n: int, least: int) -> Iterable[int]:
    """``math.comb(n, k)`` for k from ``least`` to n."""
    ways = math.comb(n, least)
    for k in range(least, n + 1):
        yield ways
        ways = ways * (n - k) // (k + 1)


def _total(ways: Iterable[int]) -> int:
    total = 0
    for n in ways:
        total += n
    return total
