"""Traces in the OTLP JSON file form: one span per round, task and assignment, one round a line.

Ids follow from the log's name and event numbers, so that a log has the same traces for ever; times
are the events' ``at``. An assignment lasts from TaskAssigned to its answer; its score comes later,
when the round is sealed, and stands in the span's attributes.
"""

from pathlib import Path
from typing import BinaryIO

import msgspec

from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    BeaconDelayed,
    CodeExecuted,
    DeliveryTried,
    ExecutionAbandoned,
    MixDrawn,
    RoundAbandoned,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RoundSealed,
    RoundSkipped,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.upcast import newest
from quasar.sinks.sink import Origin, Record
from quasar.sinks.spans import Span, resource

NAME = "traces.jsonl"


class _Round:
    """A round that is under way, and what is under way in it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._tasks: dict[int, Span] = {}
        self._assigned: dict[tuple[int, str], Span] = {}

    def feed(self, record: Record) -> None:
        """Take an event of this round."""
        match record.event:
            case BeaconDelayed() | MixDrawn() | RoundSealed() | RoundRevealed():
                self._span.note(record)
            case RoundAbandoned() as given_up:
                self._span.note(record)
                self._span.fail(f"abandoned: {given_up.fault}: {given_up.reason}")
                self._span.close()
            case RoundScored():
                self._span.note(record)
                self._span.close()
            case TaskSampled() as sampled:
                self._tasks[sampled.task] = _task(record, sampled, self._span)
            case TaskAssigned() as assigned if assigned.task in self._tasks:
                span = _assignment(record, assigned, self._tasks[assigned.task])
                self._assigned[(assigned.task, assigned.hotkey)] = span
            case TaskAccepted(acceptance=accepted):
                if waiting := self._assigned.get((accepted.task, accepted.hotkey)):
                    waiting.note(record)
            case (
                DeliveryTried()
                | AnswerReceived()
                | AnswerAbandoned()
                | CodeExecuted()
                | ExecutionAbandoned()
                | AnswerScored()
                | AnswerNotScored()
            ) as step:
                if found := self._assigned.get((step.task, step.hotkey)):
                    _step(found, record, step)

    def spans(self) -> list[Span]:
        """Parents before children. A task is over when all its answers are there."""
        for assigned in self._assigned.values():
            assert assigned.parent is not None
            assigned.parent.cover(assigned)
        return [self._span, *self._tasks.values(), *self._assigned.values()]


_Step = (
    DeliveryTried
    | AnswerReceived
    | AnswerAbandoned
    | CodeExecuted
    | ExecutionAbandoned
    | AnswerScored
    | AnswerNotScored
)


def _task(record: Record, sampled: TaskSampled, parent: Span) -> Span:
    return Span(
        f"task {sampled.round}.{sampled.task}",
        record,
        parent,
        family=sampled.family,
        bucket=sampled.bucket,
        metric=sampled.metric,
    )


def _assignment(record: Record, assigned: TaskAssigned, parent: Span) -> Span:
    return Span(
        f"assignment {assigned.round}.{assigned.task}",
        record,
        parent,
        hotkey=assigned.hotkey,
        n=assigned.n,
        tokens=assigned.context.tokens,
        deadline_ms=assigned.deadline_ms,
    )


def _step(span: Span, record: Record, step: _Step) -> None:
    """What happens to an assignment; what comes after its answer does not make it longer."""
    match step:
        case DeliveryTried(evidence=seen):
            span.note(record, stage=seen.stage, code=seen.code)
        case AnswerReceived(elapsed_ms=elapsed):
            span.note(record)
            span.set(elapsed_ms=elapsed)
            span.close()
        case AnswerAbandoned(evidence=seen):
            span.note(record, stage=seen.stage, code=seen.code)
            span.fail(f"{seen.stage}: {seen.code}")
            span.close()
        case CodeExecuted():
            span.set(executed_seq=record.seq)
        case ExecutionAbandoned(fault=fault, reason=reason):
            span.fail(f"{fault}: {reason}")
        case AnswerScored() as scored:
            span.set(scored_seq=record.seq, accuracy=scored.accuracy, reward=scored.reward)
            if scored.failure is not None:
                span.fail(f"miner: {scored.failure}")
        case AnswerNotScored() as left_out:
            span.set(scored_seq=record.seq)
            span.fail(f"{left_out.fault}: {left_out.failure}")


class Otlp:
    """A ``Sink``. Holds the rounds that are open."""

    packages: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, int], _Round] = {}
        self._file: BinaryIO | None = None
        self._lines = 0

    def begin(self, folder: Path) -> None:
        """As ``Sink.begin``."""
        self._file = (folder / NAME).open("xb")

    def write(self, record: Record) -> None:
        """As ``Sink.write``; events of no round are left out."""
        record = record._replace(event=newest(record.event))
        match record.event:
            case RoundOpened() | RoundSkipped() as begun:
                self._rounds[(record.origin, begun.round)] = _Round(_begin(record, begun))
                number: int | None = begun.round
            case TaskAccepted(acceptance=accepted):
                number = accepted.round
            case event:
                number = getattr(event, "round", None)
        found = None if number is None else self._rounds.get((record.origin, number))
        if number is None or found is None:
            return
        found.feed(record)
        if isinstance(record.event, RoundScored | RoundSkipped | RoundAbandoned):
            self._emit(record.origin, number)

    def end(self, source: Origin) -> dict[str, int]:  # noqa: ARG002 - each line names its own
        """As ``Sink.end``; rounds that are still open come last, and say so."""
        for origin, number in list(self._rounds):
            self._emit(origin, number)
        self.close()
        return {NAME: self._lines}

    def close(self) -> None:
        """As ``Sink.close``."""
        if self._file is not None:
            self._file.close()

    def _emit(self, origin: str, number: int) -> None:
        assert self._file is not None
        spans = self._rounds.pop((origin, number)).spans()
        line = msgspec.json.encode(resource(spans, **{"quasar.log": origin}))
        self._file.write(line + b"\n")
        self._lines += 1


def _begin(record: Record, begun: RoundOpened | RoundSkipped) -> Span:
    span = Span(f"round {begun.round}", record, None, round=begun.round, block=begun.block)
    if isinstance(begun, RoundOpened):
        span.set(beacon_block=begun.beacon_block, participants=len(begun.participants))
    else:
        span.fail(f"skipped: {begun.fault}: {begun.reason}")
        span.close()
    return span
