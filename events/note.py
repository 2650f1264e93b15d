"""Checkpoints: a tree head under an Ed25519 key, as a C2SP signed note (c2sp.org/tlog-checkpoint).

A note is three lines (origin, size, base64 root), an empty line, and signature lines. A log signs
under its origin as the key name; signatures by other keys, of witnesses say, are left alone.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Self

from quasar.errors import CannotJudge, LogError, UsageError
from quasar.events.signing import Signer, verify_ed25519

MAX_NOTE_CHARS = 131_072
"""Room for 16 post-quantum signatures, which every reader of notes must accept."""

_ED25519 = b"\x01"
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_KEY_NAME = re.compile(r"[^\s+]+")


class BadSignature(LogError):
    """Raised when a note can be read, but the expected key did not sign it.

    Do not use the log: it was altered, or the key or the origin you expect is another one's.
    """

    exit_code = 1


class Checkpoint(NamedTuple):
    """A tree head."""

    origin: str
    """Name of the log, such as ``quasar/24/5F.../0a1b2c3d/1``."""
    size: int
    """Number of events."""
    root: bytes
    """32 bytes."""


class KeyRange(NamedTuple):
    """A key, and the sizes of the checkpoints that it may sign."""

    public_key: bytes
    """32 bytes, Ed25519."""
    first: int
    last: int | None
    """Inclusive; None as long as the key is in use."""
    revoked: bool = False
    """Whether others came to know the key, so that it signs no checkpoint above ``last``."""

    def covers(self, size: int) -> bool:
        """Whether a checkpoint of this size is the key's."""
        return self.first <= size and (self.last is None or size <= self.last)


class LogKeys:
    """The keys of one log, one after another, each good for a range of sizes.

    A checkpoint is accepted only under the one key whose range holds its size: a key that was
    rotated or revoked signs nothing new, and a new one nothing old. No key is good for the sizes
    between a revocation and the key after it. Never changed: ``rotated`` and ``revoked`` make new
    ones.
    """

    def __init__(self, ranges: Sequence[KeyRange]) -> None:
        """Raises UsageError for no range, ranges that overlap, and a key that comes twice."""
        if not ranges:
            raise UsageError("a log has at least one key: LogOpened names it")
        if len({r.public_key for r in ranges}) < len(ranges):
            raise UsageError("a log key that was replaced must not come back; make a new one")
        for before, after in pairwise(ranges):
            if before.last is None or after.first <= before.last:
                raise UsageError(f"two log keys would sign checkpoints of {after.first} events")
        self.ranges = tuple(ranges)

    @classmethod
    def of(cls, public_key: bytes) -> Self:
        """One key for every size, as ``LogOpened`` names it."""
        return cls([KeyRange(public_key, 0, None)])

    @property
    def current(self) -> KeyRange:
        """The key in use."""
        return self.ranges[-1]

    def rotated(self, public_key: bytes, first: int) -> Self:
        """With another key for checkpoints of ``first`` events and more. Raises UsageError."""
        return self._replaced(public_key, first, first - 1, revoked=False)

    def revoked(self, public_key: bytes, first: int, until: int) -> Self:
        """As ``rotated``, where the key before is good for ``until`` events and fewer only."""
        return self._replaced(public_key, first, until, revoked=True)

    def open(self, note: str, origin: str) -> Checkpoint:
        """As ``open_checkpoint``, under the key for the note's size. Raises as that."""
        size = parse_checkpoint(note).size
        good = next((r for r in self.ranges if r.covers(size)), None)
        if good and is_signed(note, origin, good.public_key):
            return open_checkpoint(note, origin, good.public_key)
        other = next((r for r in self.ranges if is_signed(note, origin, r.public_key)), None)
        if other:
            key = key_id(origin, other.public_key).hex()
            raise BadSignature(
                f"the checkpoint over {size} is signed by a key {_limits(other, size)} (key {key})"
            )
        if good:
            return open_checkpoint(note, origin, good.public_key)  # raises, and says why
        raise BadSignature(f"no key of the log may sign a checkpoint over {size}")

    def _replaced(self, public_key: bytes, first: int, until: int, *, revoked: bool) -> Self:
        *before, current = self.ranges
        if first <= current.first:
            raise UsageError(
                f"the log key in use signs from {current.first} events on, not {first}"
            )
        if not current.first - 1 <= until < first:
            raise UsageError(
                f"the log key in use cannot end at {until} events: it signs from {current.first} "
                f"on, and the next one from {first}"
            )
        ended = current._replace(last=until, revoked=revoked)
        return type(self)([*before, ended, KeyRange(public_key, first, None)])


class _Note(NamedTuple):
    """A note taken apart; nothing in it is verified yet."""

    text: str
    signatures: list[tuple[str, bytes]]
    """Key name; key id and signature, joined."""


def key_id(name: str, public_key: bytes) -> bytes:
    """The 4 bytes that name an Ed25519 key in a signature line."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def verifier_key(name: str, public_key: bytes) -> str:
    """The key in the form that other C2SP programs take: ``name+id+base64``."""
    key = base64.b64encode(_ED25519 + public_key).decode()
    return f"{name}+{key_id(name, public_key).hex()}+{key}"


def checkpoint_body(checkpoint: Checkpoint) -> str:
    """The text that is signed."""
    root = base64.b64encode(checkpoint.root).decode()
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """The signed note. Raises UsageError for a checkpoint or a key that makes no valid note."""
    body = checkpoint_body(checkpoint)
    signature = signer.sign(body.encode())
    signed = base64.b64encode(key_id(checkpoint.origin, signer.public_key) + signature).decode()
    note = f"{body}\n\N{EM DASH} {checkpoint.origin} {signed}\n"
    try:
        open_checkpoint(note, checkpoint.origin, signer.public_key)
    except (CannotJudge, BadSignature) as error:
        raise UsageError(f"this checkpoint cannot be signed with this key: {error}") from error
    return note


def parse_checkpoint(note: str) -> Checkpoint:
    """What a note says. Nothing is verified. Raises CannotJudge for anything but a checkpoint."""
    return _parse_body(_split_note(note).text)


def open_checkpoint(note: str, origin: str, public_key: bytes) -> Checkpoint:
    """The checkpoint in a note that the log's key signed.

    Raises CannotJudge where the note cannot be read, and BadSignature where it is another log's
    or the key (32 bytes, Ed25519) did not sign it.
    """
    text, signatures = _split_note(note)
    checkpoint = _parse_body(text)
    if checkpoint.origin != origin:
        raise BadSignature(f"the checkpoint is of {checkpoint.origin}, not of {origin}")
    known = key_id(origin, public_key)
    ours = [data[4:] for name, data in signatures if name == origin and data[:4] == known]
    if not ours:
        raise BadSignature(f"the checkpoint is not signed by key {known.hex()} of {origin}")
    if not all(verify_ed25519(public_key, text.encode(), signature) for signature in ours):
        raise BadSignature(f"the checkpoint's signature by key {known.hex()} is wrong")
    return checkpoint


def is_signed(note: str, origin: str, public_key: bytes) -> bool:
    """Whether ``open_checkpoint`` would accept the note. Raises CannotJudge as that."""
    try:
        open_checkpoint(note, origin, public_key)
    except BadSignature:
        return False
    return True


def _limits(key: KeyRange, size: int) -> str:
    """Why the key may not sign a checkpoint of this size."""
    if size < key.first or key.last is None:
        return f"that signs from {key.first} on"
    return f"{'revoked' if key.revoked else 'replaced'} after {key.last}"


def decode_base64(text: str) -> bytes:
    """Strict base64: what decodes to the same bytes has one spelling. Raises CannotJudge."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise CannotJudge("a hash or signature is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise CannotJudge("a hash or signature is not canonical base64")
    return data


def decode_decimal(text: str) -> int:
    """A decimal without sign or leading zeros. Raises CannotJudge."""
    if not _DECIMAL.fullmatch(text):
        raise CannotJudge(f"{text[:32]!r} is not a plain decimal number")
    return int(text)


def _split_note(note: str) -> _Note:
    if len(note) > MAX_NOTE_CHARS:
        raise CannotJudge(f"a note of {len(note)} characters is more than {MAX_NOTE_CHARS}")
    if _CONTROL.search(note) or not note.endswith("\n"):
        raise CannotJudge("the note holds control characters or lacks its last newline")
    text, found, rest = note.rpartition("\n\n")
    if not found or not text or not rest:
        raise CannotJudge("the note has no signature lines")
    return _Note(text + "\n", [_parse_signature(line) for line in rest[:-1].split("\n")])


def _parse_signature(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\N{EM DASH}" or not _KEY_NAME.fullmatch(parts[1]):
        raise CannotJudge("a signature line of the note is not '\N{EM DASH} name base64'")
    data = decode_base64(parts[2])
    if len(data) < 5:
        raise CannotJudge("a signature of the note is too short")
    return parts[1], data


def _parse_body(text: str) -> Checkpoint:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != 3:
        raise CannotJudge(f"a checkpoint has 3 lines (origin, size, root), not {len(lines)}")
    origin, size, root = lines[0], decode_decimal(lines[1]), decode_base64(lines[2])
    if not _KEY_NAME.fullmatch(origin):
        raise CannotJudge("the checkpoint's origin is empty or holds a space or a plus sign")
    if len(root) != hashlib.sha256().digest_size:
        raise CannotJudge(f"the checkpoint's root is {len(root)} bytes, not 32")
    return Checkpoint(origin, size, root)
