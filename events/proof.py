"""Proofs as text files: that one event stands in a log, and that a log only grew.

The first is c2sp.org/tlog-proof. It can be checked with nothing but the log's public key and the
event's stored bytes, which may travel in the ``extra`` line. The second is built like it, for two
checkpoints. ``quasar.events.exhibits`` says what our own files carry in ``extra``.
"""

import base64
from collections.abc import Sequence

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events.merkle import HASH_BYTES, leaf_hash, verify_consistency, verify_inclusion
from quasar.events.note import (
    Checkpoint,
    LogKeys,
    decode_base64,
    decode_decimal,
    open_checkpoint,
    parse_checkpoint,
)

HEADER = "c2sp.org/tlog-proof@v1"
CONSISTENCY_HEADER = "quasar/consistency-proof@v1"
MAX_PROOF_CHARS = 2**21
"""Two notes, 64 hashes and the longest events that a score proof may carry fit."""


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


class ConsistencyProof(msgspec.Struct, frozen=True):
    """A proof that a log only grew, taken apart; nothing in it is verified."""

    old: int
    new: int
    hashes: tuple[bytes, ...]
    old_note: str
    """The signed checkpoint over ``old`` events."""
    new_note: str
    extra: bytes = b""


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
    lines, note = _split(text, HEADER)
    extra = _extra(lines)
    index = _field("index", lines)
    return Proof(decode_decimal(index), _hashes(lines), note, extra)


def write_consistency(
    old_note: str, new_note: str, hashes: Sequence[bytes], extra: bytes = b""
) -> str:
    """The text of a proof between two checkpoints. Raises CannotJudge unless they are such."""
    lines = [CONSISTENCY_HEADER]
    if extra:
        lines.append(f"extra {base64.b64encode(extra).decode()}")
    lines.append(f"old {parse_checkpoint(old_note).size}")
    lines.append(f"new {parse_checkpoint(new_note).size}")
    lines += [base64.b64encode(value).decode() for value in hashes]
    return "\n".join(lines) + f"\n\n{old_note}\n{new_note}"


def parse_consistency(text: str) -> ConsistencyProof:
    """Take a consistency proof apart. Raises CannotJudge for any other text."""
    lines, notes = _split(text, CONSISTENCY_HEADER)
    extra = _extra(lines)
    old, new = (decode_decimal(_field(name, lines)) for name in ("old", "new"))
    parts = notes.split("\n\n")  # a checkpoint holds one empty line, between body and signatures
    if len(parts) != 4:
        raise CannotJudge("a consistency proof ends with two checkpoints, an empty line between")
    old_note, new_note = f"{parts[0]}\n\n{parts[1]}\n", f"{parts[2]}\n\n{parts[3]}"
    return ConsistencyProof(old, new, _hashes(lines), old_note, new_note, extra)


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


def verify_growth(text: str, origin: str, keys: LogKeys) -> tuple[Checkpoint, Checkpoint]:
    """The two checkpoints of a consistency proof, the older one proved to be a prefix.

    Raises CannotJudge where the proof cannot be read, BadSignature where the log's keys did not
    sign both checkpoints, and Damaged where the newer log does not begin with the older one.
    """
    proof = parse_consistency(text)
    old = keys.open(proof.old_note, origin)
    new = keys.open(proof.new_note, origin)
    if (old.size, new.size) != (proof.old, proof.new):
        raise CannotJudge("the proof names other sizes than its checkpoints")
    if not verify_consistency(old.size, new.size, proof.hashes, old.root, new.root):
        raise Damaged(
            old.size,
            f"the log of {new.size} events is not shown to begin with that of {old.size}",
        )
    return old, new


def _split(text: str, header: str) -> tuple[list[str], str]:
    """The lines behind the header, and what stands behind the first empty line."""
    if len(text) > MAX_PROOF_CHARS:
        raise CannotJudge(f"a proof of {len(text)} characters is more than {MAX_PROOF_CHARS}")
    head, found, rest = text.partition("\n\n")
    first, *lines = head.split("\n")
    if first != header or not found:
        raise CannotJudge(f"this is not a proof: its first line must be {header!r}")
    return lines, rest


def _extra(lines: list[str]) -> bytes:
    """Take the ``extra`` line off, if there is one."""
    present = lines and lines[0].startswith("extra ")
    return decode_base64(_field("extra", lines)) if present else b""


def _field(name: str, lines: list[str]) -> str:
    """Take a line off, and give its value."""
    line = lines.pop(0) if lines else ""
    if not line.startswith(f"{name} "):
        raise CannotJudge(f"the proof lacks its {name!r} line")
    return line[len(name) + 1 :]


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    hashes = tuple(decode_base64(line) for line in lines)
    if len(hashes) > 64 or any(len(value) != HASH_BYTES for value in hashes):
        raise CannotJudge("the proof's hashes are not at most 64 lines of 32 bytes")
    return hashes
