"""Deciding actors after a crash: the same decisions, once, or a stop."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest

from quasar.actors.actor import Decider
from quasar.actors.scorer import Scorer
from quasar.actors.task_sampler import TaskSampler
from quasar.door.outbox import Outbox
from quasar.errors import Diverged
from quasar.events import (
    AnswerScored,
    RoundRevealed,
    RoundScored,
    TaskAssigned,
    TaskSampled,
    WeightsComputed,
)
from quasar.events.envelope import decode, payload_of
from quasar.log.memory import MemoryLog
from quasar.rules.weights import WeightRule
from tests.builders import BEACON_DELAY, EVERY, World, edited
from tests.unit.acting import acting, log_of, quiet

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world() -> World:
    """A played round and the row that follows."""
    world = World(miners=2)
    await world.play_round(1)
    await world.block(EVERY + BEACON_DELAY + 30, epoch=2, metagraph=True)
    assert world.events(WeightsComputed)
    return world


def places(world: World, kind: type[Any]) -> list[int]:
    """Numbers of the events of a type."""
    return [i for i, e in enumerate(world.events(), 1) if isinstance(e, kind)]


def decisions(lines: Sequence[bytes]) -> list[tuple[str, str, int, bytes]]:
    """What must be equal in two logs: everything but the wall clock."""
    found = [(decode(line), payload_of(line)) for line in lines]
    return [(e.key, e.actor, e.cause, payload) for e, payload in found]


async def resume(actor: Decider[Any], log: MemoryLog) -> None:
    async with acting(actor):
        await quiet(log)


async def test_scoring_resumes_wherever_it_was_cut(world: World) -> None:
    """From the reveal to RoundScored, a log cut after any event grows into the same log."""
    first, last = places(world, RoundRevealed)[0], places(world, RoundScored)[0]
    assert last - first > 10
    for cut in range(first, last + 1):
        log = log_of(world.lines[:cut], world.log.blobs)
        await resume(Scorer(log), log)
        assert decisions(log._lines) == decisions(world.lines[:last]), f"cut after {cut}"


async def test_sampling_resumes_wherever_it_was_cut(world: World, tmp_path: Path) -> None:
    """So does a round's plan, and the contexts are there when it is."""
    assigned = places(world, TaskAssigned)
    first, last = places(world, TaskSampled)[0] - 1, assigned[-1]
    for cut in range(first, last + 1, 3):
        log = log_of(world.lines[:cut], world.log.blobs)
        outbox = Outbox(tmp_path / str(cut))
        await resume(TaskSampler(log, world.secrets, outbox), log)
        assert decisions(log._lines) == decisions(world.lines[:last]), f"cut after {cut}"
        for task in [e for e in world.events() if isinstance(e, TaskAssigned)]:
            assert outbox.get(1, task.context.sha256).size > 0


class SlowOutbox(Outbox):
    """Tells of its first context, and takes it once it may."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.first, self.go, self.taken = anyio.Event(), threading.Event(), 0

    def put(self, number: int, text: bytes) -> None:
        self.taken += 1
        anyio.from_thread.run_sync(self.first.set)
        self.go.wait(30)
        super().put(number, text)


async def test_no_more_contexts_are_made_for_one_who_stops(world: World, tmp_path: Path) -> None:
    """A validator that is told to stop waits for one context and not for a round of them."""
    log = log_of(world.lines[: places(world, TaskSampled)[0] - 1], world.log.blobs)
    outbox = SlowOutbox(tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(TaskSampler(log, world.secrets, outbox).run)
        await outbox.first.wait()
        tasks.cancel_scope.cancel()
        outbox.go.set()
    assert outbox.taken == 1


async def test_a_row_is_computed_once(world: World) -> None:
    """The weights of an epoch, too, come from the log alone."""
    (row,) = places(world, WeightsComputed)
    for cut in (row - 1, row):
        log = log_of(world.lines[:cut], world.log.blobs)
        await resume(Decider(log, WeightRule()), log)
        assert decisions(log._lines) == decisions(world.lines[:row])


async def test_a_complete_log_gets_nothing_new(world: World, tmp_path: Path) -> None:
    """Every actor started on a finished log stays silent."""
    log = log_of(world.lines, world.log.blobs)
    actors = (
        Scorer(log),
        Decider(log, WeightRule()),
        TaskSampler(log, world.secrets, Outbox(tmp_path)),
    )
    async with acting(*actors):
        assert await quiet(log) == len(world.lines)


async def test_another_stored_decision_stops_the_actor(world: World) -> None:
    """The rule and the log disagree: nothing is written after that."""
    scores = places(world, AnswerScored)
    lines = world.lines[: scores[-1]]
    lines[-1] = edited(lines[-1], accuracy=0.5, reward=0.5)
    log = log_of(lines, world.log.blobs)
    with pytest.raises(Diverged) as stopped:
        await Scorer(log).run()
    assert stopped.value.seq == scores[-1]
    assert len(log._lines) == len(lines)
