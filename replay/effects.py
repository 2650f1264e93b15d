"""The journals: rows on their way to the chain, and anchors of checkpoints, step by step."""

from dataclasses import dataclass, field

from quasar.events import (
    AnchorFailed,
    CheckpointAnchored,
    CheckpointSigned,
    LogOpened,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)
from quasar.events.blobs import Blobs
from quasar.replay.finding import Finding, Level
from quasar.rules.anchoring import anchor_digest
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded
from quasar.rules.submission import ERA_BLOCKS, MAX_ATTEMPTS

Outcome = WeightsConfirmed | WeightsFailed | WeightsUnknown
Step = WeightsIntended | WeightsSubmitted | Outcome | WeightsVerified


@dataclass
class Attempt:
    """One recorded try to bring a row on chain."""

    seq: int
    block: int
    submitted: bool = False
    outcome: Outcome | None = None


@dataclass
class Row:
    """A computed row and its attempts."""

    seq: int
    attempts: list[Attempt] = field(default_factory=list)
    failed: bool = False
    """Given up: nothing may follow."""
    verified: bool = False

    @property
    def under_way(self) -> bool:
        """It ends read back or given up, before the next row is intended."""
        return bool(self.attempts) and not (self.failed or self.verified)

    def attempt(self, number: int) -> Attempt | None:
        """An intended attempt."""
        return self.attempts[number] if number < len(self.attempts) else None


class EffectsCheck:
    """Feeds on every event in order."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.findings: list[Finding] = []
        self._rows: dict[int, Row] = {}
        self._covered = 0
        self._signed: dict[int, bytes] = {}
        """Size of a checkpoint to what an anchor of it would hold."""
        self._anchor: tuple[int, str] | None = None
        """Size and digest of the newest anchor."""
        self._tries: dict[int, int] = {}
        """Size to attempts at its anchor, landed or failed."""

    def feed(self, seen: Recorded) -> None:
        """Check one event against those before it."""
        event = seen.event
        match event:
            case LogOpened() as opened:
                carried = inherited(opened, self._blobs)
                if carried is not None and carried.anchor is not None:
                    self._anchor = 0, carried.anchor
            case WeightsComputed(epoch=epoch):
                self._rows[epoch] = Row(seen.seq)
            case CheckpointSigned(size=size, note=note):
                self._covered = max(self._covered, size)
                self._signed[size] = bytes.fromhex(anchor_digest(note))
                if seen.envelope.cause != size:
                    self._report(seen, "not caused by the last event that it covers")
            case WeightsIntended():
                self._report(seen, self._intend(seen.seq, event) or self._caused(seen, event))
            case WeightsSubmitted():
                self._report(seen, self._submit(event) or self._caused(seen, event))
            case WeightsConfirmed() | WeightsFailed() | WeightsUnknown():
                self._report(seen, self._end(event) or self._caused(seen, event))
            case WeightsVerified():
                self._report(seen, self._verify(event) or self._caused(seen, event))
                if not event.equal:
                    self._report(seen, "the chain held another row", "weights")
            case CheckpointAnchored():
                self._report(seen, self._anchored(event) or self._tried(event))
            case AnchorFailed(size=size):
                lost = "an anchor of a checkpoint that is not in the log"
                self._report(seen, None if size in self._signed else lost)
                self._report(seen, self._tried(event))

    def _caused(self, seen: Recorded, event: Step) -> str | None:
        row = self._rows.get(event.epoch)
        caused = row is None or seen.envelope.cause == row.seq
        return None if caused else "not caused by the row that it is about"

    def _tried(self, anchor: CheckpointAnchored | AnchorFailed) -> str | None:
        number = self._tries.get(anchor.size, 0)
        self._tries[anchor.size] = number + 1
        return None if anchor.attempt == number else "attempts at an anchor are not dense"

    def _report(self, seen: Recorded, reason: str | None, level: Level = "lifecycle") -> None:
        if reason:
            tag = type(seen.event).__name__
            self.findings.append(Finding(seq=seen.seq, level=level, type=tag, reason=reason))

    def _intend(self, seq: int, intended: WeightsIntended) -> str | None:
        row = self._rows.get(intended.epoch)
        if row is None:
            return "a row is intended that was not computed"
        if any(e < intended.epoch and r.under_way for e, r in self._rows.items()):
            return "a row is intended while an older one has not met its end"
        dense = intended.attempt == len(row.attempts)
        lost = not row.attempts or isinstance(row.attempts[-1].outcome, WeightsUnknown)
        row.attempts.append(Attempt(seq, intended.block))
        if not dense:
            return "attempts at a row are not dense"
        if row.failed or not lost:
            return "a row is tried again before its last attempt is known to be lost"
        return None if intended.attempt < MAX_ATTEMPTS else "a row is tried more often than it may"

    def _submit(self, submitted: WeightsSubmitted) -> str | None:
        attempt = self._attempt(submitted)
        if attempt is None:
            return "a row left that was not intended"
        attempt.submitted = True
        if attempt.outcome is not None:
            return "a row left after its outcome was known"
        if self._covered < attempt.seq:
            return "a row left before a signed checkpoint covered its intent"
        return None

    def _end(self, outcome: Outcome) -> str | None:
        row = self._rows.get(outcome.epoch)
        if row is None:
            return "an outcome of a row that was not computed"
        attempt = row.attempt(outcome.attempt)
        if isinstance(outcome, WeightsFailed):
            known, row.failed = row.failed, True
            unintended = outcome.attempt == len(row.attempts)
            if unintended:
                return "a row failed twice" if known else None
        if attempt is None:
            return "an outcome of an attempt that was not intended"
        attempt.outcome = outcome
        return _too_early(outcome, attempt)

    def _verify(self, verified: WeightsVerified) -> str | None:
        attempt = self._attempt(verified)
        if attempt is None or not isinstance(attempt.outcome, WeightsConfirmed):
            return "a row was read back that was not confirmed"
        self._rows[verified.epoch].verified = True
        if verified.block < attempt.outcome.block:
            return "a row was read back from before it was confirmed"
        return None

    def _attempt(self, event: WeightsSubmitted | WeightsVerified) -> Attempt | None:
        row = self._rows.get(event.epoch)
        return row.attempt(event.attempt) if row else None

    def _anchored(self, anchored: CheckpointAnchored) -> str | None:
        digest, before = self._signed.get(anchored.size), self._anchor
        if digest is None:
            return "an anchor of a checkpoint that is not in the log"
        self._anchor = anchored.size, digest.hex()
        if before is not None and anchored.size <= before[0]:
            return "an anchor of an older checkpoint than the last one's"
        if anchored.previous != (before[1] if before else None):
            return "it does not name the anchor before it"
        return None


def _too_early(outcome: Outcome, attempt: Attempt) -> str | None:
    if isinstance(outcome, WeightsConfirmed) and outcome.block < attempt.block:
        return "a row is confirmed at a block before its intent"
    if isinstance(outcome, WeightsUnknown) and outcome.block <= attempt.block + ERA_BLOCKS:
        return "a row is given up while its extrinsic could still land"
    return None
