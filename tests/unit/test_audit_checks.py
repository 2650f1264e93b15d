"""Logs that no validator writes: bytes, order, causes, writers and counts, one by one."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from quasar.errors import CannotJudge
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    AnswerScored,
    BlockObserved,
    CheckpointSigned,
    LogClosed,
    LogOpened,
    MetagraphObserved,
    OutcomeProved,
    PolicyAdopted,
    RoundOpened,
    RoundScored,
    RoundSealed,
    RunStarted,
    TaskAccepted,
    TaskAssigned,
)
from quasar.events.log import PreviousVolume
from tests.builders import edited
from tests.forging import (
    Forging,
    Item,
    first_is,
    in_round,
    played,
    report_of,
    tried,
)

Forgery = Callable[[Forging], Item]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"key"', b'{"key":"log.open","key"'),
        (b'"key":', b'"key": '),
        (b'"cause"', b'"caus\\u0065"'),
        (b'"cause":0', b'"cause":0.0'),
    ],
)
def test_a_line_that_no_log_writes_is_named(old: bytes, new: bytes) -> None:
    """39: duplicate keys, blanks, escaped names and other spellings of a number."""
    lines = played().lines
    lines[1] = lines[1].replace(old, new, 1)
    report = report_of(lines, played().log.blobs)
    first_is(report, 2, "structure", "not")


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"\xff", b"[" * 60_000, b'{"event":' * 6000])
def test_a_line_that_is_no_event_is_named(line: bytes) -> None:
    """Garbage in the place of an event is a finding, whatever it is."""
    lines = played().lines
    lines[9] = line
    first_is(report_of(lines, played().log.blobs), 10, "structure", "not an event")


def test_a_line_that_is_too_long_is_named() -> None:
    """No event is longer than its leaf may be."""
    lines = played().lines
    lines[9] = b" " * 70_000
    first_is(report_of(lines, played().log.blobs), 10, "structure", "longer than an event")


def test_garbage_that_poses_as_a_reveal_is_named() -> None:
    """What looks like a reveal, and is none, stops no pass over the log."""
    lines = played().lines
    lines[9] = b'{"type":"RoundRevealed"}'
    first_is(report_of(lines, played().log.blobs), 10, "structure", "not an event")


def test_an_unknown_event_cannot_be_judged() -> None:
    """An event of a newer program is no divergence."""
    lines = played().lines
    lines[9] = lines[9].replace(b'"type":"BlockObserved"', b'"type":"BlockDreamt"')
    with pytest.raises(CannotJudge, match="event 10: unknown event type 'BlockDreamt'"):
        report_of(lines, played().log.blobs)


def opening(log: Forging) -> Item:
    return log.one(LogOpened)


SMALL: list[tuple[str, Callable[[Forging], Item], str, str]] = [
    ("log id", lambda g: other_log_id(g), "structure", "did not sign this log key"),
    ("log key", lambda g: g.edit(opening(g), log_key="0" * 64), "structure", "did not sign"),
    ("second opening", lambda g: reopened(g), "structure", "a second event in the slot log.open"),
    ("runs", lambda g: g.edit(g.one(RunStarted), run=2), "lifecycle", "runs are numbered"),
    ("policies", lambda g: g.edit(g.one(PolicyAdopted), number=2), "lifecycle", "policies are"),
    ("name", lambda g: g.edit(g.one(PolicyAdopted), name="other"), "lifecycle", "another name"),
    ("head", lambda g: block(g, 1, head=3), "lifecycle", "before it was finalised"),
    ("order", lambda g: block(g, 2, number=74), "lifecycle", "an older block"),
    ("time", lambda g: block(g, 1, timestamp_ms=1), "lifecycle", "runs backwards"),
    ("writer", lambda g: written_by(g, RoundSealed, "scorer"), "lifecycle", "written by 'scorer'"),
    ("cause", lambda g: caused(g, 9999), "lifecycle", "does not come before it"),
    ("closed early", lambda g: closed(g, 5), "lifecycle", "counts other events"),
    ("after the end", lambda g: after_the_end(g), "lifecycle", "still under way"),
    ("attempts", lambda g: attempts(g), "lifecycle", "attempts are not dense"),
    ("no assignment", lambda g: stray_attempt(g), "lifecycle", "an attempt without"),
    ("no task", lambda g: unsampled(g), "lifecycle", "assigned before it was sampled"),
    ("stray answer", lambda g: stray_answer(g), "lifecycle", "an outcome without"),
    ("stray acceptance", lambda g: stray_acceptance(g), "lifecycle", "accepted without"),
    ("late acceptance", lambda g: late_acceptance(g), "lifecycle", "accepted after the seal"),
    ("text and blob", lambda g: both(g), "lifecycle", "either text or a blob"),
    ("miner's event", lambda g: foreign(g), "lifecycle", "written by 'scorer', not by None"),
    ("no neurons", lambda g: no_neurons(g), "structure", "follows from nothing"),
    ("unknown policy", lambda g: unknown_policy(g), "lifecycle", "another policy than"),
]


def other_log_id(log: Forging) -> Item:
    return log.edit(opening(log), log_id="00000000")


def reopened(log: Forging) -> Item:
    item = opening(log)
    return log.add(log.items[4], item.event, item.actor)


def block(log: Forging, index: int, **changes: Any) -> Item:
    return log.edit(log.all(BlockObserved)[index], **changes)


def written_by(log: Forging, kind: type[Any], actor: str) -> Item:
    item = log.one(kind)
    item.actor = actor
    return item


def caused(log: Forging, cause: int) -> Item:
    item = log.one(TaskAccepted)
    item.cause = cause
    return item


def closed(log: Forging, events: int) -> Item:
    return log.add(log.items[-1], LogClosed(events=events), "supervisor")


def after_the_end(log: Forging) -> Item:
    closing = closed(log, len(log.items))
    run = log.one(RunStarted)
    log.add(closing, msgspec.structs.replace(run.event, run=2), "supervisor")
    return closing


def attempts(log: Forging) -> Item:
    item = log.one(AnswerAbandoned, lambda e: e.evidence.stage == "connect")
    event = msgspec.structs.replace(tried(item), attempt=2)
    log.items.remove(item)
    log.items.append(item)
    assigned = log.one(TaskAssigned, lambda e: e.slot[6:] == item.event.slot[6:])
    return log.add(assigned, event, item.actor)


def stray_attempt(log: Forging) -> Item:
    event = msgspec.structs.replace(tried(log.one(AnswerReceived)), task=77)
    return log.add(log.one(AnswerReceived), event)


def unsampled(log: Forging) -> Item:
    item = log.one(TaskAssigned)
    item.cause = 1
    log.items.remove(item)
    log.items.insert(log.items.index(log.one(RoundOpened)), item)
    return item


def stray_answer(log: Forging) -> Item:
    answer = log.one(AnswerReceived)
    return log.add(answer, msgspec.structs.replace(answer.event, task=77))


def stray_acceptance(log: Forging) -> Item:
    item = log.one(TaskAccepted)
    statement = msgspec.structs.replace(item.event.acceptance, task=77)
    return log.add(item, msgspec.structs.replace(item.event, acceptance=statement))


def late_acceptance(log: Forging) -> Item:
    silent = log.one(AnswerAbandoned, lambda e: e.evidence.stage == "answer").event
    item = log.one(TaskAccepted, lambda e: e.slot[7:] == silent.slot[7:])
    log.items.remove(item)
    return log.add(log.one(RoundSealed, in_round(2)), item.event, item.actor)


def both(log: Forging) -> Item:
    item = log.one(AnswerReceived)
    return log.edit(item, blob=log.world.log.blobs.put(item.event.text.encode()))


def foreign(log: Forging) -> Item:
    proof = log.world.log.blobs.put(b"{}")
    event = OutcomeProved(log_id=log.world.log_id, round=1, task=1, proof=proof, agrees=True)
    return log.add(log.one(RoundScored), event)


def no_neurons(log: Forging) -> Item:
    blobs = log.world.log.blobs
    return log.edit(log.all(MetagraphObserved)[1], neurons=blobs.put(b"[1]"))


def unknown_policy(log: Forging) -> Item:
    return log.edit(log.one(RoundOpened), policy="0" * 64)


@pytest.mark.parametrize(
    ("name", "forgery", "level", "reason"), SMALL, ids=[small[0] for small in SMALL]
)
def test_what_no_validator_writes_is_named(
    name: str, forgery: Forgery, level: str, reason: str
) -> None:
    """Order, causes, writers and counts, one by one."""
    log = Forging(played())
    named = forgery(log)
    report = report_of(log.lines(), log.world.log.blobs)
    first_is(report, log.place(named), level, "")
    assert report.first_divergence is not None
    assert reason in report.first_divergence.reason


def test_the_log_id_must_follow_from_its_owner() -> None:
    """A log number that the hotkey did not sign for is named, though its key statement verifies."""
    log = Forging(played())
    item = log.edit(opening(log), log_number=2)
    report = report_of(log.lines(), log.world.log.blobs)
    first_is(report, log.place(item), "lifecycle", "log id does not follow")


def test_carried_state_without_a_volume_before_is_named() -> None:
    """34: a first volume that brings a state of its own."""
    log = Forging(played())
    log.edit(
        opening(log), previous=PreviousVolume(checkpoint="", state=log.world.log.blobs.put(b"{}"))
    )
    report = report_of(log.lines(), log.world.log.blobs)
    first_is(report, 1, "structure", "the first volume, and no other")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"root": "0" * 64}, "the checkpoint event and its signed note differ"),
        ({"note": "nothing"}, "does not verify"),
    ],
)
def test_a_forged_checkpoint_event_is_named(changes: dict[str, Any], reason: str) -> None:
    """A checkpoint in the log must be this log's, and its event must say the same."""
    lines = played().lines
    seq, line = next(
        (i, line) for i, line in enumerate(lines, 1) if b'"type":"CheckpointSigned"' in line
    )
    lines[seq - 1] = edited(line, **changes)
    first_is(report_of(lines, played().log.blobs), seq, "structure", reason)


def test_an_altered_event_under_an_old_checkpoint_is_named() -> None:
    """Without the log key, any edit before a checkpoint breaks it, whatever else is adapted."""
    lines = played().lines
    lines[1] = edited(lines[1], versions={"quasar-subnet": "0"})
    seq = next(i for i, line in enumerate(lines, 1) if b'"type":"CheckpointSigned"' in line)
    first_is(report_of(lines, played().log.blobs), seq, "structure", "has another root")


def test_a_closed_log_owes_nothing() -> None:
    """In a closed log a decision that is still due is a finding."""
    log = Forging(played())
    log.drop_slots("weights.4", "scored.3")
    log.drop(log.all(CheckpointSigned)[-1:])
    closed(log, len(log.items))
    report = report_of(log.lines(), log.world.log.blobs)
    last = log.all(AnswerScored)[-1]
    first_is(report, log.place(last), "scores", "leads to scored.3")
