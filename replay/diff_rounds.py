"""What a comparison needs of a log: its rounds once scored, each as one piece. A streaming fold."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from quasar.events import (
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    RoundAbandoned,
    RoundOpened,
    RoundScored,
    TaskAssigned,
    TaskSampled,
)
from quasar.rules.machine import Recorded

OPEN = 64
"""Rounds that may be under way at once; of a log with more, the oldest is not waited for."""

Key = tuple[int, str]
"""Task and hotkey."""

Cell = tuple[str, str]
"""Task family and bucket."""

_encode = msgspec.json.Encoder().encode


class Place(NamedTuple):
    """Where an event stands in its validator's log."""

    volume: int
    seq: int


class Judged(NamedTuple):
    """How one assignment ended."""

    cell: Cell
    asked: bytes
    """SHA-256 of all that the miner was asked, but numbers, names and times."""
    answer: str | None
    """SHA-256 of the answer's bytes; None where none came."""
    score: AnswerScored | AnswerNotScored
    at: Place
    """Of the score."""

    @property
    def failed(self) -> bool:
        """A failure that costs the miner, and for which only the validator's word stands.

        Unreachable, silent, late: the acceptance may be signed, that no answer came in time is not.
        A refusal is signed.
        """
        return isinstance(self.score, AnswerScored) and self.score.failure not in (None, "refused")

    @property
    def left_out(self) -> bool:
        """Not scored, since the failure was not the miner's."""
        return isinstance(self.score, AnswerNotScored)


class PlayedRound(NamedTuple):
    """A round with all its scores."""

    number: int
    block: int
    policy: str
    """SHA-256."""
    templates: tuple[str, ...]
    """One a task: what its variants share."""
    mix: tuple[Cell, ...]
    """One a task."""
    judged: dict[Key, Judged]


@dataclass
class _Open:
    opened: RoundOpened
    sampled: dict[int, TaskSampled] = field(default_factory=dict)
    asked: dict[Key, bytes] = field(default_factory=dict)
    answers: dict[Key, str] = field(default_factory=dict)
    judged: dict[Key, Judged] = field(default_factory=dict)


class PlayedRounds:
    """Feeds on every event of a log in order; keeps open rounds alone.

    What follows from nothing is passed over: an audit names it.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    def __len__(self) -> int:
        """Rounds under way."""
        return len(self._open)

    def oldest(self, block: int) -> int:
        """The block of the oldest round under way; ``block``, the newest seen, if there is none."""
        return min((r.opened.block for r in self._open.values()), default=block)

    def feed(self, seen: Recorded, volume: int) -> PlayedRound | None:
        """Fold one event; the round that it completes."""
        match seen.event:
            case RoundOpened() as opened:
                self._open[opened.round] = _Open(opened)
                if len(self._open) > OPEN:
                    del self._open[min(self._open)]
            case RoundAbandoned(round=number):
                self._open.pop(number, None)
            case RoundScored(round=number) if number in self._open:
                return _played(self._open.pop(number))
            case TaskSampled(round=number) as sampled if number in self._open:
                self._open[number].sampled[sampled.task] = sampled
            case TaskAssigned(round=number) as assigned if number in self._open:
                _assign(self._open[number], assigned)
            case AnswerReceived(round=number) as answer if number in self._open:
                self._open[number].answers[(answer.task, answer.hotkey)] = _digest(answer)
            case AnswerScored(round=number) | AnswerNotScored(round=number) as score if (
                number in self._open
            ):
                _judge(self._open[number], score, Place(volume, seen.seq))
        return None


def _assign(current: _Open, assigned: TaskAssigned) -> None:
    sampled = current.sampled.get(assigned.task)
    if sampled is not None:
        kind = (sampled.family, sampled.bucket, sampled.metric, sampled.answer_bytes)
        own = (sampled.template, assigned.context.sha256, assigned.question)
        key = (assigned.task, assigned.hotkey)
        current.asked[key] = hashlib.sha256(_encode((kind, own))).digest()


def _digest(answer: AnswerReceived) -> str:
    if answer.text is not None:
        return hashlib.sha256(answer.text.encode()).hexdigest()
    return answer.blob.sha256 if answer.blob else ""


def _judge(current: _Open, score: AnswerScored | AnswerNotScored, at: Place) -> None:
    key, sampled = (score.task, score.hotkey), current.sampled.get(score.task)
    if sampled is not None and key in current.asked:
        cell = (sampled.family, sampled.bucket)
        answer = current.answers.get(key)
        current.judged[key] = Judged(cell, current.asked[key], answer, score, at)


def _played(current: _Open) -> PlayedRound:
    tasks: Sequence[TaskSampled] = [task for _, task in sorted(current.sampled.items())]
    return PlayedRound(
        number=current.opened.round,
        block=current.opened.block,
        policy=current.opened.policy,
        templates=tuple(task.template for task in tasks),
        mix=tuple(sorted((task.family, task.bucket) for task in tasks)),
        judged=current.judged,
    )
