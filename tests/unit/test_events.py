"""Events: their kinds and slots, the stored line, and the published schema.

A changed schema is a new event type. Where a change is meant and no release has the old one:
``python -m tests.unit.test_events`` writes the golden schema anew.
"""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.errors import CannotJudge, UsageError
from quasar.events import (
    EVENT_TYPES,
    AnswerScored,
    Kind,
    MinerEvent,
    RunEnded,
    ValidatorEvent,
    types_of,
)
from quasar.events.base import Event
from quasar.events.blobs import name_blob
from quasar.events.envelope import MAX_EVENT_BYTES, Draft, Envelope, decode, encode, is_canonical
from quasar.events.round import RoundOpened
from quasar.events.trust import CheckpointSigned
from tests.property.event_strategies import events

GOLDEN = Path(__file__).parents[1] / "golden" / "schema.json"

FACT, DECISION, EFFECT = Kind.FACT, Kind.DECISION, Kind.EFFECT
CATALOGUE = {
    "LogOpened": (FACT, "log.open"),
    "LogClosing": (FACT, "log.closing"),
    "LogClosed": (FACT, "log.close"),
    "LogKeyRotated": (FACT, "key.{e.number}"),
    "RunStarted": (FACT, "run.{e.run}"),
    "RunEnded": (FACT, "run.{e.run}.end"),
    "SourceAdopted": (FACT, "source.{e.source.sha256}"),
    "PolicyAdopted": (FACT, "policy.{e.number}"),
    "BlockObserved": (FACT, "block.{e.hash}"),
    "MetagraphObserved": (FACT, "metagraph.{e.hash}"),
    "HyperparametersObserved": (FACT, "hyper.{e.hash}"),
    "RoundOpened": (DECISION, "round.{e.round}"),
    "RoundSkipped": (DECISION, "round.{e.round}"),
    "BeaconDelayed": (DECISION, "delayed.{e.round}"),
    "RoundAbandoned": (DECISION, "sealed.{e.round}"),
    "MixDrawn": (DECISION, "mix.{e.round}"),
    "TaskSampled": (DECISION, "task.{e.round}.{e.task}"),
    "TaskAssigned": (DECISION, "assign.{e.round}.{e.task}.{e.hotkey}"),
    "DeliveryTried": (FACT, "try.{e.round}.{e.task}.{e.hotkey}.{e.attempt}"),
    "TaskAccepted": (
        FACT,
        "accept.{e.acceptance.round}.{e.acceptance.task}.{e.acceptance.hotkey}",
    ),
    "AnswerReceived": (FACT, "answer.{e.round}.{e.task}.{e.hotkey}"),
    "AnswerAbandoned": (FACT, "answer.{e.round}.{e.task}.{e.hotkey}"),
    "SubmissionReceived": (FACT, "submission.{e.code.sha256}"),
    "RoundSealed": (DECISION, "sealed.{e.round}"),
    "RoundRevealed": (DECISION, "revealed.{e.round}"),
    "CodeExecuted": (FACT, "exec.{e.round}.{e.task}.{e.hotkey}"),
    "CodeExecuted.2": (FACT, "exec.{e.round}.{e.task}.{e.hotkey}"),
    "ExecutionAbandoned": (FACT, "exec.{e.round}.{e.task}.{e.hotkey}"),
    "AnswerScored": (DECISION, "score.{e.round}.{e.task}.{e.hotkey}"),
    "AnswerNotScored": (DECISION, "score.{e.round}.{e.task}.{e.hotkey}"),
    "RoundScored": (DECISION, "scored.{e.round}"),
    "FindingNoted": (DECISION, "finding.{e.round}.{e.what}.{e.who}"),
    "WeightsComputed": (DECISION, "weights.{e.epoch}.{e.attempt}.computed"),
    "WeightsDeferred": (DECISION, "weights.{e.epoch}.{e.attempt}.computed"),
    "WeightsIntended": (EFFECT, "weights.{e.epoch}.{e.attempt}.intended"),
    "WeightsSubmitted": (EFFECT, "weights.{e.epoch}.{e.attempt}.submitted"),
    "WeightsConfirmed": (FACT, "weights.{e.epoch}.{e.attempt}.outcome"),
    "WeightsFailed": (FACT, "weights.{e.epoch}.{e.attempt}.outcome"),
    "WeightsUnknown": (FACT, "weights.{e.epoch}.{e.attempt}.outcome"),
    "WeightsVerified": (FACT, "weights.{e.epoch}.{e.attempt}.verified"),
    "CheckpointSigned": (EFFECT, "checkpoint.{e.size}"),
    "CheckpointAnchored": (FACT, "anchor.{e.size}.{e.attempt}"),
    "AnchorFailed": (FACT, "anchor.{e.size}.{e.attempt}"),
    "EventQuarantined": (FACT, "quarantine.{e.actor}.{e.seq}"),
    "RequestAccepted": (FACT, "accept.{e.request.log_id}.{e.request.round}.{e.request.task}"),
    "RequestRefused": (FACT, "accept.{e.refusal.log_id}.{e.refusal.round}.{e.refusal.task}"),
    "AnswerProduced": (FACT, "answer.{e.receipt.log_id}.{e.receipt.round}.{e.receipt.task}"),
    "OutcomeProved": (FACT, "outcome.{e.log_id}.{e.round}.{e.task}"),
}
"""Every event: its kind, and its slot in terms of its fields."""

ENDED = RunEnded(run=1, reason="drained")
NOT_A_NUMBER = AnswerScored(
    round=1,
    task=1,
    hotkey="5" * 48,
    bucket="32k",
    metric="exact@1",
    accuracy=1.0,
    multiplier=float("nan"),
    reward=1.0,
    failure=None,
    unproved=False,
)
LINE = encode(Draft(actor="supervisor", cause=3, event=ENDED), at=1)


def test_the_catalogue_is_complete() -> None:
    """Each event is listed above, and belongs to the validator's log or to the miner's."""
    assert set(EVENT_TYPES) == set(CATALOGUE)
    assert set(ValidatorEvent.__args__).isdisjoint(MinerEvent.__args__)


@pytest.mark.parametrize("tag", sorted(CATALOGUE))
def test_kind_and_tag(tag: str) -> None:
    """A type's kind is the catalogue's; a newer schema's tag ends in its number."""
    kind, _ = CATALOGUE[tag]
    assert EVENT_TYPES[tag].kind is kind
    assert tag in types_of(kind)
    assert EVENT_TYPES[tag].__struct_config__.tag == tag


@settings(max_examples=5, deadline=None)
@given(st.data())
@pytest.mark.parametrize("tag", sorted(CATALOGUE))
def test_slot(tag: str, data: st.DataObject) -> None:
    """A slot is derived from the fields that say what the event is about, and no others."""
    event = data.draw(events(tag))
    assert event.slot == CATALOGUE[tag][1].format(e=event)


@pytest.mark.parametrize("tag", sorted(CATALOGUE))
def test_events_are_frozen_and_closed(tag: str) -> None:
    """An event cannot be changed, and an unknown field is refused."""
    config = EVENT_TYPES[tag].__struct_config__
    assert config.frozen
    assert config.forbid_unknown_fields


def test_the_base_has_no_slot() -> None:
    """A class that forgets its slot fails loudly."""
    with pytest.raises(TypeError, match="Event has no slot"):
        _ = Event().slot


def test_the_clock_fits() -> None:
    """Nanoseconds of today and of the year 2100 are written and read back."""
    for at in (time.time_ns(), 4_102_444_800 * 10**9):
        line = encode(Draft(actor="supervisor", cause=0, event=ENDED), at)
        assert decode(line).at == at


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"run":1', b'"run":1,"run":1'),
        (b'"run":1', b'"run":2,"run":1'),
        (b'"key"', b'"key":"run.1.end","key"'),
        (b'"cause":3', b'"cause": 3'),
        (b'{"key"', b' {"key"'),
        (b'"run"', b'"\\u0072un"'),
        (b'"type"', b'"\\u0074ype"'),
        (b"drained", b"\\u0064rained"),
        (b"RunEnded", b"\\u0052unEnded"),
        (b'"cause":3', b'"cause":3e0'),
        (b'"at":1,"actor":"supervisor"', b'"actor":"supervisor","at":1'),
        (b'"type":"RunEnded","run":1', b'"run":1,"type":"RunEnded"'),
        (b'"key":"run.1.end"', b'"key":"run.2.end"'),
        (b'"key":"run.1.end"', b'"key":"run.1"'),
        (b'"}}', b'"}}\n'),
        (b'"}}', b'"}} '),
    ],
)
def test_another_spelling_is_not_canonical(old: bytes, new: bytes) -> None:
    """The same meaning in other bytes is refused, and so is a key that is not the slot."""
    assert LINE.count(old) == 1
    line = LINE.replace(old, new)
    try:
        envelope = decode(line)
    except msgspec.DecodeError:
        return
    assert not is_canonical(line, envelope)
    assert is_canonical(LINE, decode(LINE))


@pytest.mark.parametrize("tag", [b"RunEnded.2", b"runended", b"", b"Event"])
def test_an_unknown_type_cannot_be_judged(tag: bytes) -> None:
    """A type of a newer version is not called an error of the log."""
    with pytest.raises(CannotJudge, match="install that version"):
        decode(LINE.replace(b"RunEnded", tag))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        LINE[:-1],
        LINE + LINE,
        LINE.replace(b'"type":"RunEnded",', b""),
        LINE.replace(b'"RunEnded"', b"7"),
        LINE.replace(b'"run":1', b'"run":-1'),
        LINE.replace(b'"run":1', b'"run":1.5'),
        LINE.replace(b'"run":1', b'"run":' + b"9" * 5000),
        LINE.replace(b'"run":1', b'"run":1,"more":1'),
        LINE.replace(b'"cause":3', b'"cause":3,"more":1'),
        LINE.replace(b"supervisor", b"Super Visor"),
        LINE.replace(b"drained", b"d" * 201),
        LINE.replace(b"drained", b"\\ud800"),
        LINE.replace(b"drained", b"\xff"),
        LINE.replace(b"run.1.end", b"\xff"),
        LINE.replace(b'"run":1', b'"run":1,"x":' + b"[" * 30_000 + b"]" * 30_000),
    ],
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    """Cut, doubled, mistyped, out of range, not UTF-8 or nested without end: one error for all."""
    with pytest.raises(msgspec.DecodeError):
        decode(line)


def test_the_longest_line() -> None:
    """A line may be as long as a tile's entry, and not a byte longer."""

    def write(length: int) -> bytes:
        event = CheckpointSigned(size=1, root="0" * 64, note="n" * length)
        return encode(Draft(actor="checkpointer", cause=0, event=event), at=0)

    room = MAX_EVENT_BYTES - len(write(0))
    assert len(write(room)) == 65_535
    with pytest.raises(UsageError, match="put the long part in a blob"):
        write(room + 1)


def test_a_round_of_all_miners_fits() -> None:
    """The largest list that a subnet can make, 256 participants, fits in an event."""
    event = RoundOpened(
        round=2**53,
        block=2**53,
        block_hash="0x" + "f" * 64,
        beacon_block=2**53,
        policy="f" * 64,
        participants=["5" * 48] * 256,
    )
    assert len(encode(Draft(actor="task-sampler", cause=2**53, event=event), 2**63 - 1)) < 20_000


@pytest.mark.parametrize(
    "draft",
    [
        Draft(actor="Super Visor", cause=0, event=ENDED),
        Draft(actor="supervisor", cause=-1, event=ENDED),
        Draft(actor="supervisor", cause=0, event=RunEnded(run=-1, reason="drained")),
        Draft(actor="supervisor", cause=0, event=RunEnded(run=2**53 + 1, reason="drained")),
        Draft(actor="supervisor", cause=0, event=RunEnded(run=1, reason="d" * 201)),
        Draft(actor="scorer", cause=0, event=NOT_A_NUMBER),
    ],
)
def test_what_could_not_be_read_back_is_not_written(draft: Draft) -> None:
    """A field out of its bounds is refused by the writer, not found by an auditor."""
    with pytest.raises(UsageError, match="Expected"):
        encode(draft, at=1)


def test_a_blob_is_named_by_its_bytes() -> None:
    """The name is the SHA-256, beside the length."""
    blob = name_blob(b"abc")
    assert blob.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert blob.bytes == 3


def schema() -> str:
    """JSON Schema of the stored line, without the prose."""
    return json.dumps(without_prose(msgspec.json.schema(Envelope)), indent=1, sort_keys=True) + "\n"


def without_prose(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            k: without_prose(v)
            for k, v in node.items()
            if not (k == "description" and isinstance(v, str))
        }
    return [without_prose(v) for v in node] if isinstance(node, list) else node


def test_no_event_changed_silently() -> None:
    """The published schema is the golden one; the top of this file says how to go on."""
    assert schema() == GOLDEN.read_text("utf-8")


if __name__ == "__main__":
    GOLDEN.write_text(schema(), "utf-8")
