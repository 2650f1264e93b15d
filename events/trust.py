"""Stage: what makes the log provable."""

from typing import ClassVar

from quasar.events.base import BlockHash, Count, Digest, Event, Kind, Name, Reason


class CheckpointSigned(Event, frozen=True, tag="CheckpointSigned"):
    """A tree head over the first ``size`` events, signed with the log key."""

    kind: ClassVar[Kind] = Kind.EFFECT

    size: Count
    root: Digest
    note: str
    """The C2SP signed note."""

    @property
    def slot(self) -> str:
        return f"checkpoint.{self.size}"


class CheckpointAnchored(Event, frozen=True, tag="CheckpointAnchored"):
    """The chain holds the hash of a checkpoint."""

    kind: ClassVar[Kind] = Kind.FACT

    size: Count
    attempt: Count
    block: Count
    block_hash: BlockHash
    previous: Digest | None
    """Hash of the anchor before this one."""

    @property
    def slot(self) -> str:
        return f"anchor.{self.size}.{self.attempt}"


class AnchorFailed(Event, frozen=True, tag="AnchorFailed"):
    """An anchor did not land. Shares the slot of CheckpointAnchored."""

    kind: ClassVar[Kind] = Kind.FACT

    size: Count
    attempt: Count
    reason: Reason

    @property
    def slot(self) -> str:
        return f"anchor.{self.size}.{self.attempt}"


class EventQuarantined(Event, frozen=True, tag="EventQuarantined"):
    """An actor cannot handle an event; valid only for bytes that the auditor's rules reject too."""

    kind: ClassVar[Kind] = Kind.FACT

    actor: Name
    seq: Count
    reason: Reason

    @property
    def slot(self) -> str:
        return f"quarantine.{self.actor}.{self.seq}"
