"""What our proof files carry in ``extra``, so that a stranger needs nothing but the file.

The stored bytes of the proved event, and other events each with an inclusion proof of its own under
the same checkpoint. Event 1 is always among them: it binds the log's key to the validator's hotkey.
So are the rotations of that key which the checkpoint covers. Nothing in ``extra`` is trusted for
standing there; ``open_file`` proves every line of it.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events.base import Count, Part
from quasar.events.log import ROTATION_MARK
from quasar.events.merkle import leaf_hash, verify_inclusion
from quasar.events.note import Checkpoint, LogKeys
from quasar.events.opening import Opening, read_opening
from quasar.events.proof import (
    CONSISTENCY_HEADER,
    parse_consistency,
    parse_proof,
    verify_growth,
)
from quasar.events.rotation import keys_after

FORMAT = "quasar-proof/1"
Kind = Literal["inclusion", "score", "consistency"]


class Exhibit(Part, frozen=True):
    """An event, and its proof."""

    index: Count
    """Of the leaf: the event's sequence number - 1."""
    hashes: list[bytes]
    """Inclusion proof, from the leaf's sibling up; base64 in JSON."""
    event: str
    """The stored line."""


class Exhibits(Part, frozen=True):
    """The contents of ``extra``, in JSON."""

    format: str
    kind: Kind
    event: str | None
    """The line that the file's own index and hashes prove; null in a consistency proof."""
    others: list[Exhibit]
    request: str | None
    """The bytes that the miner was sent, in a score proof."""


class Proved(NamedTuple):
    """What a proof file shows, every part of it verified."""

    kind: Kind
    opening: Opening
    checkpoint: Checkpoint
    older: Checkpoint | None
    """The prefix, in a consistency proof."""
    main: int
    """Sequence number of the proved event; 0 in a consistency proof."""
    lines: Mapping[int, bytes]
    """All proved events, by sequence number."""
    request: bytes | None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Exhibits).decode


def encode_exhibits(exhibits: Exhibits) -> bytes:
    """The bytes of ``extra``."""
    return _encode(exhibits)


def open_file(text: str, hotkey: str | None = None) -> Proved:
    """Verify a proof file against itself, and its signer against ``hotkey`` if given.

    Raises CannotJudge where it cannot be read or carries no events, BadSignature where the log's
    key did not sign its checkpoint or the log is another validator's, and Damaged where an event
    does not stand in the signed log.
    """
    if text.startswith(CONSISTENCY_HEADER):
        return _open_growth(text, hotkey)
    proof = parse_proof(text)
    exhibits = _exhibits(proof.extra)
    if exhibits.kind == "consistency" or exhibits.event is None:
        raise CannotJudge("the proof does not carry the event that it is of")
    own = Exhibit(index=proof.index, hashes=list(proof.hashes), event=exhibits.event)
    shown = [own, *exhibits.others]
    opening = _opening(shown, hotkey)
    checkpoint = _keys(shown, opening).open(proof.note, opening.origin)
    return Proved(
        kind=exhibits.kind,
        opening=opening,
        checkpoint=checkpoint,
        older=None,
        main=proof.seq,
        lines=_prove(shown, checkpoint),
        request=None if exhibits.request is None else exhibits.request.encode(),
    )


def _open_growth(text: str, hotkey: str | None) -> Proved:
    exhibits = _exhibits(parse_consistency(text).extra)
    if exhibits.kind != "consistency":
        raise CannotJudge("the proof carries what belongs to another kind of proof")
    opening = _opening(exhibits.others, hotkey)
    old, new = verify_growth(text, opening.origin, _keys(exhibits.others, opening))
    lines = _prove(exhibits.others, new)
    return Proved(exhibits.kind, opening, new, old, 0, lines, None)


def _exhibits(extra: bytes) -> Exhibits:
    try:
        exhibits = _decode(extra)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise CannotJudge(
            f"the proof does not carry its events ({problem}); make it with `quasar proof`"
        ) from None
    if exhibits.format != FORMAT:
        raise CannotJudge(
            f"the proof carries {exhibits.format[:64]!r}, and this program reads {FORMAT!r}: "
            "install the quasar-subnet that wrote it"
        )
    return exhibits


def _opening(shown: list[Exhibit], hotkey: str | None) -> Opening:
    for exhibit in shown:
        if exhibit.index == 0:
            return read_opening(exhibit.event.encode(), hotkey)
    raise CannotJudge("the proof lacks event 1, which names the log's key")


def _keys(shown: list[Exhibit], opening: Opening) -> LogKeys:
    """The log's keys by the rotations that the proof shows; a hidden one would fail the next."""
    lines = {exhibit.index + 1: exhibit.event.encode() for exhibit in shown}
    return keys_after(opening, sorted(i for i in lines.items() if ROTATION_MARK in i[1]))


def _prove(shown: list[Exhibit], checkpoint: Checkpoint) -> dict[int, bytes]:
    """The lines by number, each verified to stand in the signed log. Raises Damaged."""
    lines = {}
    size, root = checkpoint.size, checkpoint.root
    for exhibit in shown:
        line, seq = exhibit.event.encode(), exhibit.index + 1
        if not verify_inclusion(leaf_hash(line), exhibit.index, size, exhibit.hashes, root):
            raise Damaged(seq, f"these bytes do not stand there in the signed log of {size} events")
        lines[seq] = line
    return lines
