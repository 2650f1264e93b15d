"""Who answered what: miners' signatures over the rebuilt requests."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

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
from quasar.events.receipt import (
    Receipt,
    Refusal,
    Statement,
    build_request,
    digest,
    request_body,
    statement_bytes,
)
from quasar.replay.finding import Finding, Tally
from quasar.replay.leaves import LeafTree
from quasar.replay.quotes import Quotes
from quasar.replay.sample import Full, every
from quasar.replay.work import Signatures
from quasar.replay.workers import Workers
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded

_PORTION = 64
"""Signatures that are verified at once: 3 ms."""


class Signed(NamedTuple):
    """A statement that is good if its signature is."""

    seq: int
    tag: str
    statement: Statement
    signature: str
    otherwise: str | None
    """What is wrong with it even then."""


@dataclass
class OpenRound:
    """A round that is not sealed."""

    sampled: dict[int, TaskSampled] = field(default_factory=dict)
    assigned: dict[tuple[int, str], TaskAssigned] = field(default_factory=dict)
    """Those without an outcome."""
    requests: dict[tuple[int, str], str] = field(default_factory=dict)
    """Digests of their requests, where a statement named them."""

    def request(self, log_id: str, assigned: TaskAssigned) -> str:
        """SHA-256 of the request body. Raises KeyError where the task was not sampled."""
        key = assigned.task, assigned.hotkey
        if key not in self.requests:
            body = request_body(build_request(log_id, self.sampled[assigned.task], assigned))
            self.requests[key] = hashlib.sha256(body).hexdigest()
        return self.requests[key]

    def close(self, task: int, hotkey: str) -> None:
        """An assignment has its outcome."""
        self.assigned.pop((task, hotkey), None)
        self.requests.pop((task, hotkey), None)


class ReceiptCheck:
    """Feeds on every event in order; ``tree`` holds the hashes of the events before.

    Signatures are verified in portions, perhaps elsewhere; ``finish`` waits for the last.
    """

    def __init__(
        self,
        blobs: Blobs,
        tree: LeafTree,
        workers: Workers | None = None,
        full: Full = every,
    ) -> None:
        """``full``: whether the signatures of a round are verified."""
        self._full = full
        self._blobs = blobs
        self._tree = tree
        self._workers = workers or Workers()
        self._signed: list[Signed] = []
        self.findings: list[Finding] = []
        self.tally = Tally()
        self._log_id = ""
        self._rounds: dict[int, OpenRound] = {}
        """Those that are not sealed."""
        self._quotes = Quotes()

    @property
    def disputes(self) -> int:
        """Receipts that miners signed and that are not in this log.

        Answers arrive in any order, so a receipt is missed only when the round is sealed.
        """
        return self._quotes.missing(self._rounds)

    def feed(self, seen: Recorded) -> None:
        """Check one event."""
        match seen.event:
            case LogOpened() as opened:
                self._open(opened)
            case TaskSampled() as sampled:
                self._round(sampled.round).sampled[sampled.task] = sampled
            case TaskAssigned(round=number, task=task, hotkey=hotkey) as assigned:
                self._round(number).assigned[task, hotkey] = assigned
            case TaskAccepted() as accepted:
                self.tally.checked += 1
                self._accepted(seen, accepted)
            case AnswerReceived() as received:
                self.tally.checked += 1
                self._received(seen, received)
            case AnswerAbandoned(round=number, task=task, hotkey=hotkey) as abandoned:
                if abandoned.refusal is not None:
                    self.tally.checked += 1
                    self._refused(seen, abandoned, abandoned.refusal)
                self._round(number).close(task, hotkey)
            case RoundSealed(round=number):
                self._rounds.pop(number, None)

    def finish(self) -> None:
        """After the last event: wait for every verdict."""
        self._verify()
        self._workers.finish()

    def _round(self, number: int) -> OpenRound:
        if number not in self._rounds:
            self._rounds[number] = OpenRound()
        return self._rounds[number]

    def _open(self, opened: LogOpened) -> None:
        self._log_id = opened.log_id
        carried = inherited(opened, self._blobs)
        for named in carried.receipts.values() if carried else ():
            for receipt in named:
                self._quotes.receive(receipt)

    def _judge(
        self, seen: Recorded, statement: Statement, signature: str, otherwise: str | None = None
    ) -> None:
        """Have a statement about an open assignment verified."""
        tag = type(seen.event).__name__
        if not self._full(statement.round):
            self.tally.checked -= 1  # taken as recorded
            if otherwise is not None:
                self._find(seen.seq, tag, otherwise)
            return
        self._signed.append(Signed(seen.seq, tag, statement, signature, otherwise))
        if len(self._signed) == _PORTION:
            self._verify()

    def _verify(self) -> None:
        if not self._signed:
            return
        signed, self._signed = self._signed, []
        work = Signatures(
            [one.statement.hotkey for one in signed],
            [statement_bytes(one.statement) for one in signed],
            [one.signature for one in signed],
        )
        self._workers.submit(work, partial(self._verified, signed))

    def _verified(self, signed: list[Signed], good: Sequence[bool]) -> None:
        for one, verifies in zip(signed, good, strict=True):
            if not verifies:
                self._find(one.seq, one.tag, "the miner's signature does not verify")
            elif one.otherwise is not None:
                self._find(one.seq, one.tag, one.otherwise)
            else:
                self.tally.equal += 1

    def _find(self, seq: int, tag: str, reason: str) -> None:
        self.findings.append(Finding(seq=seq, level="receipts", type=tag, reason=reason))

    def _accepted(self, seen: Recorded, accepted: TaskAccepted) -> None:
        if wrong := self._misplaced(accepted.acceptance):
            self._find(seen.seq, "TaskAccepted", wrong)
        else:
            self._judge(seen, accepted.acceptance, accepted.signature)

    def _received(self, seen: Recorded, received: AnswerReceived) -> None:
        receipt, place = received.receipt, (received.round, received.task, received.hotkey)
        if place != (receipt.round, receipt.task, receipt.hotkey):
            self._find(seen.seq, "AnswerReceived", "the receipt is for another assignment")
        elif wrong := self._misplaced(receipt):
            self._find(seen.seq, "AnswerReceived", wrong)
        else:
            self._rounds[receipt.round].close(receipt.task, receipt.hotkey)
            self._judge(seen, receipt, received.signature, self._content(received))

    def _refused(self, seen: Recorded, abandoned: AnswerAbandoned, refusal: Refusal) -> None:
        place = (abandoned.round, abandoned.task, abandoned.hotkey)
        if place != (refusal.round, refusal.task, refusal.hotkey):
            self._find(seen.seq, "AnswerAbandoned", "the refusal is for another assignment")
        elif wrong := self._misplaced(refusal):
            self._find(seen.seq, "AnswerAbandoned", wrong)
        else:
            self._judge(seen, refusal, abandoned.signature or "")

    def _misplaced(self, statement: Statement) -> str | None:
        """Why this is no statement about an open assignment of this log."""
        found = self._rounds.get(statement.round) or OpenRound()
        assigned = found.assigned.get((statement.task, statement.hotkey))
        if assigned is None:
            return "signed for an assignment that is not open"
        if (statement.log_id, statement.n) != (self._log_id, assigned.n):
            return "signed for another log or assignment"
        if statement.request != found.request(self._log_id, assigned):
            return "signed for another request"
        return None

    def _content(self, received: AnswerReceived) -> str | None:
        """What is wrong with an answer even if its receipt is signed."""
        receipt = received.receipt
        if receipt.answer != hashlib.sha256(self._answer(received)).hexdigest():
            return "the miner signed another answer"
        for named in (receipt.previous, *receipt.unacknowledged):
            if named is not None:
                self._quotes.name(named, receipt.round)
        self._quotes.receive(digest(receipt))
        return self._quoted(receipt)

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
