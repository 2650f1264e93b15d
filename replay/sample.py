"""A random sample of rounds to judge in full, and how likely it is to catch a forger."""

from collections.abc import Callable, Iterable
from math import comb

from msgspec import Struct

from quasar.draw import Draw

PURPOSE = "audit-sample/1"

Full = Callable[[int], bool]
"""Whether the round of that number is judged in full."""


def every(_: int) -> bool:
    """Every round is."""
    return True


class Chance(Struct, frozen=True, kw_only=True):
    """How likely a sample is to hold at least one forged round."""

    forged: int
    """Rounds that are forged, of all."""
    detected: float


class Sample(Struct, frozen=True, kw_only=True):
    """Which rounds were judged in full."""

    seed: str
    """Whoever repeats the audit with it draws the same rounds."""
    rounds: list[int]
    """Ascending."""
    of: int
    """Rounds that could be drawn: those that are revealed."""
    chances: list[Chance]
    """For one forged round, one in a hundred, and one in ten."""


def draw_rounds(rounds: Iterable[int], count: int, seed: str) -> Sample:
    """``count`` of the rounds, or all where there are not more. The order does not matter."""
    pool = sorted(set(rounds))
    taken = min(count, len(pool))
    drawn = Draw(seed.encode(), PURPOSE).sample(pool, taken)
    kinds = dict.fromkeys((1, -(-len(pool) // 100), -(-len(pool) // 10)))
    return Sample(
        seed=seed,
        rounds=sorted(drawn),
        of=len(pool),
        chances=[
            Chance(forged=forged, detected=detection(len(pool), forged, taken))
            for forged in kinds
            if 0 < forged <= len(pool)
        ],
    )


def detection(rounds: int, forged: int, sampled: int) -> float:
    """1 - C(rounds - forged, sampled) / C(rounds, sampled), from exact integers.

    Raises ValueError for more forged or sampled rounds than there are.
    """
    if not (0 <= forged <= rounds and 0 <= sampled <= rounds):
        raise ValueError(f"of {rounds} rounds not {forged} can be forged and {sampled} sampled")
    ways = comb(rounds, sampled)
    return (ways - comb(rounds - forged, sampled)) / ways


def words(sample: Sample) -> list[str]:
    """For people."""
    if len(sample.rounds) == sample.of:
        return [f"all {sample.of} rounds were judged in full: there are no more to draw from"]
    lines = [f"{len(sample.rounds)} of {sample.of} rounds, drawn with --seed {sample.seed}"]
    for chance in sample.chances:
        forged = "1 forged round" if chance.forged == 1 else f"{chance.forged} forged rounds"
        lines.append(f"{forged} would be seen with probability {chance.detected:.4f}")
    return lines
