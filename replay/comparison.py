"""Two weight rows side by side: who gains, who loses, how far they are apart."""

from collections.abc import Mapping

from msgspec import Struct

from quasar.events import Weight
from quasar.replay.ranks import kendall, l1, shares


class Change(Struct, frozen=True, kw_only=True):
    """One miner in both rows."""

    hotkey: str
    old_score: float | None
    """EMA; None where the row does not name it."""
    new_score: float | None
    old_u16: int
    new_u16: int
    old_share: float
    """Its part of the row's sum, 0 to 1."""
    new_share: float

    @property
    def gain(self) -> float:
        """New share less old share; below 0 for those who lose."""
        return self.new_share - self.old_share


class Comparison(Struct, frozen=True, kw_only=True):
    """Two rows side by side."""

    l1: float
    """Sum of the absolute differences of the shares: 0 equal, 2 nothing in common."""
    kendall: float | None
    """Rank correlation tau-b; None where a row orders nobody."""
    miners: list[Change]
    """Winners first."""


def compare(old: Mapping[str, Weight], new: Mapping[str, Weight]) -> Comparison:
    """Two rows, by hotkey."""
    hotkeys = sorted({*old, *new})
    before = shares({h: old[h].u16 if h in old else 0 for h in hotkeys})
    after = shares({h: new[h].u16 if h in new else 0 for h in hotkeys})
    changes = [
        Change(
            hotkey=hotkey,
            old_score=old[hotkey].score if hotkey in old else None,
            new_score=new[hotkey].score if hotkey in new else None,
            old_u16=old[hotkey].u16 if hotkey in old else 0,
            new_u16=new[hotkey].u16 if hotkey in new else 0,
            old_share=before[hotkey],
            new_share=after[hotkey],
        )
        for hotkey in hotkeys
    ]
    return Comparison(
        l1=l1(before, after),
        kendall=kendall([before[h] for h in hotkeys], [after[h] for h in hotkeys]),
        miners=sorted(changes, key=lambda c: (-c.gain, -c.old_share, c.hotkey)),
    )
