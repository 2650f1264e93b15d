"""A schema that changed: old lines keep their bytes, rules see the newest event.

One released event has a second version. Two types here have made-up older ones besides: of a fact,
in two steps, and of a decision.
"""

from functools import cache
from typing import ClassVar

import anyio
import msgspec
import pytest
from hypothesis import given, settings

from quasar.errors import CannotJudge, Diverged
from quasar.events import (
    AnyEvent,
    BlockObserved,
    CodeExecuted,
    CodeExecuted1,
    Event,
    Kind,
    MeanReward,
    RoundScored,
)
from quasar.events import envelope as envelopes
from quasar.events.base import BlockHash, Count
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft, Envelope, decode, encode, is_canonical
from quasar.events.upcast import UPCASTERS, newest, same_decision
from quasar.log.memory import MemoryLog
from quasar.rules.executed import is_older
from quasar.rules.machine import Recorded
from tests.builders import World
from tests.forging import few_tasks, first_is, report_of
from tests.property.event_strategies import events


class FirstBlock(Event, frozen=True, tag="BlockObserved.00"):
    """BlockObserved as it might once have been: time in seconds, and no word of the head."""

    kind: ClassVar[Kind] = Kind.FACT

    number: Count
    hash: BlockHash
    timestamp: Count
    epoch: Count

    @property
    def slot(self) -> str:
        return f"block.{self.hash}"


class SecondBlock(Event, frozen=True, tag="BlockObserved.0"):
    """Then with milliseconds."""

    kind: ClassVar[Kind] = Kind.FACT

    number: Count
    hash: BlockHash
    timestamp_ms: Count
    epoch: Count

    @property
    def slot(self) -> str:
        return f"block.{self.hash}"


class OldScored(Event, frozen=True, tag="RoundScored.0"):
    """RoundScored with its fields the other way round."""

    kind: ClassVar[Kind] = Kind.DECISION

    rewards: list[MeanReward]
    round: Count

    @property
    def slot(self) -> str:
        return f"scored.{self.round}"


class Wide(Envelope, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An envelope that may hold the old types too."""

    event: AnyEvent | FirstBlock | SecondBlock | OldScored  # type: ignore[assignment]


def second(old: FirstBlock) -> SecondBlock:
    return SecondBlock(
        number=old.number, hash=old.hash, timestamp_ms=old.timestamp * 1000, epoch=old.epoch
    )


def third(old: SecondBlock) -> BlockObserved:
    return BlockObserved(
        number=old.number,
        hash=old.hash,
        timestamp_ms=old.timestamp_ms,
        epoch=old.epoch,
        head=old.number,
    )


def scored(old: OldScored) -> RoundScored:
    return RoundScored(round=old.round, rewards=old.rewards)


@pytest.fixture
def newer_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this program had been released after the schemas changed."""
    monkeypatch.setattr(envelopes, "_decode", msgspec.json.Decoder(Wide).decode)
    for old, step in ((FirstBlock, second), (SecondBlock, third), (OldScored, scored)):
        monkeypatch.setitem(UPCASTERS, old, step)


@cache
def world() -> World:
    """A round without checkpoints, which would be over other bytes. Not to be changed."""
    made = World(policy=few_tasks())
    anyio.run(made.play_round, 1)
    return made


def older(event: AnyEvent, seq: int) -> Event:
    """The event as an older program would have written it; blocks in turn by each of two."""
    match event:
        case BlockObserved(number=number, hash=block, timestamp_ms=ms, epoch=epoch):
            if seq % 2:
                return FirstBlock(number=number, hash=block, timestamp=ms // 1000, epoch=epoch)
            return SecondBlock(number=number, hash=block, timestamp_ms=ms, epoch=epoch)
        case RoundScored(round=number, rewards=rewards):
            return OldScored(round=number, rewards=rewards)
    return event


def old_lines() -> list[bytes]:
    """The world's log as an older program would have written it."""
    return [old_line(line, seq) for seq, line in enumerate(world().lines, 1)]


def old_line(line: bytes, seq: int, **changes: object) -> bytes:
    """The line under the old schema, its event with other fields."""
    found = decode(line)
    event = older(found.event, seq)
    event = msgspec.structs.replace(event, **changes)
    return msgspec.json.encode(
        Wide(key=found.key, at=found.at, actor=found.actor, cause=found.cause, event=event)  # type: ignore[arg-type]
    )


def place(kind: type[Event]) -> int:
    """Number of the first event of a type."""
    return next(i for i, event in enumerate(world().events(), 1) if isinstance(event, kind))


@pytest.fixture
def blobs() -> Blobs:
    return world().log.blobs


def test_the_newest_schema_is_left_alone() -> None:
    """``Recorded`` hands on the very event that was decoded."""
    seen = Recorded(1, world().lines[0])
    assert seen.event is seen.envelope.event
    assert seen.decided == seen.payload


@settings(max_examples=20, deadline=None)
@given(events("CodeExecuted"))
def test_the_first_record_of_a_program(old: CodeExecuted1) -> None:
    """The second schema says what the first one said, and null for what it could not say."""
    line = encode(Draft(actor="sandbox-executor", cause=1, event=old), at=1)
    new = Recorded(1, line).event
    assert isinstance(new, CodeExecuted)
    assert is_canonical(line, decode(line))
    assert (new.slot, new.image, new.layers) == (old.slot, old.image, old.layers)
    said = [(case.status, case.output, case.execution_time_ms) for case in new.cases]
    assert said == [(case.status, case.output, case.execution_time_ms) for case in old.cases]
    assert {new.code, new.again, new.driver, new.python} == {None}
    assert {value for case in new.cases for value in (case.input, case.cpu_time_ms)} <= {None}
    assert is_older(new)


@pytest.mark.usefixtures("newer_program")
def test_an_old_log_is_clean(blobs: Blobs) -> None:
    """Facts and decisions of older schemas are judged by today's rules, none is left out."""
    lines = old_lines()
    tags = {envelopes.tag_of(line) for line in lines}
    assert tags >= {"BlockObserved.00", "BlockObserved.0", "RoundScored.0"}
    assert not tags & {"BlockObserved", "RoundScored"}
    report, now = report_of(lines, blobs), report_of(world().lines, blobs)
    assert report.first_divergence is None
    assert (report.decisions, report.scores) == (now.decisions, now.scores)
    assert report.scores.equal > 0


def test_without_its_version_it_is_not_judged(blobs: Blobs) -> None:
    """A program that does not know the old types says so, and never that the log is wrong."""
    with pytest.raises(CannotJudge, match="unknown event type 'BlockObserved"):
        report_of(old_lines(), blobs)


@pytest.mark.usefixtures("newer_program")
def test_bytes_stay(blobs: Blobs) -> None:
    """What is stored is canonical under its own schema, and only there."""
    seq = place(BlockObserved)
    line = old_lines()[seq - 1]
    seen = Recorded(seq, line)
    assert is_canonical(line, seen.envelope)
    assert seen.payload in line
    assert isinstance(seen.event, BlockObserved)
    other = line.replace(b'"epoch":0', b'"epoch": 0')
    lines = old_lines()
    lines[seq - 1] = other
    first_is(report_of(lines, blobs), seq, "structure", "not canonical")


@pytest.mark.usefixtures("newer_program")
def test_an_old_decision_is_recomputed(blobs: Blobs) -> None:
    """An old decision with another number in it is divergent, as a new one would be."""
    seq = place(RoundScored)
    rewards = decode(world().lines[seq - 1]).event.rewards  # type: ignore[union-attr]
    wrong = [msgspec.structs.replace(rewards[0], mean=0.25), *rewards[1:]]
    lines = old_lines()
    lines[seq - 1] = old_line(world().lines[seq - 1], seq, rewards=wrong)
    first_is(report_of(lines, blobs), seq, "scores", "not what the rules decide")


@pytest.mark.anyio
@pytest.mark.usefixtures("newer_program")
async def test_an_actor_that_starts_again() -> None:
    """It finds its decision in an older schema and goes on; another decision stops it."""
    seq = place(RoundScored)
    line = world().lines[seq - 1]
    found, old = decode(line), old_line(line, seq)
    assert isinstance(found.event, RoundScored)
    log = MemoryLog()
    log._lines.append(old)
    log._seqs[found.key] = 1
    [stored] = await log.append([Draft(actor=found.actor, cause=found.cause, event=found.event)])
    assert stored == (1, old, False)
    other = msgspec.structs.replace(found.event, rewards=found.event.rewards[:1])
    with pytest.raises(Diverged):
        await log.append([Draft(actor=found.actor, cause=found.cause, event=other)])
    with pytest.raises(Diverged):
        await log.append([Draft(actor=found.actor, cause=99, event=found.event)])
    assert not same_decision(line, old.replace(b'"round":1', b'"round":2'))


@pytest.mark.usefixtures("newer_program")
def test_steps_are_chained_and_stay_in_their_slot() -> None:
    """Each step gives the same slot and kind, and the last one the newest type."""
    for seq, event in enumerate(world().events(), 1):
        found = older(event, seq)
        assert newest(found) == event  # type: ignore[arg-type]
        while (step := UPCASTERS.get(type(found))) is not None:
            before, found = found, step(found)
            assert (before.slot, before.kind) == (found.slot, found.kind)
