"""Rounds under way: which tasks wait for whom. A fold for people."""

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    BlockObserved,
    RoundAbandoned,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RoundSealed,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
)
from quasar.rules.machine import Recorded

Stage = Literal["opened", "assigned", "sealed", "revealed"]
"""Opened: it waits for its beacon. Assigned: for outcomes. Sealed: for its secret. Revealed: for
scores."""


class OpenTask(Struct, frozen=True, kw_only=True):
    """A task of an open round."""

    task: int
    family: str
    bucket: str
    metric: str
    assigned: int
    outcomes: int
    """Assignments that were answered or abandoned."""


class OpenAssignment(Struct, frozen=True, kw_only=True):
    """A task that waits for its miner."""

    round: int
    task: int
    hotkey: str
    seq: int
    """Of TaskAssigned."""
    n: int
    deadline_ms: int
    accepted: bool
    """The miner signed that it holds the whole request."""


class OpenRound(Struct, frozen=True, kw_only=True):
    """A round between its opening and its last score."""

    round: int
    seq: int
    """Of RoundOpened."""
    stage: Stage
    block: int
    beacon_block: int
    participants: int
    assigned: int
    answered: int
    abandoned: int
    scored: int
    """Answers that have their score, or were left out."""
    tasks: list[OpenTask]
    waiting: list[OpenAssignment]
    """By task and hotkey."""


Key = tuple[int, str]
"""Task and hotkey."""


@dataclass
class _Round:
    seq: int
    opened: RoundOpened
    stage: Stage = "opened"
    sampled: dict[int, TaskSampled] = field(default_factory=dict)
    assigned: dict[Key, tuple[int, TaskAssigned]] = field(default_factory=dict)
    accepted: set[Key] = field(default_factory=set)
    outcomes: dict[Key, bool] = field(default_factory=dict)
    """Whether it was answered."""
    scored: int = 0


class RoundsFold:
    """Feeds on every event in order; keeps open rounds alone."""

    def __init__(self) -> None:
        self._rounds: dict[int, _Round] = {}

    @property
    def open(self) -> list[OpenRound]:
        """By number."""
        return [_shown(current) for _, current in sorted(self._rounds.items())]

    def feed(self, seen: Recorded) -> None:
        """Fold one event. Raises KeyError for one of a round that is not open."""
        rounds = self._rounds
        match seen.event:
            case RoundOpened(round=number) as opened:
                rounds[number] = _Round(seen.seq, opened)
            case BlockObserved(number=number):
                self._beacon(number)
            case TaskSampled(round=number, task=task) as sampled:
                rounds[number].sampled[task] = sampled
            case TaskAssigned(round=number, task=task, hotkey=hotkey) as assigned:
                rounds[number].assigned[(task, hotkey)] = (seen.seq, assigned)
            case TaskAccepted(acceptance=a):
                rounds[a.round].accepted.add((a.task, a.hotkey))
            case AnswerReceived(round=number) | AnswerAbandoned(round=number) as outcome:
                answered = isinstance(outcome, AnswerReceived)
                rounds[number].outcomes[(outcome.task, outcome.hotkey)] = answered
            case RoundSealed(round=number):
                rounds[number].stage = "sealed"
            case RoundRevealed(round=number) if number in rounds:
                rounds[number].stage = "revealed"
            case AnswerScored(round=number) | AnswerNotScored(round=number):
                rounds[number].scored += 1
            case RoundScored(round=number) | RoundAbandoned(round=number):
                del rounds[number]

    def _beacon(self, block: int) -> None:
        for current in self._rounds.values():
            if current.opened.beacon_block == block:
                current.stage = "assigned"


def _shown(current: _Round) -> OpenRound:
    opened, outcomes = current.opened, current.outcomes
    answered = len([key for key, answer in outcomes.items() if answer])
    return OpenRound(
        round=opened.round,
        seq=current.seq,
        stage=current.stage,
        block=opened.block,
        beacon_block=opened.beacon_block,
        participants=len(opened.participants),
        assigned=len(current.assigned),
        answered=answered,
        abandoned=len(outcomes) - answered,
        scored=current.scored,
        tasks=[_task(current, sampled) for _, sampled in sorted(current.sampled.items())],
        waiting=[
            _assignment(seq, assigned, key in current.accepted)
            for key, (seq, assigned) in sorted(current.assigned.items())
            if key not in outcomes
        ],
    )


def _task(current: _Round, sampled: TaskSampled) -> OpenTask:
    return OpenTask(
        task=sampled.task,
        family=sampled.family,
        bucket=sampled.bucket,
        metric=sampled.metric,
        assigned=len([task for task, _ in current.assigned if task == sampled.task]),
        outcomes=len([task for task, _ in current.outcomes if task == sampled.task]),
    )


def _assignment(seq: int, assigned: TaskAssigned, accepted: bool) -> OpenAssignment:
    return OpenAssignment(
        round=assigned.round,
        task=assigned.task,
        hotkey=assigned.hotkey,
        seq=seq,
        n=assigned.n,
        deadline_ms=assigned.deadline_ms,
        accepted=accepted,
    )
