"""What a score proof shows: who was asked what, what they signed, and the score it got."""

import hashlib
from typing import NamedTuple, TypeVar

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events.answer import AnswerAbandoned, AnswerReceived, TaskAccepted
from quasar.events.base import Event
from quasar.events.envelope import decode, is_canonical
from quasar.events.exhibits import Proved
from quasar.events.receipt import Statement, build_request, request_body, statement_bytes
from quasar.events.score import AnswerNotScored, AnswerScored
from quasar.events.signing import verify_hotkey
from quasar.events.task import TaskAssigned, TaskSampled

E = TypeVar("E", bound=Event)


def score_slots(round_: int, task: int, hotkey: str) -> list[str]:
    """The slots whose events a score proof carries, in the order of the log."""
    mine = f"{round_}.{task}.{hotkey}"
    stages = ("assign", "accept", "answer", "score")
    return [f"task.{round_}.{task}", *(f"{stage}.{mine}" for stage in stages)]


class ScoreProof(NamedTuple):
    """The events of one assignment, their signatures verified."""

    sampled: TaskSampled
    assigned: TaskAssigned
    accepted: TaskAccepted | None
    outcome: AnswerReceived | AnswerAbandoned
    score: AnswerScored | AnswerNotScored
    seqs: dict[str, int]
    """Event type to sequence number."""

    @property
    def signed(self) -> bool:
        """Whether the miner's own signature stands for the outcome."""
        return isinstance(self.outcome, AnswerReceived) or self.outcome.refusal is not None


def check_score(proved: Proved) -> ScoreProof:
    """The path from the question to the score. Raises Damaged where it does not hold together,
    and CannotJudge where a part of it is missing."""
    found = _Events(proved)
    proof = ScoreProof(
        sampled=found.one(TaskSampled),
        assigned=found.one(TaskAssigned),
        accepted=found.maybe(TaskAccepted),
        outcome=found.maybe(AnswerReceived) or found.one(AnswerAbandoned),
        score=found.maybe(AnswerScored) or found.one(AnswerNotScored),
        seqs=found.seqs,
    )
    _check_places(proof, proved.main)
    request = request_body(
        build_request(proved.opening.event.log_id, proof.sampled, proof.assigned)
    )
    if proved.request != request:
        seq = proof.seqs["TaskAssigned"]
        raise Damaged(seq, "the request in the proof is not the one that follows from this event")
    _check_statements(proof, proved.opening.event.log_id, hashlib.sha256(request).hexdigest())
    return proof


class _Events:
    """The proved events, decoded, by type."""

    def __init__(self, proved: Proved) -> None:
        self.seqs: dict[str, int] = {}
        self._events: dict[type[Event], Event] = {}
        for seq, line in proved.lines.items():
            try:
                envelope = decode(line)
            except msgspec.DecodeError as problem:
                raise Damaged(seq, f"not an event: {problem}") from None
            if not is_canonical(line, envelope):
                raise Damaged(seq, "not canonical: the stored bytes are not what a log writes")
            kind = type(envelope.event)
            if kind in self._events:
                raise CannotJudge(f"the proof carries two events of type {kind.__name__}")
            self._events[kind], self.seqs[kind.__name__] = envelope.event, seq

    def maybe(self, kind: type[E]) -> E | None:
        event = self._events.get(kind)
        return event if isinstance(event, kind) else None

    def one(self, kind: type[E]) -> E:
        event = self.maybe(kind)
        if event is None:
            raise CannotJudge(f"the proof carries no {kind.__name__}")
        return event


def _check_places(proof: ScoreProof, main: int) -> None:
    """All of one assignment, in the order in which it happened, and the score what is proved."""
    place = (proof.assigned.round, proof.assigned.task, proof.assigned.hotkey)
    for event in (proof.outcome, proof.score):
        if (event.round, event.task, event.hotkey) != place:
            seq = proof.seqs[type(event).__name__]
            raise Damaged(seq, "it is of another assignment than the question")
    if (proof.sampled.round, proof.sampled.task) != place[:2]:
        raise Damaged(proof.seqs["TaskSampled"], "it is another task than the one assigned")
    steps = [e for e in proof[:5] if isinstance(e, Event)]
    seqs = [proof.seqs[type(event).__name__] for event in steps]
    if seqs != sorted(seqs) or seqs[-1] != main:
        raise Damaged(main, "the events of the assignment are not in the order of the log")
    if proof.score.bucket != proof.sampled.bucket:
        raise Damaged(main, "the score is for another bucket than the task's")


def _check_statements(proof: ScoreProof, log_id: str, request: str) -> None:
    """Every signature of the miner, over this very request."""
    accepted, outcome = proof.accepted, proof.outcome
    if accepted is not None:
        _check_statement(proof, accepted, accepted.acceptance, accepted.signature, log_id, request)
    if isinstance(outcome, AnswerReceived):
        _check_statement(proof, outcome, outcome.receipt, outcome.signature, log_id, request)
        answer = outcome.blob.sha256 if outcome.blob else _sha256(outcome.text or "")
        if outcome.receipt.answer != answer:
            raise Damaged(proof.seqs["AnswerReceived"], "the miner signed another answer")
    elif outcome.refusal is not None:
        signature = outcome.signature or ""
        _check_statement(proof, outcome, outcome.refusal, signature, log_id, request)


def _check_statement(
    proof: ScoreProof, event: Event, statement: Statement, signature: str, log_id: str, request: str
) -> None:
    seq, assigned = proof.seqs[type(event).__name__], proof.assigned
    expected = (log_id, assigned.round, assigned.task, assigned.hotkey, assigned.n, request)
    s = statement
    if (s.log_id, s.round, s.task, s.hotkey, s.n, s.request) != expected:
        raise Damaged(seq, "the miner signed for another request")
    if not verify_hotkey(s.hotkey, statement_bytes(s), signature):
        raise Damaged(seq, "the miner's signature does not verify")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
