"""Stage: weights, from scores to the row on chain."""

from typing import ClassVar

from quasar.events.base import U16, BlockHash, Count, Event, Hotkey, Kind, Name, Part, Reason


class Weight(Part, frozen=True):
    """One miner's place in the row."""

    hotkey: Hotkey
    uid: U16
    score: float
    """EMA of mean rewards, 0 to 1."""
    samples: Count
    """Scored answers behind it."""
    u16: U16
    """``round(score / max(score) * 65535)``, half to even; zeros are not sent."""


class WeightsComputed(Event, frozen=True, tag="WeightsComputed"):
    """The exact row for an epoch."""

    kind: ClassVar[Kind] = Kind.DECISION

    epoch: Count
    attempt: Count
    block: Count
    """Where hotkeys became uids."""
    block_hash: BlockHash
    rounds: Count
    """Rounds folded so far."""
    weights: list[Weight]
    """By uid; every registered miner that was ever scored."""

    @property
    def slot(self) -> str:
        return f"weights.{self.epoch}.{self.attempt}.computed"


class WeightsDeferred(Event, frozen=True, tag="WeightsDeferred"):
    """No row for this epoch, and why. Shares the slot of WeightsComputed."""

    kind: ClassVar[Kind] = Kind.DECISION

    epoch: Count
    attempt: Count
    block: Count
    reason: Name
    """``no-scores``, ``all-zero``, ``too-few``."""

    @property
    def slot(self) -> str:
        return f"weights.{self.epoch}.{self.attempt}.computed"


class WeightsIntended(Event, frozen=True, tag="WeightsIntended"):
    """The row is about to be submitted."""

    kind: ClassVar[Kind] = Kind.EFFECT

    epoch: Count
    attempt: Count
    block: Count

    @property
    def slot(self) -> str:
        return f"weights.{self.epoch}.{self.attempt}.intended"


class WeightsSubmitted(Event, frozen=True, tag="WeightsSubmitted"):
    """The extrinsic left."""

    kind: ClassVar[Kind] = Kind.EFFECT

    epoch: Count
    attempt: Count
    extrinsic: BlockHash

    @property
    def slot(self) -> str:
        return f"weights.{self.epoch}.{self.attempt}.submitted"


class WeightsConfirmed(Event, frozen=True, tag="WeightsConfirmed"):
    """Finalised state shows the row or its commit."""

    kind: ClassVar[Kind] = Kind.FACT

    epoch: Count
    attempt: Count
    block: Count
    block_hash: BlockHash

    @property
    def slot(self) -> str:
        return f"weights.{self.epoch}.{self.attempt}.outcome"


class WeightsFailed(Event, frozen=True, tag="WeightsFailed"):
    """The chain refused the row. Shares the slot of WeightsConfirmed."""

    kind: ClassVar[Kind] = Kind.FACT

    epoch: Count
    attempt: Count
    code: Name
    reason: Reason

    @property
    def slot(self) -> str:
        return f"weights.{self.epoch}.{self.attempt}.outcome"


class WeightsUnknown(Event, frozen=True, tag="WeightsUnknown"):
    """The era passed and finalised state does not show the row. Shares that slot."""

    kind: ClassVar[Kind] = Kind.FACT

    epoch: Count
    attempt: Count
    block: Count

    @property
    def slot(self) -> str:
        return f"weights.{self.epoch}.{self.attempt}.outcome"


class WeightsVerified(Event, frozen=True, tag="WeightsVerified"):
    """The row was read back from the chain, after a reveal where there is one."""

    kind: ClassVar[Kind] = Kind.FACT

    epoch: Count
    attempt: Count
    block: Count
    equal: bool

    @property
    def slot(self) -> str:
        return f"weights.{self.epoch}.{self.attempt}.verified"
