"""Views that people read: folds of the log, recomputable like everything else."""

from dataclasses import dataclass, field
from typing import NamedTuple

from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    RoundOpened,
    RoundScored,
    RoundSkipped,
    TaskSampled,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.rules.machine import Recorded
from quasar.rules.statistics import Summary, summarise


class Line(NamedTuple):
    """One miner on the leaderboard."""

    hotkey: str
    reward: Summary | None
    """Over all scored answers."""
    buckets: dict[str, Summary]
    """Raw accuracy by context length."""
    not_scored: int
    u16: int | None
    """In the newest row."""


@dataclass
class Leaderboard:
    """Accuracies by miner and bucket, and the newest row."""

    rewards: dict[str, list[float]] = field(default_factory=dict)
    accuracies: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    not_scored: dict[str, int] = field(default_factory=dict)
    row: WeightsComputed | None = None
    deferred: WeightsDeferred | None = None
    rounds: int = 0
    skipped: int = 0
    opened: int = 0
    tasks: int = 0
    answers: int = 0
    abandoned: int = 0

    def feed(self, seen: Recorded) -> None:
        """Fold one event."""
        match seen.event:
            case RoundOpened(participants=hotkeys):
                self.opened += 1
                for hotkey in hotkeys:
                    self.rewards.setdefault(hotkey, [])
            case RoundSkipped():
                self.skipped += 1
            case TaskSampled():
                self.tasks += 1
            case AnswerReceived():
                self.answers += 1
            case AnswerAbandoned():
                self.abandoned += 1
            case AnswerScored() as score:
                self._score(score)
            case AnswerNotScored(hotkey=hotkey):
                self.not_scored[hotkey] = self.not_scored.get(hotkey, 0) + 1
            case RoundScored():
                self.rounds += 1
            case WeightsComputed() as row:
                self.row = row
            case WeightsDeferred() as deferred:
                self.deferred = deferred

    def _score(self, score: AnswerScored) -> None:
        self.rewards.setdefault(score.hotkey, []).append(score.reward)
        buckets = self.accuracies.setdefault(score.hotkey, {})
        buckets.setdefault(score.bucket, []).append(score.accuracy)

    @property
    def buckets(self) -> list[str]:
        """Names of the buckets seen, in the order of their first score."""
        names: dict[str, None] = {}
        for by_bucket in self.accuracies.values():
            names.update(dict.fromkeys(by_bucket))
        return list(names)

    @property
    def weights(self) -> dict[str, int]:
        """Hotkey to u16, of the newest row."""
        return {w.hotkey: w.u16 for w in self.row.weights} if self.row else {}

    def lines(self) -> list[Line]:
        """Miners by weight, then by mean reward, then by hotkey."""
        weights = self.weights
        lines = [
            Line(
                hotkey,
                summarise(rewards),
                {
                    bucket: summary
                    for bucket, values in self.accuracies.get(hotkey, {}).items()
                    if (summary := summarise(values)) is not None
                },
                self.not_scored.get(hotkey, 0),
                weights.get(hotkey),
            )
            for hotkey, rewards in self.rewards.items()
        ]
        return sorted(lines, key=_rank)


def _rank(line: Line) -> tuple[int, float, str]:
    return (-(line.u16 or 0), -(line.reward.mean if line.reward else 0.0), line.hotkey)
