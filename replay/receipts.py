"""Who answered what: miners' signatures over the rebuilt requests."""

import hashlib

from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    LogOpened,
    RoundSealed,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.blobs import Blobs
from quasar.events.merkle import Tree
from quasar.events.receipt import (
    Receipt,
    Statement,
    build_request,
    digest,
    request_body,
    statement_bytes,
)
from quasar.events.signing import verify_hotkey
from quasar.replay.finding import Finding, Tally
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded


class ReceiptCheck:
    """Feeds on every event in order; ``tree`` holds the hashes of the events before."""

    def __init__(self, blobs: Blobs, tree: Tree) -> None:
        self._blobs = blobs
        self._tree = tree
        self.findings: list[Finding] = []
        self.tally = Tally()
        self._log_id = ""
        self._sampled: dict[tuple[int, int], TaskSampled] = {}
        self._assigned: dict[tuple[int, int, str], TaskAssigned] = {}
        self._receipts: set[str] = set()
        self._quoted_in: dict[str, int] = {}
        """Receipt that a miner names to the round in which it first does."""
        self._sealed: set[int] = set()

    @property
    def disputes(self) -> int:
        """Receipts that miners signed and that are not in this log.

        Answers arrive in any order, so a receipt is missed only when the round is sealed.
        """
        due = {d for d, number in self._quoted_in.items() if number in self._sealed}
        return len(due - self._receipts)

    def feed(self, seen: Recorded) -> None:
        """Check one event."""
        match seen.event:
            case LogOpened() as opened:
                self._open(opened)
            case TaskSampled() as sampled:
                self._sampled[(sampled.round, sampled.task)] = sampled
            case TaskAssigned() as assigned:
                self._assigned[(assigned.round, assigned.task, assigned.hotkey)] = assigned
            case TaskAccepted(acceptance=statement, signature=signature):
                self._judge(seen, self._statement(statement, signature))
            case AnswerReceived() as received:
                self._judge(seen, self._received(received))
            case AnswerAbandoned(refusal=None) as abandoned:
                self._assigned.pop((abandoned.round, abandoned.task, abandoned.hotkey), None)
            case AnswerAbandoned() as abandoned:
                self._judge(seen, self._refused(abandoned))
            case RoundSealed(round=number):
                self._sealed.add(number)

    def _open(self, opened: LogOpened) -> None:
        self._log_id = opened.log_id
        carried = inherited(opened, self._blobs)
        for named in carried.receipts.values() if carried else ():
            self._receipts.update(named)

    def _judge(self, seen: Recorded, reason: str | None) -> None:
        self.tally.checked += 1
        if reason is None:
            self.tally.equal += 1
            return
        tag = type(seen.event).__name__
        self.findings.append(Finding(seq=seen.seq, level="receipts", type=tag, reason=reason))

    def _statement(self, statement: Statement, signature: str) -> str | None:
        assigned = self._assigned.get((statement.round, statement.task, statement.hotkey))
        if assigned is None:
            return "signed for an assignment that is not open"
        sampled = self._sampled[(assigned.round, assigned.task)]
        request = request_body(build_request(self._log_id, sampled, assigned))
        if (statement.log_id, statement.n) != (self._log_id, assigned.n):
            return "signed for another log or assignment"
        if statement.request != hashlib.sha256(request).hexdigest():
            return "signed for another request"
        if not verify_hotkey(statement.hotkey, statement_bytes(statement), signature):
            return "the miner's signature does not verify"
        return None

    def _received(self, received: AnswerReceived) -> str | None:
        receipt = received.receipt
        key = (received.round, received.task, received.hotkey)
        if key != (receipt.round, receipt.task, receipt.hotkey):
            return "the receipt is for another assignment"
        if reason := self._statement(receipt, received.signature):
            return reason
        del self._assigned[key]
        if receipt.answer != hashlib.sha256(self._answer(received)).hexdigest():
            return "the miner signed another answer"
        for named in (receipt.previous, *receipt.unacknowledged):
            if named is not None:
                self._quoted_in.setdefault(named, receipt.round)
        self._receipts.add(digest(receipt))
        return self._quoted(receipt)

    def _refused(self, abandoned: AnswerAbandoned) -> str | None:
        refusal = abandoned.refusal
        assert refusal is not None
        key = (abandoned.round, abandoned.task, abandoned.hotkey)
        if key != (refusal.round, refusal.task, refusal.hotkey):
            return "the refusal is for another assignment"
        reason = self._statement(refusal, abandoned.signature or "")
        self._assigned.pop(key, None)
        return reason

    def _answer(self, received: AnswerReceived) -> bytes:
        if received.text is not None:
            return received.text.encode()
        return self._blobs.get(received.blob) if received.blob else b""

    def _quoted(self, receipt: Receipt) -> str | None:
        """Every checkpoint that a miner was shown must be a root of this very log."""
        quoted = receipt.checkpoint
        if quoted is None:
            return None
        if quoted.size > self._tree.size:
            return "the miner was shown a longer log than this one was then"
        if self._tree.root(quoted.size).hex() != quoted.root:
            return "the miner was shown another history"
        return None
