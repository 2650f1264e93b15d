"""Volumes: one closes, the next goes on, and an audit takes them as one log."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import anyio
import msgspec
import pytest

from quasar.errors import CannotJudge
from quasar.events import (
    LogClosed,
    LogClosing,
    LogOpened,
    RoundOpened,
    RoundRevealed,
    RoundSkipped,
    TaskAssigned,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.events.log import PreviousVolume
from quasar.replay.finding import Report
from quasar.replay.volumes import audit_volumes
from quasar.rules.carried import encode_carried
from tests.builders import EVERY, LineLog, World, edited
from tests.forging import few_tasks, first_is, report_of

ROUNDS = 2
"""In each volume."""


async def rounds(world: World, numbers: Sequence[int]) -> None:
    """Played, and their rows set on chain."""
    for number in numbers:
        await world.play_round(number)
    for row in world.events(WeightsComputed):
        await world.set_row(row.epoch)


@cache
def volumes(count: int = 3) -> tuple[World, ...]:
    """Closed volumes in a row. Not to be changed."""
    made: list[World] = []
    for _ in range(count):
        world = World(policy=few_tasks(), before=made[-1] if made else None)
        first = len(made) * ROUNDS + 1
        anyio.run(rounds, world, range(first, first + ROUNDS))
        anyio.run(world.close)
        made.append(world)
    return tuple(made)


@cache
def twenty() -> tuple[World, ...]:
    """Volumes of one round. Not to be changed."""
    made: list[World] = []
    for number in range(1, 21):
        world = World(policy=few_tasks(), before=made[-1] if made else None)
        anyio.run(rounds, world, [number])
        anyio.run(world.close)
        made.append(world)
    return tuple(made)


@cache
def one_long_volume() -> World:
    """The same rounds without a break."""
    world = World(policy=few_tasks())
    anyio.run(rounds, world, range(1, 3 * ROUNDS + 1))
    return world


def log_of(world: World, lines: list[bytes] | None = None) -> LineLog:
    return LineLog(world.lines if lines is None else lines, world.log.blobs)


def audit(logs: Sequence[LineLog], hotkey: str | None = None) -> Report:
    return anyio.run(lambda: audit_volumes(logs, hotkey=hotkey))


def test_volumes_are_one_log() -> None:
    """Clean, and everything in them is counted; the first brings no state along."""
    worlds = volumes()
    report = audit([log_of(w) for w in worlds], worlds[0].hotkey.ss58_address)
    assert report.result == "clean", report.first_divergence
    assert report.events == sum(len(w.lines) for w in worlds)
    assert report.scores.checked == report.scores.equal == 3 * 2 * (9 + 1)
    assert report.proved[0].startswith(f"{report.events} events")
    assert report.assumed["carried_state"] == 0
    assert report.disputes == 0


def test_twenty_volumes_in_a_row() -> None:
    """Clean as one log; one that is left out, exchanged or altered is named."""
    logs = [log_of(w) for w in twenty()]
    report = audit(logs)
    assert report.result == "clean", report.first_divergence
    assert report.events == sum(len(log.lines) for log in logs)
    for forged, volume in (
        ([*logs[:6], *logs[7:]], 8),
        ([*logs[:6], logs[7], logs[6], *logs[8:]], 8),
        ([*logs[:6], reopened(twenty()[6]), *logs[7:]], 7),
        ([*logs[:6], other_state(twenty()[6]), *logs[7:]], 7),
    ):
        first = audit(forged).first_divergence
        assert first is not None
        assert first.volume == volume


def test_a_later_volume_alone_says_what_it_assumes() -> None:
    """Its own decisions are recomputed, from a state that nobody proved here."""
    report = audit([log_of(volumes()[1])])
    assert report.result == "clean", report.first_divergence
    assert report.assumed["carried_state"] == 1


def test_a_break_changes_no_number() -> None:
    """Scores, samples, counters and numbers of rounds go on as in one long volume."""
    long, last = one_long_volume(), volumes()[-1]
    assert last.events(WeightsComputed)[-1].weights == long.events(WeightsComputed)[-1].weights
    counted = [[e.n for e in w.events(TaskAssigned)][-1] for w in (long, last)]
    assert counted[0] == counted[1]
    opened = [e.round for w in volumes() for e in w.events(RoundOpened)]
    assert opened == list(range(1, 3 * ROUNDS + 1))


def test_a_closing_volume_opens_nothing() -> None:
    """No round, no row; what falls into the pause is named by the next volume, and revealed."""
    closing = World(policy=few_tasks())
    anyio.run(rounds, closing, [1, 2])

    async def pause() -> None:
        await closing.append("supervisor", LogClosing(reason="a day is over"))
        await closing.block(3 * EVERY, epoch=3, metagraph=True)
        await closing.append("supervisor", LogClosed(events=await closing.log.head()))

    anyio.run(pause)
    assert [e.round for e in closing.events(RoundOpened)] == [1, 2]
    assert closing.events(WeightsDeferred)[-1].reason == "closing"
    following = World(policy=few_tasks(), before=closing)
    anyio.run(following.open)
    # No round begins at it, and none is stale yet.
    anyio.run(lambda: following.block(3 * EVERY + 40, metagraph=True))
    assert [e.round for e in following.events(RoundSkipped)] == [3]
    assert [e.round for e in following.events(RoundRevealed)] == [3]
    report = audit([log_of(closing), log_of(following)])
    assert report.result == "clean", report.first_divergence


def test_no_volume_at_all() -> None:
    """Nothing to judge."""
    with pytest.raises(CannotJudge, match="no volume"):
        audit([])


def opened_with(world: World, **changes: Any) -> LineLog:
    """The volume with another first event; its checkpoint events go, as they would not verify."""
    lines = [edited(world.lines[0], **changes), *world.lines[1:]]
    return LineLog(lines, world.log.blobs)


def other_state(world: World) -> LineLog:
    assert world.carried is not None
    raised = [msgspec.structs.replace(s, score=s.score + 0.5) for s in world.carried.standings]
    state = encode_carried(msgspec.structs.replace(world.carried, standings=raised))
    previous = world.events(LogOpened)[0].previous
    blob = world.log.blobs.put(state)
    return opened_with(world, previous=msgspec.structs.replace(previous, state=blob))


def other_seal(world: World) -> LineLog:
    assert world.before is not None
    before = World(policy=few_tasks(), before=world.before.before)
    anyio.run(before.open)
    previous = world.events(LogOpened)[0].previous
    return opened_with(world, previous=msgspec.structs.replace(previous, checkpoint=before.seal()))


def foreign_seal(world: World) -> LineLog:
    previous = world.events(LogOpened)[0].previous
    return opened_with(world, previous=msgspec.structs.replace(previous, checkpoint=world.seal()))


def no_state(world: World) -> LineLog:
    note = world.events(LogOpened)[0].previous.checkpoint
    empty = PreviousVolume(checkpoint=note, state=world.log.blobs.put(b"{}"))
    return opened_with(world, previous=empty)


def reopened(world: World) -> LineLog:
    return log_of(world, [*world.lines, world.lines[1]])


def cut_short(world: World) -> LineLog:
    return log_of(world, world.lines[:-1])


Forgery = Callable[[list[LineLog]], list[LineLog]]


def middle(change: Callable[[World], LineLog]) -> Forgery:
    return lambda logs: [logs[0], change(volumes()[1]), logs[2]]


@pytest.mark.parametrize(
    ("forgery", "volume", "reason"),
    [
        (lambda logs: [logs[0], logs[2]], 3, "volume 2 is missing"),
        (lambda logs: [logs[1], logs[0], logs[2]], 1, "volume 3 is missing"),
        (lambda logs: [logs[0], logs[0], logs[1]], 1, "volume 2 is missing"),
        (middle(other_state), 2, "another state than the volume before"),
        (middle(other_seal), 2, "another seal than the volume before"),
        (middle(foreign_seal), 2, "the seal of the volume before"),
        (middle(no_state), 2, "the state of the volume before"),
        (middle(reopened), 2, "a second event in the slot"),
        (middle(cut_short), 3, "not closed in order"),
        (middle(lambda w: opened_with(w, previous=None)), 2, "the first volume, and no other"),
    ],
    ids=[
        "removed", "swapped", "doubled", "other state", "other seal", "foreign seal", "no state",
        "reopened", "not closed", "no volume before",
    ],
)  # fmt: skip
def test_what_is_wrong_between_volumes_is_named(forgery: Forgery, volume: int, reason: str) -> None:
    """With the number of the volume that shows it first."""
    report = audit(forgery([log_of(w) for w in volumes()]))
    assert report.result == "divergent"
    first = report.first_divergence
    assert first is not None
    assert (first.volume, first.level) == (volume, "structure"), first
    assert reason in first.reason


def test_a_volume_of_another_log_is_named() -> None:
    """Even where its numbers fit."""
    one, two = volumes()[0], volumes()[1]
    stranger = World(policy=few_tasks())
    stranger.hotkey = next(iter(stranger.miners.values()))
    report = audit([log_of(one), log_of(two)], stranger.hotkey.ss58_address)
    assert report.first_divergence is not None
    assert report.first_divergence.field == "hotkey"


def test_a_volume_that_closes_too_early_is_named() -> None:
    """A round without its scores: the number of the event that closed it."""
    world = World(policy=few_tasks())

    async def close_early() -> None:
        await world.start_round(1)
        await world.close()

    anyio.run(close_early)
    first_is(report_of(world.lines, world.log.blobs), len(world.lines), "lifecycle", "under way")
