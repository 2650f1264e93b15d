"""The bytes between validator and miner, beside those that are signed. Both sides are strict.

Every JSON text must equal its own re-encoding, so each message has one form only.
"""

import re
from typing import TypeVar

import msgspec

from quasar.errors import Refused
from quasar.events.base import Part, Signature
from quasar.events.receipt import Acceptance, QuotedBlock, Receipt, Refusal, SignedCheckpoint

BODY_SHA256 = "X-Quasar-Body-SHA256"
"""Announces the body's hash, so that a server checks the signature before it reads the body."""
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""Of no bytes; what a request without that header signs."""
MAX_HEAD_BYTES = 16_384
"""Of the JSON line before an answer. A receipt with 16 unacknowledged digests has 2 kB."""
MAX_UNACKNOWLEDGED = 16

_CHECKPOINT = re.compile(r"\A(0|[1-9][0-9]{0,14})-([0-9a-f]{64})\Z")
_BLOCK = re.compile(r"\A(0|[1-9][0-9]{0,14})-(0x[0-9a-f]{64})\Z")

T = TypeVar("T")


class Verdict(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The reply to a request: exactly one of the two statements, signed by the miner."""

    acceptance: Acceptance | None = None
    refusal: Refusal | None = None
    signature: Signature

    @property
    def statement(self) -> Acceptance | Refusal:
        """The one that is given. Raises Refused(not-canonical) unless it is exactly one."""
        given = [s for s in (self.acceptance, self.refusal) if s is not None]
        if len(given) != 1:
            raise Refused("not-canonical", "give an acceptance or a refusal")
        return given[0]


class AnswerHead(Part, frozen=True):
    """The first line of an answer; after the newline come the answer's raw bytes."""

    receipt: Receipt
    signature: Signature


class Outcome(Part, frozen=True):
    """What the log says of an assignment, and the proof that it says so."""

    event: str
    """The stored line."""
    proof: str
    """A tlog-proof."""


def encode(message: Part) -> bytes:
    """The one form of a message."""
    return msgspec.json.encode(message)


def decode(data: bytes, kind: type[T]) -> T:
    """A message. Raises Refused(not-canonical) for anything but its one form."""
    try:
        message = msgspec.json.decode(data, type=kind)
        same = msgspec.json.encode(message) == data
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused("not-canonical", f"not a {kind.__name__}: {str(error)[:120]}") from None
    if not same:
        raise Refused("not-canonical", f"this {kind.__name__} has another canonical form")
    return message


def join_answer(receipt: Receipt, signature: str, answer: bytes) -> bytes:
    """The body of an answer."""
    return encode(AnswerHead(receipt=receipt, signature=signature)) + b"\n" + answer


def split_answer(body: bytes) -> tuple[AnswerHead, bytes]:
    """Head and raw answer. Raises Refused(not-canonical)."""
    head, newline, answer = body.partition(b"\n")
    if not newline or len(head) > MAX_HEAD_BYTES:
        raise Refused("not-canonical", "an answer begins with one short JSON line")
    return decode(head, AnswerHead), answer


def quote_query(checkpoint: SignedCheckpoint | None, block: QuotedBlock | None) -> str:
    """What a validator quotes with a request, as a query string with its ``?``, or nothing."""
    parts = []
    if checkpoint:
        parts.append(f"checkpoint={checkpoint.size}-{checkpoint.root}")
    if block:
        parts.append(f"block={block.number}-{block.hash}")
    return "?" + "&".join(parts) if parts else ""


def parse_checkpoint(text: str | None) -> SignedCheckpoint | None:
    """The quoted checkpoint. Raises Refused(bad-query)."""
    if text is None:
        return None
    size, root = _split(_CHECKPOINT, text)
    return SignedCheckpoint(size=int(size), root=root)


def parse_block(text: str | None) -> QuotedBlock | None:
    """The quoted block. Raises Refused(bad-query)."""
    if text is None:
        return None
    number, block_hash = _split(_BLOCK, text)
    return QuotedBlock(number=int(number), hash=block_hash)


def _split(pattern: re.Pattern[str], text: str) -> tuple[str, str]:
    match = pattern.match(text)
    if not match:
        raise Refused("bad-query", "a quote is <number>-<hash in hex>")
    return match[1], match[2]
