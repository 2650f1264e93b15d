"""Forgeries that a miner's own log gives away: answers recorded as lost, requests never sent."""

import time
from itertools import count

import anyio
import pytest

from quasar.events import (
    AnswerAbandoned,
    AnswerProduced,
    AnswerReceived,
    Evidence,
    RequestAccepted,
    TaskAccepted,
)
from quasar.events.envelope import Draft, decode
from quasar.log.memory import MemoryLog
from quasar.log.settle import Clock
from quasar.replay.witness import Dispute, disputes
from tests.builders import LineLog, World
from tests.forgery.cases import rival
from tests.forgery.honest import recorded
from tests.forgery.kit import Forger, place_of
from tests.forging import report_of
from tests.own_log import own_log


def told(
    lines: list[bytes], world: World, hotkey: str, clock: Clock = time.time_ns
) -> list[Dispute]:
    """What the honest miner's log disputes of these lines."""

    async def compare() -> list[Dispute]:
        return await disputes(LineLog(lines, world.log.blobs), await own_log(world, hotkey, clock))

    return anyio.run(compare)


def lost(f: Forger, stage: str = "answer") -> str:
    """A rival's answer of round 2 becomes a time-out."""
    fact = f.fact(AnswerReceived, lambda e: rival(e) and e.round == 2)
    e = fact.event
    evidence = Evidence(stage=stage, code="timeout", bytes=0, elapsed_ms=1)  # type: ignore[arg-type]
    fact.event = AnswerAbandoned(
        round=e.round,
        task=e.task,
        hotkey=e.hotkey,
        attempts=1,
        evidence=evidence,
        refusal=None,
        signature=None,
    )
    return str(e.slot)


@pytest.mark.parametrize("index", range(3))
def test_an_honest_log_is_not_disputed(index: int) -> None:
    """By signatures: to miners that were away the broken line leaves a gap, and no proof."""
    world = recorded()
    found = told(world.lines, world, list(world.miners)[index])
    assert [d for d in found if d.proved] == []
    gaps = [
        d for d in recorded().events(AnswerAbandoned) if d.evidence.stage in ("connect", "upload")
    ]
    assert len(found) <= len(gaps)


def test_10_a_lost_answer_is_proved() -> None:
    """The log alone counts a dispute; the miner's receipt proves which answer it was."""
    forger, hotkey = Forger(recorded()), next(iter(recorded().miners))
    slot = lost(forger)
    lines = forger.lines()
    report = report_of(lines, forger.world.log.blobs)
    assert (report.result, report.disputes) == ("clean", 1), report.first_divergence
    (found,) = (d for d in told(lines, recorded(), hotkey) if d.proved)
    assert (found.seq, found.what) == (place_of(lines, slot), "lost")
    slow = count(step=10**15).__next__  # by its own clock it answered too late
    assert [d for d in told(lines, recorded(), hotkey, slow) if d.proved] == []


def test_12_a_request_that_never_came_leaves_a_gap() -> None:
    """A dispatch and a time-out are made up: the miner's counter jumps over it."""
    world, hotkey = recorded(), next(iter(recorded().miners))
    forger = Forger(world)
    slot = lost(forger, "connect")
    key = slot.split(".")[1:3]
    forger.drop_if(lambda e: isinstance(e, TaskAccepted) and e.slot == f"accept{slot[6:]}")
    lines = forger.lines()
    assert report_of(lines, world.log.blobs).result == "clean"

    async def compare() -> list[Dispute]:
        own, never = MemoryLog(), [int(k) for k in key]
        kept = await own_log(world, hotkey)
        for line in kept._lines:
            if not _about(line, never):
                await own.append([_again(line)])
        return await disputes(LineLog(lines, world.log.blobs), own)

    (found,) = (d for d in anyio.run(compare) if d.seq == place_of(lines, slot))
    assert (found.what, found.proved) == ("never-asked", False)
    assert "counter jumps" in found.reason


def _again(line: bytes) -> Draft:
    envelope = decode(line)
    return Draft(actor=envelope.actor, cause=0, event=envelope.event)


def _about(line: bytes, never: list[int]) -> bool:
    event = _again(line).event
    assert isinstance(event, RequestAccepted | AnswerProduced)
    named = event.request if isinstance(event, RequestAccepted) else event.receipt
    return [named.round, named.task] == never


def test_another_answer_is_disputed() -> None:
    """A receipt that the miner gave for other bytes contradicts what the log holds."""
    world, hotkey = recorded(), next(iter(recorded().miners))
    forger = Forger(world)
    fact = forger.fact(AnswerReceived, rival)
    receipt = fact.event.receipt
    other = forger.fact(AnswerReceived, lambda e: not rival(e)).event.receipt.answer
    forger.edit(fact, receipt=type(receipt)(**{**_fields(receipt), "answer": other}))
    found = told(forger.lines(), world, hotkey)
    assert [d.what for d in found if d.proved] == ["other"]


def _fields(struct: object) -> dict[str, object]:
    return {name: getattr(struct, name) for name in type(struct).__struct_fields__}  # type: ignore[attr-defined]
