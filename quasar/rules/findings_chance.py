"""How likely it is that answers match another's variant by chance: exact, in whole numbers.

The validator drew the variants, so it knows how chance plays here without any model of miners. To a
miner that saw its own variant alone, the variant that another got and any other of the same task
are all alike. So of all variants looked at, each is the other's with the same probability, whatever
the miner answered: like a card drawn from a pack whose faces are known.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


class Pack(NamedTuple):
    """All variants of a task but a miner's own, as its answer sees them."""

    ways: int
    """Those that the answer would match."""
    of: int


def chance(hits: int, packs: Iterable[Pack]) -> float:
    """Of as many hits or more where one is drawn from each pack; 1.0 of none.

    The upper tail of a sum of independent trials, each a hit with probability ``ways / of`` (the
    generalized binomial test, van der Linden and Sotaridona 2006, with known probabilities).
    Conditional on what stands in the packs, so no estimate enters, and no float before the last
    division.
    """
    if hits <= 0:
        return 1.0
    tails, total = _tails(tuple(sorted(pack for pack in packs if pack.ways)))
    return tails[hits] / total if hits < len(tails) else 0.0


@lru_cache(maxsize=1024)
def _tails(packs: tuple[Pack, ...]) -> tuple[list[int], int]:
    """Ways to get k hits or more, for each k, and ways in all.

    Remembered: a miner's answers meet the same packs for everyone who was asked as often.
    """
    weights, total = [1], 1
    for ways, of in packs:
        misses = [weight * (of - ways) for weight in weights]
        struck = [weight * ways for weight in weights]
        weights = [a + b for a, b in zip([*misses, 0], [0, *struck], strict=True)]
        total *= of
    for k in range(len(weights) - 1, 0, -1):
        weights[k - 1] += weights[k]
    return weights, total
