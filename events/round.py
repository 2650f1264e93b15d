"""Stage: a round, one set of tasks, from the block that opens it to its mean rewards."""

from typing import ClassVar

from quasar.events.base import BlockHash, Count, Digest, Event, Hotkey, Kind, Part, Reason
from quasar.events.faults import Fault


class RoundOpened(Event, frozen=True, tag="RoundOpened"):
    """Commits to the participants before the block that seeds the tasks exists."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    """1 for the first scheduled block of the log; skipped rounds count too."""
    block: Count
    block_hash: BlockHash
    beacon_block: Count
    """The future block whose hash, with the round's secret, seeds the tasks."""
    policy: Digest
    """SHA-256 of the policy file that rules this round."""
    participants: list[Hotkey]
    """Sorted."""

    @property
    def slot(self) -> str:
        return f"round.{self.round}"


class RoundSkipped(Event, frozen=True, tag="RoundSkipped"):
    """A scheduled round that was not played. Shares the slot of RoundOpened."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    block: Count
    fault: Fault
    reason: Reason

    @property
    def slot(self) -> str:
        return f"round.{self.round}"


class BeaconDelayed(Event, frozen=True, tag="BeaconDelayed"):
    """The beacon block was read long after it was made. No other block can stand in for it."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    beacon_block: Count
    block: Count
    """Newest finalised block when the beacon was read."""

    @property
    def slot(self) -> str:
        return f"delayed.{self.round}"


class RoundAbandoned(Event, frozen=True, tag="RoundAbandoned"):
    """An opened round whose beacon was not read in time: it has no tasks. Shares RoundSealed's
    slot."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    beacon_block: Count
    block: Count
    """Newest finalised block when it was given up."""
    fault: Fault
    reason: Reason

    @property
    def slot(self) -> str:
        return f"sealed.{self.round}"


class RoundSealed(Event, frozen=True, tag="RoundSealed"):
    """Every assignment has its outcome; no more answers are taken."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    assignments: Count
    answered: Count
    abandoned: Count
    outcomes: Digest
    """SHA-256 over the sorted ``slot SP sha256(payload) LF`` lines of all outcomes."""

    @property
    def slot(self) -> str:
        return f"sealed.{self.round}"


class RoundRevealed(Event, frozen=True, tag="RoundRevealed"):
    """The round's secret. With the beacon it regenerates every task and answer."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    secret: Digest
    """s_r; SHA-256 of it is s_(r-1)."""

    @property
    def slot(self) -> str:
        return f"revealed.{self.round}"


class MeanReward(Part, frozen=True):
    """What one miner earned in one round."""

    hotkey: Hotkey
    scored: Count
    """Assignments that count."""
    not_scored: Count
    """Assignments left out, since the failure was not the miner's."""
    unproved: Count
    """Zeros for which only the validator's word stands (unreachable)."""
    mean: float | None
    """``math.fsum(rewards) / scored``; null when nothing counts."""


class RoundScored(Event, frozen=True, tag="RoundScored"):
    """Every assignment has exactly one score; the mean reward of each participant."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    rewards: list[MeanReward]
    """Sorted by hotkey."""

    @property
    def slot(self) -> str:
        return f"scored.{self.round}"
