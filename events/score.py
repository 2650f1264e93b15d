"""Stage: the score of one answer."""

from typing import Annotated, ClassVar

from msgspec import Meta

from quasar.events.base import Count, Event, Hotkey, Kind, Name
from quasar.events.faults import Fault

Accuracy = Annotated[float, Meta(ge=0.0, le=1.0)]


class AnswerScored(Event, frozen=True, tag="AnswerScored"):
    """What an answer is worth."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    task: Count
    hotkey: Hotkey
    bucket: Name
    metric: Name
    accuracy: Accuracy
    """Raw metric; 0 for a failure that is the miner's."""
    multiplier: float
    """Of the task's bucket, from the policy."""
    reward: Accuracy
    """``min(accuracy * multiplier, 1.0)`` under readme-v1."""
    failure: Name | None
    """``late``, ``refused``, ``silent``, ``unreachable``; null for an answer in time."""
    unproved: bool
    """Only the validator's word stands for the failure."""

    @property
    def slot(self) -> str:
        return f"score.{self.round}.{self.task}.{self.hotkey}"


class AnswerNotScored(Event, frozen=True, tag="AnswerNotScored"):
    """Left out of every mean: the failure was not the miner's. Shares the slot of AnswerScored."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    task: Count
    hotkey: Hotkey
    bucket: Name
    fault: Fault
    failure: Name

    @property
    def slot(self) -> str:
        return f"score.{self.round}.{self.task}.{self.hotkey}"
