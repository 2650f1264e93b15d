"""Order, causes, actors and times: what must hold between events."""

from quasar.events import (
    AnswerProduced,
    BlockObserved,
    EventQuarantined,
    LogClosed,
    LogKeyRotated,
    LogOpened,
    OutcomeProved,
    PolicyAdopted,
    RequestAccepted,
    RequestRefused,
    RoundAbandoned,
    RoundOpened,
    RoundRevealed,
    RoundSealed,
    RoundSkipped,
    RunEnded,
    RunStarted,
    SourceAdopted,
)
from quasar.events.blobs import Blobs
from quasar.events.signing import log_id_of
from quasar.replay.blocks import BlockCheck
from quasar.replay.deliveries import DeliveryCheck
from quasar.replay.finding import Finding
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded
from quasar.rules.owners import ACTOR_OF
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.secrets import links
from quasar.rules.sources import sources_of

REVEAL_MS = 3_600_000
"""A round whose turn it is and that is not revealed so long, by the chain's time and within one
run, is held back: the reveal follows from the seal at once."""

_FIRST = LogOpened | LogKeyRotated | RunStarted
"""What may stand before the first run."""


class LifecycleCheck:
    """Feeds on every event in order."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.findings: list[Finding] = []
        self.closed = False
        self.skipped = 0
        """Rounds that were not played."""
        self._policy: Policy | None = None
        self._policy_digest = ""
        self._policies = self._runs = 0
        self._sources: set[str] = set()
        """Digests of the packs adopted so far."""
        self._running = self._begun = False
        """Whether the newest run goes on; whether this volume has had one."""
        self._blocks = BlockCheck(blobs)
        self._deliveries = DeliveryCheck()
        self._finished: set[int] = set()
        """Sealed or skipped, and not revealed."""
        self._overdue: tuple[int, int] | None = None
        """The round whose turn it is, and the time of the first block since."""
        self._tip = ""
        self._revealed = 0

    def feed(self, seen: Recorded) -> None:
        """Check one event against those before it."""
        for shown_by, reason in self._blocks.feed(seen):
            self._report(shown_by, reason)
        for wrong in (*self._envelope(seen), self._event(seen), self._delivered(seen)):
            if wrong:
                self._report(seen, wrong)

    def _report(self, seen: Recorded, reason: str) -> None:
        tag = type(seen.event).__name__
        self.findings.append(Finding(seq=seen.seq, level="lifecycle", type=tag, reason=reason))

    def _delivered(self, seen: Recorded) -> str | None:
        skew_ms = self._policy.cadence.clock_skew_ms if self._policy else 0
        return self._deliveries.feed(seen, self._runs, skew_ms)

    def _envelope(self, seen: Recorded) -> list[str]:
        envelope, reasons = seen.envelope, []
        if (seen.seq == 1) != isinstance(seen.event, LogOpened):
            reasons.append("a volume starts with LogOpened and holds one")
        if self.closed:
            reasons.append("something follows LogClosed")
        if not self._begun and not isinstance(seen.event, _FIRST):
            reasons.append("written before a run began")
        if envelope.cause >= seen.seq:
            reasons.append("its cause does not come before it")
        owner = ACTOR_OF.get(type(seen.event).__name__)
        if envelope.actor != owner:
            reasons.append(f"written by {envelope.actor!r}, not by {owner!r}")
        if self._back_dated(envelope.at):
            reasons.append("dated before a block that it follows")
        return reasons

    def _back_dated(self, at: int) -> bool:
        block = self._blocks.newest
        if block is None or self._policy is None:
            return False
        return at // 1_000_000 + self._policy.cadence.clock_skew_ms < block.timestamp_ms

    def _event(self, seen: Recorded) -> str | None:
        match seen.event:
            case LogOpened() as opened:
                return self._open(opened)
            case LogClosed(events=events):
                self.closed = True
                return None if events == seen.seq - 1 else "it counts other events than there are"
            case RunStarted(run=run):
                return self._start(run)
            case RunEnded(run=run):
                was, self._running = self._running, False
                return None if was and run == self._runs else "a run ends that does not go on"
            case SourceAdopted(source=source):
                self._sources.add(source.sha256)
            case PolicyAdopted() as adopted:
                return self._adopt(adopted)
            case BlockObserved() as block:
                return self._wait(block)
            case RoundOpened() as opened_round:
                return self._open_round(opened_round)
            case RoundSkipped(round=number) | RoundAbandoned(round=number):
                self.skipped += 1
                self._finished.add(number)
            case RoundSealed(round=number):
                self._finished.add(number)
            case RoundRevealed() as revealed:
                return self._reveal(revealed)
            case EventQuarantined():
                return "this program's rules accept the event that is quarantined"
            case RequestAccepted() | RequestRefused() | AnswerProduced() | OutcomeProved():
                return "a miner's event stands in a validator's log"
        return None

    def _open(self, opened: LogOpened) -> str | None:
        self._tip = opened.secrets_tip
        carried = inherited(opened, self._blobs)
        if carried is not None:
            self._runs, self._policies = carried.runs, carried.policies
            self._revealed = carried.round
        log_id = log_id_of(opened.genesis, opened.netuid, opened.hotkey, opened.log_number)
        return None if log_id == opened.log_id else "the log id does not follow from its owner"

    def _start(self, run: int) -> str | None:
        self._runs += 1
        self._running = self._begun = True
        self._overdue = None  # after a pause blocks may come before what a crash left undone
        return None if run == self._runs else "runs are numbered from 1, without gaps"

    def _adopt(self, adopted: PolicyAdopted) -> str | None:
        self._policy = recorded_policy(self._blobs.get(adopted.toml))
        self._policy_digest = adopted.toml.sha256
        self._policies += 1
        if adopted.number != self._policies:
            return "policies are numbered from 1, without gaps"
        if not self._sources.issuperset(sources_of(self._policy)):
            return "the policy names a source that was not adopted before it"
        return None if adopted.name == self._policy.name else "the policy has another name"

    def _wait(self, block: BlockObserved) -> str | None:
        """A round whose turn it is must be revealed in time."""
        number = self._revealed + 1
        if number not in self._finished:
            self._overdue = None
        elif self._overdue is None or self._overdue[0] != number:
            self._overdue = number, block.timestamp_ms
        elif block.timestamp_ms - self._overdue[1] > REVEAL_MS:
            self._finished.discard(number)
            return f"round {number} is over and its secret is held back"
        return None

    def _open_round(self, opened: RoundOpened) -> str | None:
        block = self._blocks.newest
        if block is not None and block.number >= opened.beacon_block:
            return "the beacon was known before the round was opened"
        known = opened.policy == self._policy_digest
        return None if known else "opened under another policy than was adopted then"

    def _reveal(self, revealed: RoundRevealed) -> str | None:
        steps = revealed.round - self._revealed
        before, self._tip, self._revealed = self._tip, revealed.secret, revealed.round
        self._finished.discard(revealed.round)
        if steps != 1:
            return "rounds are revealed one by one, in order"
        if links(before, revealed.secret, 1):
            return None
        return "the secret does not belong to the chain that LogOpened committed to"
