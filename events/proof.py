"""Proof that one event stands in a log, as one text file (c2sp.org/tlog-proof).

It can be checked with nothing but the log's public key and the event's stored bytes, which may
travel in the ``extra`` line.
"""

import base64
from collections.abc import Sequence

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from quasar.events.note import Checkpoint, decode_base64, decode_decimal, open_checkpoint

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF_CHARS = 262_144
"""A note, 64 hashes and an event of the greatest length fit."""


class Proof(msgspec.Struct, frozen=True):
    """A proof taken apart; nothing in it is verified."""

    index: int
    """Of the leaf: the event's sequence number - 1."""
    hashes: tuple[bytes, ...]
    """Inclusion proof, from the leaf's sibling up."""
    note: str
    """The signed checkpoint."""
    extra: bytes = b""
    """The event's stored bytes, or nothing. Not part of what is proved."""

    @property
    def seq(self) -> int:
        """The event's sequence number."""
        return self.index + 1


def write_proof(index: int, hashes: Sequence[bytes], note: str, extra: bytes = b"") -> str:
    """The text of a proof; the usual suffix of its file is ``.tlog-proof``."""
    lines = [HEADER]
    if extra:
        lines.append(f"extra {base64.b64encode(extra).decode()}")
    lines.append(f"index {index}")
    lines += [base64.b64encode(value).decode() for value in hashes]
    return "\n".join(lines) + "\n\n" + note


def parse_proof(text: str) -> Proof:
    """Take a proof apart. Raises CannotJudge for any other text."""
    if len(text) > MAX_PROOF_CHARS:
        raise CannotJudge(f"a proof of {len(text)} characters is more than {MAX_PROOF_CHARS}")
    head, found, note = text.partition("\n\n")
    header, *lines = head.split("\n")
    if header != HEADER or not found:
        raise CannotJudge(f"this is not a proof: its first line must be {HEADER!r}")
    extra = _field("extra", lines.pop(0)) if lines and lines[0].startswith("extra ") else ""
    index = _field("index", lines.pop(0) if lines else "")
    hashes = tuple(decode_base64(line) for line in lines)
    if len(hashes) > 64 or any(len(value) != HASH_BYTES for value in hashes):
        raise CannotJudge("the proof's hashes are not at most 64 lines of 32 bytes")
    return Proof(decode_decimal(index), hashes, note, decode_base64(extra))


def verify_proof(text: str, leaf_data: bytes, origin: str, public_key: bytes) -> Checkpoint:
    """The checkpoint under which an event with these stored bytes is proved to stand.

    Raises CannotJudge where the proof cannot be read, BadSignature where the log's key did not
    sign its checkpoint, and Damaged where the log holds other bytes in that place.
    """
    proof = parse_proof(text)
    checkpoint = open_checkpoint(proof.note, origin, public_key)
    leaf = leaf_hash(leaf_data)
    if not verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root):
        raise Damaged(
            proof.seq,
            f"these bytes do not stand there in the signed log of {checkpoint.size} events",
        )
    return checkpoint


def _field(name: str, line: str) -> str:
    if not line.startswith(f"{name} "):
        raise CannotJudge(f"the proof lacks its {name!r} line")
    return line[len(name) + 1 :]
