"""Weight rows of several validators, epoch by epoch: how far apart, and from where on."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from msgspec import Struct

from quasar.events import WeightsComputed
from quasar.replay.diff_rounds import Place
from quasar.replay.ranks import kendall, l1, shares


class Row(NamedTuple):
    """A row and where it stands."""

    row: WeightsComputed
    at: Place


class RowsApart(Struct, frozen=True, kw_only=True):
    """The rows of two validators for one epoch."""

    epoch: int
    one: str
    """Name of a log in this comparison."""
    two: str
    blocks: tuple[int, int]
    events: tuple[Place, Place]
    """Volume and sequence number of each row."""
    l1: float
    """Sum of the absolute differences of the shares: 0 equal, 2 nothing in common."""
    kendall: float | None
    """Rank correlation tau-b; None where a row orders nobody."""


class Parting(Struct, frozen=True, kw_only=True):
    """Two validators over all epochs in which both had a row."""

    one: str
    two: str
    epochs: int
    equal: int
    """Epochs with equal shares."""
    first: RowsApart | None
    """The first epoch whose shares differ."""
    widest: RowsApart | None
    newest: RowsApart | None


class Rows:
    """Feeds on the rows of one epoch at a time."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self.apart: list[RowsApart] = []
        """Every epoch, every two validators that had a row in it."""
        self.alone = 0
        """Rows for epochs in which no other validator had one."""

    def feed(self, rows: Mapping[int, Row]) -> None:
        """The rows of an epoch, by log."""
        self.alone += len(rows) == 1
        for one, two in combinations(sorted(rows), 2):
            self.apart.append(self._compare(one, rows[one], two, rows[two]))

    def _compare(self, one: int, a: Row, two: int, b: Row) -> RowsApart:
        left, right = _shares(a.row), _shares(b.row)
        hotkeys = sorted({*left, *right})
        return RowsApart(
            epoch=a.row.epoch,
            one=self._names[one],
            two=self._names[two],
            blocks=(a.row.block, b.row.block),
            events=(a.at, b.at),
            l1=l1(left, right),
            kendall=kendall(
                [left.get(h, 0.0) for h in hotkeys], [right.get(h, 0.0) for h in hotkeys]
            ),
        )

    def partings(self) -> list[Parting]:
        """One for each two validators with rows in common."""
        return [self._parting(one, two) for one, two in combinations(self._names, 2)]

    def _parting(self, one: str, two: str) -> Parting:
        rows = [rows for rows in self.apart if (rows.one, rows.two) == (one, two)]
        other = [rows for rows in rows if rows.l1 > 0.0]
        return Parting(
            one=one,
            two=two,
            epochs=len(rows),
            equal=len(rows) - len(other),
            first=other[0] if other else None,
            widest=max(other, key=lambda rows: rows.l1, default=None),
            newest=rows[-1] if rows else None,
        )


def _shares(row: WeightsComputed) -> dict[str, float]:
    return shares({weight.hotkey: weight.u16 for weight in row.weights})
