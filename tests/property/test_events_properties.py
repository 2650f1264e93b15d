"""What holds for every event there is, whatever it says."""

import hashlib

import msgspec
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from quasar.errors import CannotJudge
from quasar.events import EVENT_TYPES, AnyEvent, EventQuarantined, RoundRevealed
from quasar.events.envelope import (
    Draft,
    Envelope,
    decode,
    encode,
    encode_event,
    is_canonical,
    payload_digest,
    payload_of,
    same_decision,
    tag_of,
)
from tests.property.event_strategies import drafts, events

REVEALED = Draft(actor="task-sampler", cause=7, event=RoundRevealed(round=1, secret="ab" * 32))
LINE = encode(REVEALED, at=1)
few = settings(max_examples=50, deadline=None)
TIMES = st.integers(0, 2**62)


@few
@given(drafts(), TIMES)
def test_a_line_is_read_back_to_its_last_byte(draft: Draft, at: int) -> None:
    """decode gives what encode took, and the line is canonical."""
    line = encode(draft, at)
    envelope = decode(line)
    assert envelope == Envelope(
        key=draft.event.slot, at=at, actor=draft.actor, cause=draft.cause, event=draft.event
    )
    assert is_canonical(line, envelope)
    assert b"\n" not in line


@few
@given(drafts(), TIMES)
def test_the_payload_is_the_events_own_bytes(draft: Draft, at: int) -> None:
    """The payload is cut from the line, not encoded again, and both agree."""
    line = encode(draft, at)
    assert payload_of(line) == encode_event(draft.event)
    assert payload_of(line) in line
    assert payload_digest(draft.event) == hashlib.sha256(payload_of(line)).hexdigest()
    assert EVENT_TYPES[tag_of(line)] is type(draft.event)


@few
@given(drafts(), TIMES, TIMES)
def test_only_the_time_of_a_decision_may_differ(draft: Draft, one: int, two: int) -> None:
    """Two writings of a decision are the same one; another actor or cause makes another."""
    line = encode(draft, one)
    assert same_decision(line, encode(draft, two))
    later = msgspec.structs.replace(draft, cause=draft.cause - 1 if draft.cause else 1)
    other = msgspec.structs.replace(draft, actor=draft.actor + "x")
    assert not same_decision(line, encode(later, one))
    assert not same_decision(line, encode(other, one))


@few
@given(events())
def test_a_slot_is_a_subject(event: AnyEvent) -> None:
    """A slot is a dot-separated path of plain tokens, fit for the tail of a NATS subject."""
    # A name may hold dots as that of a family does; a log refuses one that spoils a slot.
    assume(not (isinstance(event, EventQuarantined) and "." in event.actor))
    tokens = event.slot.split(".")
    assert all(token and token.isascii() and token.isprintable() for token in tokens)
    assert not set(event.slot) & set(" *>\t")


@few
@given(events(), events())
def test_different_payloads_have_different_digests(one: AnyEvent, two: AnyEvent) -> None:
    """Digests tell events apart exactly where their bytes do."""
    same = encode_event(one) == encode_event(two)
    assert (payload_digest(one) == payload_digest(two)) is same


@few
@given(st.integers(0, len(LINE) - 1), st.integers(0, 255))
@example(LINE.index(b"task"), 0xFF)
def test_a_changed_byte_never_passes_for_the_original(at: int, byte: int) -> None:
    """A line with one byte changed is refused, not canonical, or another valid line."""
    changed = LINE[:at] + bytes([byte]) + LINE[at + 1 :]
    try:
        envelope = decode(changed)
    except (CannotJudge, msgspec.DecodeError):
        return
    same = envelope == decode(LINE)
    assert same is (changed == LINE) or not is_canonical(changed, envelope)


@few
@given(st.binary(max_size=200))
def test_garbage_is_refused_with_the_promised_errors(data: bytes) -> None:
    """No bytes make decode raise anything that it does not promise."""
    try:
        decode(data)
    except (CannotJudge, msgspec.DecodeError):
        return
    raise AssertionError("random bytes were taken for an event")
