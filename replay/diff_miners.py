"""How each miner did at each validator: accuracy and reward by task family and length."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from quasar.events import AnswerScored
from quasar.replay.diff_rounds import Cell, PlayedRound


class Did(Struct, frozen=True, kw_only=True):
    """Of one miner at one validator. Means are None where nothing was scored."""

    scored: int
    accuracy: float | None
    """Mean of the raw metric, with 0 for failures that are the miner's."""
    accuracy_se: float | None
    """Its standard error; None below two answers."""
    reward: float | None
    failed: int
    """Failures among them: late, refused, silent, unreachable."""
    unproved: int
    """Of these, without the miner's signature."""
    not_scored: int
    """Left out of the means."""


class MinerDid(Struct, frozen=True, kw_only=True):
    """One miner, at one kind of task, or at all of them together."""

    hotkey: str
    family: str | None
    bucket: str | None
    by_log: list[Did | None]
    """In the order of the logs; None where it was never asked."""

    @property
    def gap(self) -> float:
        """Highest less lowest mean accuracy."""
        means = [did.accuracy for did in self.by_log if did and did.accuracy is not None]
        return max(means) - min(means) if means else 0.0


@dataclass
class _Sum:
    """Running sums, so that memory does not grow with the answers."""

    scored: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Of the distances from the mean (Welford 1962)."""
    reward: float = 0.0
    failed: int = 0
    unproved: int = 0
    not_scored: int = 0

    def add(self, score: AnswerScored, *, unproved: bool) -> None:
        self.scored += 1
        before = score.accuracy - self.mean
        self.mean += before / self.scored
        self.squares += before * (score.accuracy - self.mean)
        self.reward += score.reward
        self.failed += score.failure is not None
        self.unproved += unproved

    def did(self) -> Did:
        n = self.scored
        return Did(
            scored=n,
            accuracy=self.mean if n else None,
            accuracy_se=math.sqrt(self.squares / (n * (n - 1))) if n > 1 else None,
            reward=self.reward / n if n else None,
            failed=self.failed,
            unproved=self.unproved,
            not_scored=self.not_scored,
        )


class Miners:
    """Feeds on scored rounds."""

    def __init__(self, logs: int) -> None:
        self._logs = logs
        self._sums: dict[tuple[str, Cell | None], dict[int, _Sum]] = {}

    def feed(self, log: int, played: PlayedRound) -> None:
        """A round of one log."""
        for (_, hotkey), judged in played.judged.items():
            for cell in (judged.cell, None):
                by_log = self._sums.setdefault((hotkey, cell), {})
                total = by_log.setdefault(log, _Sum())
                if isinstance(judged.score, AnswerScored):
                    total.add(judged.score, unproved=judged.failed)
                else:
                    total.not_scored += 1

    @property
    def shared(self) -> int:
        """Miners that more than one validator asked."""
        return len([1 for (_, cell), logs in self._sums.items() if cell is None and len(logs) > 1])

    def result(self) -> tuple[list[MinerDid], list[MinerDid]]:
        """By miner, then by miner and kind of task; both sorted by name."""
        rows = sorted(self._sums, key=lambda row: (row[0], row[1] or ("", "")))
        lines = [self._line(hotkey, cell) for hotkey, cell in rows]
        together = [line for line in lines if line.family is None]
        return together, [line for line in lines if line.family is not None]

    def _line(self, hotkey: str, cell: Cell | None) -> MinerDid:
        by_log = self._sums[(hotkey, cell)]
        family, bucket = cell or (None, None)
        dids: Sequence[_Sum | None] = [by_log.get(log) for log in range(self._logs)]
        return MinerDid(
            hotkey=hotkey,
            family=family,
            bucket=bucket,
            by_log=[total.did() if total else None for total in dids],
        )
