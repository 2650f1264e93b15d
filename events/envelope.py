"""The stored form of an event: one line of UTF-8 JSON. Hash these bytes, never a re-encoding."""

import hashlib
from typing import Annotated

import msgspec

from quasar.errors import CannotJudge, UsageError
from quasar.events.base import Count, Name, Part
from quasar.events.catalogue import EVENT_TYPES, AnyEvent

MAX_EVENT_BYTES = 65_535
"""C2SP tiles give an entry's length in 16 bits."""


Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An event that an actor wants to append."""

    actor: Name
    cause: Count
    """Sequence number of the event that led here; 0 for what no event led to."""
    event: AnyEvent


class Envelope(Part, frozen=True, kw_only=True):
    """An event with its place and origin."""

    key: str
    """The slot."""
    at: Nanoseconds
    """Unix nanoseconds when it was written. A fact for people, never an input of a rule."""
    actor: Name
    cause: Count
    event: AnyEvent


class _Outline(msgspec.Struct, frozen=True):
    """An envelope whose event stays raw."""

    key: str
    actor: str
    cause: int
    event: msgspec.Raw


class _Tag(msgspec.Struct, frozen=True):
    type: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Envelope).decode
_outline = msgspec.json.Decoder(_Outline).decode
_tag = msgspec.json.Decoder(_Tag).decode


def encode(draft: Draft, at: int) -> bytes:
    """The line to store. Raises as ``encode_in``."""
    return encode_in(draft.event.slot, draft, at)


def encode_in(slot: str, draft: Draft, at: int) -> bytes:
    """The line to store in the event's own slot.

    Raises UsageError where it would be longer than MAX_EVENT_BYTES, or where a field is out of
    its bounds: what could not be read back is never written.
    """
    try:
        line = _encode(
            Envelope(key=slot, at=at, actor=draft.actor, cause=draft.cause, event=draft.event)
        )
        if len(line) <= MAX_EVENT_BYTES:
            _decode(line)
            return line
    except UnicodeEncodeError:
        raise UsageError(f"{slot}: a text holds half a surrogate pair") from None
    except ValueError as problem:
        raise UsageError(f"{slot}: {problem}") from None
    raise UsageError(
        f"{slot}: {len(line)} bytes are more than an event may hold ({MAX_EVENT_BYTES}); "
        "put the long part in a blob"
    )


def decode(line: bytes) -> Envelope:
    """The envelope in a stored line.

    Raises CannotJudge for an unknown event type and msgspec.DecodeError for anything else
    that is not an envelope.
    """
    try:
        return _decode(line)
    except (UnicodeDecodeError, RecursionError) as problem:
        raise msgspec.DecodeError(str(problem)) from None
    except msgspec.ValidationError:
        tag = _known_tag(line)
        if tag not in EVENT_TYPES:
            raise CannotJudge(
                f"unknown event type {tag[:64]!r}: this log was written by a newer "
                "quasar-subnet; install that version to judge it"
            ) from None
        raise


def _known_tag(line: bytes) -> str:
    try:
        return tag_of(line)
    except (UnicodeDecodeError, RecursionError) as problem:
        raise msgspec.DecodeError(str(problem)) from None


def is_canonical(line: bytes, envelope: Envelope) -> bool:
    """Whether the line is exactly what this program would have stored."""
    return _encode(envelope) == line and envelope.key == envelope.event.slot


def tag_of(line: bytes) -> str:
    """The event's type without decoding the rest."""
    return _tag(_outline(line).event).type


def payload_of(line: bytes) -> bytes:
    """The event's own bytes inside a stored line: what a decision is compared by."""
    return bytes(_outline(line).event)


def encode_event(event: AnyEvent) -> bytes:
    """An event's own bytes; equals ``payload_of`` of the line that holds it."""
    return _encode(event)


def same_decision(a: bytes, b: bytes) -> bool:
    """Whether two lines hold the same decision: payload, actor and cause; ``at`` aside."""
    one, two = _outline(a), _outline(b)
    return bytes(one.event) == bytes(two.event) and (one.actor, one.cause) == (two.actor, two.cause)


def payload_digest(event: AnyEvent) -> str:
    """SHA-256 of the event's own bytes."""
    return hashlib.sha256(_encode(event)).hexdigest()
