"""Numbers over time, thinned as they grow: a plot has no more room than this anyway."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from quasar.events import Weight, WeightsComputed

ROWS = 240
"""Weight rows that are kept."""
BARS = 96
"""Bars that are kept."""

OUTCOMES = ("answered", "failed", "unproved", "left out")
"""In time; a failure that is the miner's; one for which only the validator's word stands; and one
that is not the miner's."""
ANSWERED, FAILED, UNPROVED, LEFT_OUT = range(len(OUTCOMES))


@dataclass
class Row:
    """A weight row: each miner's part of it."""

    epoch: int
    shares: dict[str, float]


@dataclass
class Rows:
    """Every ``stride``-th weight row, and the newest."""

    newest: WeightsComputed | None = None
    seen: int = 0
    stride: int = 1
    kept: list[Row] = field(default_factory=list)

    def add(self, row: WeightsComputed) -> None:
        """The next one."""
        if self.seen % self.stride == 0:
            self.kept.append(Row(row.epoch, shares_of(row.weights)))
        self.newest = row
        self.seen += 1
        if len(self.kept) > ROWS:
            self.kept = self.kept[::2]
            self.stride *= 2

    def __iter__(self) -> Iterator[Row]:
        """Those that are kept, then the newest if it is not one of them."""
        yield from self.kept
        if self.newest and self.kept[-1].epoch != self.newest.epoch:
            yield Row(self.newest.epoch, shares_of(self.newest.weights))


def shares_of(weights: Sequence[Weight]) -> dict[str, float]:
    """Each weight as a part of the whole row."""
    total = 0
    for weight in weights:
        total += weight.u16
    return {w.hotkey: w.u16 / total if total else 0.0 for w in weights}


@dataclass
class Bar:
    """Outcomes of the answers of consecutive rounds."""

    first: int
    last: int
    counts: list[int] = field(default_factory=lambda: [0] * len(OUTCOMES))


@dataclass
class Bars:
    """Outcomes by round; ``width`` rounds a bar."""

    width: int = 1
    _kept: dict[int, Bar] = field(default_factory=dict)

    def add(self, number: int, outcome: int) -> None:
        """One answer of a round."""
        self._into(number, number).counts[outcome] += 1
        while len(self._kept) > BARS:
            self._widen()

    def __iter__(self) -> Iterator[Bar]:
        """By round."""
        return iter(sorted(self._kept.values(), key=lambda bar: bar.first))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def totals(self) -> list[int]:
        """Of all rounds."""
        totals = [0] * len(OUTCOMES)
        for bar in self._kept.values():
            totals = [a + b for a, b in zip(totals, bar.counts, strict=True)]
        return totals

    def _into(self, first: int, last: int) -> Bar:
        start = (first - 1) // self.width * self.width + 1
        bar = self._kept.setdefault(start, Bar(start, last))
        bar.last = max(bar.last, last)
        return bar

    def _widen(self) -> None:
        old, self._kept = self._kept, {}
        self.width *= 2
        for bar in old.values():
            into = self._into(bar.first, bar.last)
            into.counts = [a + b for a, b in zip(into.counts, bar.counts, strict=True)]
