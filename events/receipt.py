"""What validator and miner say to each other, in the bytes that are signed.

A request is a pure function of TaskSampled and TaskAssigned, so an auditor rebuilds what the
miner signed. Signed statements are ``quasar-<name>/1 LF`` and then the struct's JSON.
"""

import hashlib

import msgspec

from quasar.events.base import BlockHash, Count, Digest, Hotkey, LogId, Name, Part, Reason
from quasar.events.task import Context, Question, TaskAssigned, TaskSampled

_encode = msgspec.json.Encoder().encode


class TaskRequest(Part, frozen=True):
    """What a miner is asked. Its canonical bytes are the request body."""

    log_id: LogId
    round: Count
    task: Count
    hotkey: Hotkey
    n: Count
    family: Name
    bucket: Name
    metric: Name
    context: Context
    question: Question
    answer_bytes: Count
    deadline_ms: Count


class SignedCheckpoint(Part, frozen=True):
    """A tree head that the validator quotes to its miners, who become its witnesses."""

    size: Count
    root: Digest


class QuotedBlock(Part, frozen=True):
    """A finalised block that one side names."""

    number: Count
    hash: BlockHash


class Acceptance(Part, frozen=True):
    """The miner holds the request and its context."""

    log_id: LogId
    round: Count
    task: Count
    hotkey: Hotkey
    n: Count
    request: Digest
    """SHA-256 of the request body."""


class Refusal(Part, frozen=True):
    """The miner will not answer."""

    log_id: LogId
    round: Count
    task: Count
    hotkey: Hotkey
    n: Count
    request: Digest
    reason: Reason


class Receipt(Part, frozen=True):
    """The miner's word for its answer, and for what it saw of the log."""

    log_id: LogId
    round: Count
    task: Count
    hotkey: Hotkey
    n: Count
    request: Digest
    answer: Digest
    """SHA-256 of the answer's bytes."""
    checkpoint: SignedCheckpoint | None
    """The newest checkpoint that the request quoted."""
    block: QuotedBlock | None
    """The miner's own newest finalised block."""
    previous: Digest | None
    """``digest`` of this miner's last receipt in this log."""
    unacknowledged: list[Digest]
    """Digests of earlier receipts whose outcome was not yet proved to the miner; at most 16."""


Statement = Acceptance | Refusal | Receipt


def build_request(log_id: str, sampled: TaskSampled, assigned: TaskAssigned) -> TaskRequest:
    """The request for an assignment."""
    return TaskRequest(
        log_id=log_id,
        round=assigned.round,
        task=assigned.task,
        hotkey=assigned.hotkey,
        n=assigned.n,
        family=sampled.family,
        bucket=sampled.bucket,
        metric=sampled.metric,
        context=assigned.context,
        question=assigned.question,
        answer_bytes=sampled.answer_bytes,
        deadline_ms=assigned.deadline_ms,
    )


def request_body(request: TaskRequest) -> bytes:
    """Canonical bytes of a request."""
    return _encode(request)


def statement_bytes(statement: Statement) -> bytes:
    """The bytes that a miner signs."""
    return b"quasar-%s/1\n" % type(statement).__name__.lower().encode() + _encode(statement)


def digest(statement: Statement) -> str:
    """SHA-256 of the signed bytes. Signatures are randomised, so they never identify anything."""
    return hashlib.sha256(statement_bytes(statement)).hexdigest()
