"""The miner's own small log: what it took, what it refused, what it answered."""

from typing import ClassVar

from quasar.events.base import Blob, Count, Event, Hotkey, Kind, LogId, Reason, Signature
from quasar.events.receipt import Acceptance, Receipt, Refusal, SignedCheckpoint, TaskRequest


class RequestAccepted(Event, frozen=True, tag="RequestAccepted"):
    """A validator's request that this miner will answer."""

    kind: ClassVar[Kind] = Kind.FACT

    validator: Hotkey
    request: TaskRequest
    checkpoint: SignedCheckpoint | None
    acceptance: Acceptance
    signature: Signature

    @property
    def slot(self) -> str:
        return f"accept.{self.request.log_id}.{self.request.round}.{self.request.task}"


class RequestRefused(Event, frozen=True, tag="RequestRefused"):
    """A request that this miner will not answer. Shares the slot of RequestAccepted."""

    kind: ClassVar[Kind] = Kind.FACT

    validator: Hotkey
    refusal: Refusal
    signature: Signature

    @property
    def slot(self) -> str:
        return f"accept.{self.refusal.log_id}.{self.refusal.round}.{self.refusal.task}"


class AnswerProduced(Event, frozen=True, tag="AnswerProduced"):
    """The engine's answer and the receipt for it."""

    kind: ClassVar[Kind] = Kind.FACT

    receipt: Receipt
    signature: Signature
    answer: Blob
    engine: Reason
    elapsed_ms: Count

    @property
    def slot(self) -> str:
        return f"answer.{self.receipt.log_id}.{self.receipt.round}.{self.receipt.task}"


class OutcomeProved(Event, frozen=True, tag="OutcomeProved"):
    """The validator proved what its log says of one of this miner's assignments."""

    kind: ClassVar[Kind] = Kind.FACT

    log_id: LogId
    round: Count
    task: Count
    proof: Blob
    """The outcome's stored bytes, inclusion proof and checkpoint."""
    agrees: bool
    """Whether the outcome is the answer that this miner gave."""

    @property
    def slot(self) -> str:
        return f"outcome.{self.log_id}.{self.round}.{self.task}"
