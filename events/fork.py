"""The file that proves a fork: two histories under one name, both signed for one validator.

Whoever holds two signed checkpoints that no log can explain which only grows, needs nothing else to
show it to a stranger. The two trees contradict each other in one of three ways: as many events and
another root; another event in the same place, each with its inclusion proof; or the larger tree
begins with as many events as the smaller one has, and under another root.
"""

import re
from typing import NamedTuple

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events.base import BlockHash, Count, Part
from quasar.events.envelope import decode
from quasar.events.log import LogKeyRotated, LogOpened
from quasar.events.merkle import leaf_hash, verify_consistency, verify_inclusion
from quasar.events.note import BadSignature, Checkpoint, key_id, open_checkpoint
from quasar.events.rotation import rotation_statement
from quasar.events.signing import log_key_statement, verify_hotkey

FORMAT = "quasar-fork/1"
_ORIGIN = re.compile(r"quasar/[0-9]{1,16}/([1-9A-HJ-NP-Za-km-z]{47,48})/[0-9a-f]{8}/[0-9]{1,16}")


class Claim(Part, frozen=True):
    """A history as it was signed."""

    note: str
    """The checkpoint, as it was found."""
    names_key: str
    """Stored line of the event by which the hotkey says whose key signed it: LogOpened, or
    LogKeyRotated. The hotkey's signature is in it, so it needs no inclusion proof."""


class Place(Part, frozen=True):
    """What one history has in the place where they part."""

    event: str
    """The stored line."""
    hashes: list[bytes]
    """Inclusion proof under the history's checkpoint; base64 in JSON."""
    shared: list[bytes] | None
    """Consistency proof from ``shared_root`` to the checkpoint; null where nobody knows it."""


class Differs(Part, frozen=True):
    """Another event in the same place."""

    seq: Count
    shared_root: bytes | None
    """Root over all events before ``seq``, which both histories begin with: this is the first."""
    first: Place
    second: Place


class Begins(Part, frozen=True):
    """What the second, larger history has in place of the first."""

    root: bytes
    """Over as many events as the first has."""
    hashes: list[bytes]
    """Consistency proof from there to the second's checkpoint."""


class Fork(Part, frozen=True):
    """The contents of the file, in JSON."""

    format: str
    origin: str
    genesis: BlockHash
    first: Claim
    """The shorter history, or either of two that are as long."""
    second: Claim
    differs: Differs | None
    begins: Begins | None


class Forked(NamedTuple):
    """What the file shows, every part of it verified."""

    hotkey: str
    first: Checkpoint
    second: Checkpoint
    keys: tuple[str, str]
    """Ids of the log keys, as signature lines have them."""
    seq: int | None
    """A number that holds different events; None where only roots are known."""
    is_first: bool
    """Whether everything before ``seq`` is shown to be equal."""
    lines: tuple[bytes, bytes] | None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Fork).decode


def write_fork(fork: Fork) -> bytes:
    """The file. Raises as ``open_fork`` where it would prove nothing."""
    data = msgspec.json.format(_encode(fork), indent=1) + b"\n"
    open_fork(data)
    return data


def open_fork(data: bytes, hotkey: str | None = None) -> Forked:
    """Verify the file against itself, and its signer against ``hotkey`` if given.

    Raises CannotJudge where it cannot be read, BadSignature where a checkpoint was not signed for
    the validator or it is another one, and Damaged where the two do not contradict each other.
    """
    fork = _read(data)
    signer = hotkey_of(fork.origin)
    if hotkey not in (None, signer):
        raise BadSignature(f"this is the log of {signer}, not of {hotkey}")
    first, second = _claimed(fork, fork.first), _claimed(fork, fork.second)
    if first.size > second.size:
        raise CannotJudge("the shorter history must come first in the file")
    if fork.differs:
        _check_differs(fork.differs, first, second)
    elif fork.begins:
        _check_begins(fork.begins, first, second)
    elif first.size != second.size or first.root == second.root:
        raise Damaged(first.size, "nothing here shows that the two checkpoints contradict")
    return Forked(
        hotkey=signer,
        first=first,
        second=second,
        keys=(_id(fork, fork.first), _id(fork, fork.second)),
        seq=fork.differs.seq if fork.differs else None,
        is_first=fork.differs is not None and fork.differs.shared_root is not None,
        lines=_lines(fork.differs),
    )


def hotkey_of(origin: str) -> str:
    """The validator that an origin names. Raises CannotJudge for another form of name."""
    named = _ORIGIN.fullmatch(origin)
    if not named:
        raise CannotJudge(f"{origin[:64]!r} is not the name of a validator's log")
    return named[1]


def check_claim(claim: Claim, origin: str, genesis: str) -> Checkpoint:
    """The checkpoint of a claim. Raises BadSignature unless hotkey and log key signed."""
    return open_checkpoint(claim.note, origin, named_key(claim.names_key, origin, genesis))


def named_key(line: str, origin: str, genesis: str) -> bytes:
    """The log key that an event names for this log. Raises BadSignature where it does not."""
    hotkey = hotkey_of(origin)
    try:
        event = decode(line.encode()).event
    except msgspec.DecodeError as problem:
        raise CannotJudge(f"what names a log key is no event: {problem}") from None
    match event:
        case LogOpened():
            message = log_key_statement(origin, genesis, event.log_key)
        case LogKeyRotated():
            message = rotation_statement(origin, genesis, event)
        case _:
            raise CannotJudge("the file shows no event that names the log key of a checkpoint")
    if not verify_hotkey(hotkey, message, event.log_key_signature):
        raise BadSignature(f"the hotkey of {origin} did not sign the log key of a checkpoint")
    return bytes.fromhex(event.log_key)


def _read(data: bytes) -> Fork:
    try:
        fork = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise CannotJudge(f"this is not the proof of a fork: {problem}") from None
    if fork.format != FORMAT:
        raise CannotJudge(
            f"the file says format {fork.format[:64]!r}, and this program reads {FORMAT!r}: "
            "install the quasar-subnet that wrote it"
        )
    return fork


def _lines(differs: Differs | None) -> tuple[bytes, bytes] | None:
    if differs is None:
        return None
    return differs.first.event.encode(), differs.second.event.encode()


def _claimed(fork: Fork, claim: Claim) -> Checkpoint:
    return check_claim(claim, fork.origin, fork.genesis)


def _id(fork: Fork, claim: Claim) -> str:
    return key_id(fork.origin, named_key(claim.names_key, fork.origin, fork.genesis)).hex()


def _check_differs(differs: Differs, first: Checkpoint, second: Checkpoint) -> None:
    """Raises Damaged unless each history has its own event in that place."""
    if differs.first.event == differs.second.event:
        raise Damaged(differs.seq, "both histories have the same event there")
    for place, checkpoint in ((differs.first, first), (differs.second, second)):
        _check_place(place, differs, checkpoint)


def _check_place(place: Place, differs: Differs, checkpoint: Checkpoint) -> None:
    seq, (_, size, root) = differs.seq, checkpoint
    leaf = leaf_hash(place.event.encode())
    if not verify_inclusion(leaf, seq - 1, size, place.hashes, root):
        raise Damaged(seq, f"these bytes do not stand there in the signed log of {size} events")
    if differs.shared_root is None:
        return
    shared = place.shared or []
    if not verify_consistency(seq - 1, size, shared, differs.shared_root, root):
        raise Damaged(seq, f"the log of {size} events is not shown to begin as the file says")


def _check_begins(begins: Begins, first: Checkpoint, second: Checkpoint) -> None:
    """Raises Damaged unless the second history begins with another root than the first has."""
    if begins.root == first.root:
        raise Damaged(first.size, "the longer history begins with the shorter one")
    if not verify_consistency(first.size, second.size, begins.hashes, begins.root, second.root):
        raise Damaged(
            first.size, f"the log of {second.size} events is not shown to begin as the file says"
        )
