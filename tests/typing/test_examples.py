"""Checked by mypy, which must infer these types; running it is a bonus."""

from typing import assert_never, assert_type

from quasar.events import (
    EVENT_TYPES,
    AnyEvent,
    Draft,
    Envelope,
    Event,
    Kind,
    MinerEvent,
    RoundRevealed,
    RunEnded,
    ValidatorEvent,
    types_of,
)
from quasar.events import answer as a
from quasar.events import chain as c
from quasar.events import execution as x
from quasar.events import finding as f
from quasar.events import log as o
from quasar.events import miner as m
from quasar.events import mix as d
from quasar.events import round as r
from quasar.events import score as s
from quasar.events import source as b
from quasar.events import task as t
from quasar.events import trust as u
from quasar.events import weights as w
from quasar.events.envelope import decode, encode, payload_of
from quasar.log import Stored


def stage(event: AnyEvent) -> str:
    """Which stage an event belongs to. mypy refuses this where a type is forgotten."""
    match event:
        case o.LogOpened() | o.LogClosing() | o.LogClosed() | o.LogKeyRotated():
            return "log"
        case o.RunStarted() | o.RunEnded() | o.PolicyAdopted():
            return "log"
        case b.SourceAdopted():
            return "log"
        case c.BlockObserved() | c.MetagraphObserved() | c.HyperparametersObserved():
            return "chain"
        case r.RoundOpened() | r.RoundSkipped() | r.RoundSealed():
            return "round"
        case r.BeaconDelayed() | r.RoundAbandoned() | r.RoundRevealed() | r.RoundScored():
            return "round"
        case d.MixDrawn():
            return "round"
        case t.TaskSampled() | t.TaskAssigned():
            return "task"
        case a.DeliveryTried() | a.TaskAccepted() | a.AnswerReceived():
            return "answer"
        case a.AnswerAbandoned() | a.SubmissionReceived():
            return "answer"
        case x.CodeExecuted1() | x.CodeExecuted() | x.ExecutionAbandoned():
            return "execution"
        case s.AnswerScored() | s.AnswerNotScored() | f.FindingNoted():
            return "score"
        case w.WeightsComputed() | w.WeightsDeferred() | w.WeightsIntended():
            return "weights"
        case w.WeightsSubmitted() | w.WeightsConfirmed() | w.WeightsFailed():
            return "weights"
        case w.WeightsUnknown() | w.WeightsVerified():
            return "weights"
        case u.CheckpointSigned() | u.CheckpointAnchored() | u.AnchorFailed():
            return "trust"
        case u.EventQuarantined():
            return "trust"
        case m.RequestAccepted() | m.RequestRefused() | m.AnswerProduced() | m.OutcomeProved():
            return "miner"
        case _:
            assert_never(event)


def whose(event: AnyEvent) -> ValidatorEvent | MinerEvent:
    """The union is exactly its two halves."""
    return event


def test_types() -> None:
    """What a caller sees of an event, an envelope and a stored line."""
    draft = Draft(actor="supervisor", cause=0, event=RunEnded(run=1, reason="drained"))
    line = assert_type(encode(draft, 1), bytes)
    envelope = assert_type(decode(line), Envelope)
    assert_type(payload_of(line), bytes)
    event = assert_type(envelope.event, AnyEvent)
    assert_type(event.slot, str)
    assert_type(event.kind, Kind)
    assert stage(event) == "log"
    assert whose(event) is event
    if isinstance(event, RunEnded):
        assert_type(event.run, int)


def test_narrowing() -> None:
    """A match by class gives the fields their types."""
    event: AnyEvent = RoundRevealed(round=1, secret="ab" * 32)
    match event:
        case RoundRevealed(round=number, secret=secret):
            assert_type(number, int)
            assert_type(secret, str)


def test_tables() -> None:
    """The catalogue and the log's answer are typed."""
    assert_type(EVENT_TYPES, dict[str, type[Event]])
    assert_type(types_of(Kind.FACT), frozenset[str])
    assert_type(Stored(1, b"", True).line, bytes)
