"""How sure a rank is: the contexts are drawn anew, many times, and everybody ranked each time.

A bootstrap over contexts (Efron 1979; Miller 2024 for why not over answers): all miners keep what
they scored on a context together, so what was hard for all moves nobody's rank. The draws come from
a seed fixed for ever: equal scores give equal numbers, on any machine.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from operator import mul
from typing import NamedTuple

from quasar.draw import bulk

SEED = b"quasar ranks@1"
TOP = 3
"""Of the first so many, how likely a miner is one."""
GROUPS = 256
"""Contexts are drawn one by one up to so many, then in groups of neighbours."""
REMEMBERED = 65_536
"""Contexts; one that comes again after so many others counts as another."""
WORK = 4_000_000
"""Groups times miners times draws, about: a second."""
MOST, FEWEST = 1000, 100
"""Draws."""


class Place(NamedTuple):
    """Where a miner may stand."""

    low: int
    """Best rank, 1 for the first, and ..."""
    high: int
    """... worst, of the middle 95 % of draws."""
    top: float
    """Share of the draws that have it among the first ``TOP``; with equals, all of them count."""


class Contexts:
    """Scores by miner and context. Takes memory by miners, and not by contexts."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, int] = {}
        """The newest to their numbers, in order of appearance."""
        self._met = 0
        self._wide = 1
        """Contexts in a group."""
        self._sums: dict[str, list[float]] = {}
        self._counts: dict[str, list[int]] = {}

    def add(self, hotkey: str, context: Hashable, value: float) -> None:
        """One score."""
        if context not in self._seen:
            self._seen[context] = self._met
            self._met += 1
            if len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
            while self._met > self._wide * GROUPS:
                self._merge()
        group = self._seen[context] // self._wide
        sums, counts = self._sums.setdefault(hotkey, []), self._counts.setdefault(hotkey, [])
        if missing := max(0, group + 1 - len(sums)):
            sums.extend([0.0] * missing)
            counts.extend([0] * missing)
        sums[group] += value
        counts[group] += 1

    def scores(self, hotkey: str) -> dict[int, float]:
        """Mean score by context, or by group where they are many; without those it lacks."""
        rows = zip(self._sums.get(hotkey, ()), self._counts.get(hotkey, ()), strict=True)
        return {group: total / n for group, (total, n) in enumerate(rows) if n}

    def places(self) -> dict[str, Place]:
        """Of everyone with a score, by mean score."""
        groups = -(-self._met // self._wide)
        rows = {name: self._row(name, groups) for name in sorted(self._sums)}
        if not rows:
            return {}
        draws = max(FEWEST, min(MOST, WORK // (groups * len(rows))))
        ranks: dict[str, list[Rank]] = {name: [] for name in rows}
        for number in range(draws):
            for name, rank in _ranks(_means(rows, _drawn(groups, number))).items():
                ranks[name].append(rank)
        return {name: _place(found) for name, found in ranks.items()}

    def _row(self, name: str, groups: int) -> "Row":
        missing = groups - len(self._sums[name])
        counts = (*self._counts[name], *[0] * missing)
        return Row([*self._sums[name], *[0.0] * missing], counts)

    def _merge(self) -> None:
        """Make two neighbouring groups one."""
        self._wide *= 2
        for name, sums in self._sums.items():
            counts = self._counts[name]
            odd = [0] if len(sums) % 2 else []
            self._sums[name] = [
                a + b for a, b in zip(sums[::2], [*sums[1::2], *map(float, odd)], strict=True)
            ]
            self._counts[name] = [
                a + b for a, b in zip(counts[::2], [*counts[1::2], *odd], strict=True)
            ]


class Row(NamedTuple):
    """One miner's scores."""

    sums: list[float]
    """By group."""
    counts: tuple[int, ...]


class Rank(NamedTuple):
    """In one draw: among equals, the best of their ranks and the worst."""

    best: int
    worst: int


def _drawn(groups: int, number: int) -> list[int]:
    """How often each group is taken: as many draws as groups, with replacement."""
    times = [0] * groups
    for group in bulk(SEED, f"{groups}/{number}", groups, groups):
        times[group] += 1
    return times


def _means(rows: Mapping[str, Row], times: Sequence[int]) -> dict[str, float]:
    """Below 0 for who has no score in what was drawn."""
    answers: dict[tuple[int, ...], float] = {}
    means = {}
    for name, row in rows.items():
        if row.counts not in answers:  # most miners are asked as often as the others
            answers[row.counts] = math.fsum(map(mul, row.counts, times))
        n = answers[row.counts]
        means[name] = math.fsum(map(mul, row.sums, times)) / n if n else -1.0
    return means


def _ranks(means: Mapping[str, float]) -> dict[str, Rank]:
    """The highest mean is first."""
    order = sorted(means.values(), reverse=True)
    first: dict[float, int] = {}
    last: dict[float, int] = {}
    for rank, mean in enumerate(order, 1):
        first.setdefault(mean, rank)
        last[mean] = rank
    return {name: Rank(first[mean], last[mean]) for name, mean in means.items()}


def _place(ranks: Sequence[Rank]) -> Place:
    """The 2.5 % and 97.5 % quantiles, to the outer side."""
    cut = len(ranks) // 40
    best, worst = sorted(r.best for r in ranks), sorted(r.worst for r in ranks)
    top = len([1 for r in ranks if r.best <= TOP])
    return Place(best[cut], worst[-1 - cut], top / len(ranks))
