"""Stage: delivery of a task and what came back."""

from typing import ClassVar, Literal

from quasar.events.base import Blob, Count, Event, Hotkey, Kind, Name, Part, Signature
from quasar.events.receipt import Acceptance, Receipt, Refusal

Stage = Literal["connect", "upload", "accept", "answer", "verify"]
"""How far a delivery came."""


class Evidence(Part, frozen=True):
    """What the validator saw when a delivery failed; the fault rule reads nothing else."""

    stage: Stage
    code: Name
    """``refused``, ``timeout``, ``http-503``, ``bad-signature``, ``too-large``, ..."""
    bytes: Count
    """Sent (connect, upload) or received (later stages)."""
    elapsed_ms: Count


class DeliveryTried(Event, frozen=True, tag="DeliveryTried"):
    """An attempt that failed and will be repeated."""

    kind: ClassVar[Kind] = Kind.FACT

    round: Count
    task: Count
    hotkey: Hotkey
    attempt: Count
    evidence: Evidence

    @property
    def slot(self) -> str:
        return f"try.{self.round}.{self.task}.{self.hotkey}.{self.attempt}"


class TaskAccepted(Event, frozen=True, tag="TaskAccepted"):
    """The miner signed that it holds the whole request; its deadline runs from here."""

    kind: ClassVar[Kind] = Kind.FACT

    acceptance: Acceptance
    signature: Signature

    @property
    def slot(self) -> str:
        a = self.acceptance
        return f"accept.{a.round}.{a.task}.{a.hotkey}"


class AnswerReceived(Event, frozen=True, tag="AnswerReceived"):
    """An answer, under a receipt that the miner signed."""

    kind: ClassVar[Kind] = Kind.FACT

    round: Count
    task: Count
    hotkey: Hotkey
    text: str | None
    """The answer, if it is UTF-8 and at most 4 KiB encoded; else null."""
    blob: Blob | None
    """The answer's bytes otherwise."""
    receipt: Receipt
    signature: Signature
    elapsed_ms: Count
    """From acceptance to the last byte, on the validator's monotonic clock."""
    deadline_ms: Count

    @property
    def slot(self) -> str:
        return f"answer.{self.round}.{self.task}.{self.hotkey}"


class AnswerAbandoned(Event, frozen=True, tag="AnswerAbandoned"):
    """No answer will come. Shares the slot of AnswerReceived."""

    kind: ClassVar[Kind] = Kind.FACT

    round: Count
    task: Count
    hotkey: Hotkey
    attempts: Count
    evidence: Evidence
    """Of the last attempt."""
    refusal: Refusal | None
    """What the miner signed, if it refused."""
    signature: Signature | None

    @property
    def slot(self) -> str:
        return f"answer.{self.round}.{self.task}.{self.hotkey}"


class SubmissionReceived(Event, frozen=True, tag="SubmissionReceived"):
    """Code that a miner sent unasked."""

    kind: ClassVar[Kind] = Kind.FACT

    hotkey: Hotkey
    code: Blob
    signature: Signature

    @property
    def slot(self) -> str:
        return f"submission.{self.code.sha256}"
