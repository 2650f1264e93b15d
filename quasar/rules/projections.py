"""Views that people read: folds of the log, recomputable like everything else."""

from dataclasses import dataclass, field
from typing import NamedTuple

from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    FindingNoted,
    RoundAbandoned,
    RoundOpened,
    RoundScored,
    RoundSkipped,
    TaskSampled,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.rules.machine import Recorded
from quasar.rules.ranks import Contexts, Place
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
    asked: dict[str, list[str]] = field(default_factory=dict)
    """What each of them was asked about: the digest of its task's template."""
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
    findings: int = 0
    """Noted about miners."""
    _contexts: Contexts = field(default_factory=Contexts)
    _templates: dict[tuple[int, int], str] = field(default_factory=dict)
    """Of rounds that are not scored, by round and task."""

    def feed(self, seen: Recorded) -> None:
        """Fold one event."""
        match seen.event:
            case RoundOpened(participants=hotkeys):
                self.opened += 1
                for hotkey in hotkeys:
                    self.rewards.setdefault(hotkey, [])
            case RoundSkipped() | RoundAbandoned():
                self.skipped += 1
            case TaskSampled() as task:
                self.tasks += 1
                self._templates[(task.round, task.task)] = task.template
            case AnswerReceived():
                self.answers += 1
            case AnswerAbandoned():
                self.abandoned += 1
            case AnswerScored() as score:
                self._score(score)
            case AnswerNotScored(hotkey=hotkey):
                self.not_scored[hotkey] = self.not_scored.get(hotkey, 0) + 1
            case RoundScored(round=number):
                self.rounds += 1
                for key in [key for key in self._templates if key[0] == number]:
                    del self._templates[key]
            case FindingNoted():
                self.findings += 1
            case WeightsComputed() as row:
                self.row = row
            case WeightsDeferred() as deferred:
                self.deferred = deferred

    def _score(self, score: AnswerScored) -> None:
        context = self._templates.get((score.round, score.task), "")
        self.rewards.setdefault(score.hotkey, []).append(score.reward)
        self.asked.setdefault(score.hotkey, []).append(context)
        self._contexts.add(score.hotkey, context, score.reward)
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

    def places(self) -> dict[str, Place]:
        """Where each miner with a score may stand by its mean reward. Takes up to a second."""
        return self._contexts.places()

    def lines(self) -> list[Line]:
        """Miners by weight, then by mean reward, then by hotkey."""
        weights = self.weights
        lines = [
            Line(
                hotkey,
                summarise(rewards, self.asked.get(hotkey)),
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
