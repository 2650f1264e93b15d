"""Order, causes, actors and times: what must hold between events."""

from quasar.events import (
    AnswerAbandoned,
    AnswerProduced,
    AnswerReceived,
    BlockObserved,
    DeliveryTried,
    EventQuarantined,
    LogClosed,
    LogOpened,
    OutcomeProved,
    PolicyAdopted,
    RequestAccepted,
    RequestRefused,
    RoundOpened,
    RoundRevealed,
    RoundSealed,
    RunStarted,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.blobs import Blobs
from quasar.events.signing import log_id_of
from quasar.replay.finding import Finding
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded
from quasar.rules.owners import ACTOR_OF
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.secrets import links


class LifecycleCheck:
    """Feeds on every event in order."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.findings: list[Finding] = []
        self._opened: LogOpened | None = None
        self.closed = False
        self._policy: Policy | None = None
        self._policies = self._runs = 0
        self._block: BlockObserved | None = None
        self._sampled: set[tuple[int, int]] = set()
        self._assigned: dict[tuple[int, int, str], TaskAssigned] = {}
        self._accepted: dict[tuple[int, int, str], int] = {}
        """Assignment to the run in which its miner accepted it."""
        self._ended: set[tuple[int, int, str]] = set()
        self._attempts: dict[tuple[int, int, str], int] = {}
        self._sealed: set[int] = set()
        self._tip = ""
        self._revealed = 0

    def feed(self, seen: Recorded) -> None:
        """Check one event against those before it."""
        for reason in self._reasons(seen):
            tag = type(seen.event).__name__
            self.findings.append(Finding(seq=seen.seq, level="lifecycle", type=tag, reason=reason))

    def _reasons(self, seen: Recorded) -> list[str]:
        return [reason for reason in (*self._envelope(seen), self._event(seen)) if reason]

    def _envelope(self, seen: Recorded) -> list[str]:
        envelope, reasons = seen.envelope, []
        if (seen.seq == 1) != isinstance(seen.event, LogOpened):
            reasons.append("a volume starts with LogOpened and holds one")
        if self.closed:
            reasons.append("something follows LogClosed")
        if envelope.cause >= seen.seq:
            reasons.append("its cause does not come before it")
        owner = ACTOR_OF.get(type(seen.event).__name__)
        if envelope.actor != owner:
            reasons.append(f"written by {envelope.actor!r}, not by {owner!r}")
        if self._back_dated(envelope.at):
            reasons.append("dated before a block that it follows")
        return reasons

    def _back_dated(self, at: int) -> bool:
        if self._block is None or self._policy is None:
            return False
        return at // 1_000_000 + self._policy.cadence.clock_skew_ms < self._block.timestamp_ms

    def _event(self, seen: Recorded) -> str | None:
        match seen.event:
            case LogOpened() as opened:
                return self._open(opened)
            case LogClosed(events=events):
                self.closed = True
                return None if events == seen.seq - 1 else "it counts other events than there are"
            case RunStarted(run=run):
                self._runs += 1
                return None if run == self._runs else "runs are numbered from 1, without gaps"
            case PolicyAdopted() as adopted:
                return self._adopt(adopted)
            case BlockObserved() as block:
                return self._observe(block)
            case RoundOpened() as opened_round:
                return self._open_round(opened_round)
            case TaskSampled(round=number, task=task):
                self._sampled.add((number, task))
            case TaskAssigned() as assigned:
                return self._assign(assigned)
            case DeliveryTried() as tried:
                return self._try(tried)
            case TaskAccepted(acceptance=a):
                return self._accept((a.round, a.task, a.hotkey))
            case AnswerReceived() | AnswerAbandoned() as outcome:
                return self._end(outcome)
            case RoundSealed(round=number):
                self._sealed.add(number)
            case RoundRevealed() as revealed:
                return self._reveal(revealed)
            case EventQuarantined():
                return "this program's rules accept the event that is quarantined"
            case RequestAccepted() | RequestRefused() | AnswerProduced() | OutcomeProved():
                return "a miner's event stands in a validator's log"
        return None

    def _open(self, opened: LogOpened) -> str | None:
        self._opened, self._tip = opened, opened.secrets_tip
        carried = inherited(opened, self._blobs)
        if carried is not None:
            self._runs, self._policies = carried.runs, carried.policies
            self._revealed = carried.round
        log_id = log_id_of(opened.genesis, opened.netuid, opened.hotkey, opened.log_number)
        return None if log_id == opened.log_id else "the log id does not follow from its owner"

    def _adopt(self, adopted: PolicyAdopted) -> str | None:
        self._policy = recorded_policy(self._blobs.get(adopted.toml))
        self._policies += 1
        if adopted.number != self._policies:
            return "policies are numbered from 1, without gaps"
        return None if adopted.name == self._policy.name else "the policy has another name"

    def _observe(self, block: BlockObserved) -> str | None:
        before, self._block = self._block, block
        if block.head < block.number:
            return "observed before it was finalised"
        if before is None:
            return None
        if block.number <= before.number:
            return "an older block is observed after a newer one"
        if block.timestamp_ms < before.timestamp_ms or block.epoch < before.epoch:
            return "the chain's time or epoch runs backwards"
        return None

    def _open_round(self, opened: RoundOpened) -> str | None:
        if self._block is not None and self._block.number >= opened.beacon_block:
            return "the beacon was known before the round was opened"
        return None

    def _assign(self, assigned: TaskAssigned) -> str | None:
        key = (assigned.round, assigned.task, assigned.hotkey)
        self._assigned[key] = assigned
        known = (assigned.round, assigned.task) in self._sampled
        return None if known else "assigned before it was sampled"

    def _try(self, tried: DeliveryTried) -> str | None:
        key = (tried.round, tried.task, tried.hotkey)
        self._attempts[key] = self._attempts.get(key, 0) + 1
        if key not in self._assigned:
            return "an attempt without an assignment"
        if key in self._ended or self._accepted.get(key) == self._runs:
            return "an attempt without excuse: the miner had accepted"
        return None if tried.attempt == self._attempts[key] else "attempts are not dense"

    def _accept(self, key: tuple[int, int, str]) -> str | None:
        self._accepted[key] = self._runs
        if key[0] in self._sealed:
            return "accepted after the seal"
        return None if key in self._assigned else "accepted without an assignment"

    def _end(self, outcome: AnswerReceived | AnswerAbandoned) -> str | None:
        key = (outcome.round, outcome.task, outcome.hotkey)
        assigned = self._assigned.get(key)
        self._ended.add(key)
        if assigned is None:
            return "an outcome without an assignment"
        if isinstance(outcome, AnswerReceived):
            if key not in self._accepted:
                return "an answer without the miner's acceptance"
            if (outcome.text is None) == (outcome.blob is None):
                return "an answer is either text or a blob"
            if outcome.deadline_ms != assigned.deadline_ms:
                return "another deadline than was assigned"
        return None

    def _reveal(self, revealed: RoundRevealed) -> str | None:
        steps = revealed.round - self._revealed
        before, self._tip, self._revealed = self._tip, revealed.secret, revealed.round
        if steps != 1:
            return "rounds are revealed one by one, in order"
        if links(before, revealed.secret, 1):
            return None
        return "the secret does not belong to the chain that LogOpened committed to"
