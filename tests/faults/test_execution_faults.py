"""An engine that fails while programs run: nobody is scored for it, and the work goes on.

On a real engine, which is this test's own, through a real log.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from quasar.actors.sandbox_executor import SandboxExecutor
from quasar.events import (
    AnswerNotScored,
    AnswerScored,
    CodeExecuted,
    ExecutionAbandoned,
    Fault,
    RoundScored,
)
from quasar.log.work import MemoryWork
from quasar.replay import audit
from quasar.sandbox import Outcome, Sandbox, SandboxConfig, SandboxError, open_sandbox
from tests.builders import LineLog, World
from tests.code_round import code_instance, code_policy
from tests.faults.private_engine import PrivateEngine, private_engine
from tests.faults.test_log_full_disk import almost_full, small_disk
from tests.unit.acting import count, until
from tests.unit.test_code_family import follow

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

MINERS = 3
Act = Callable[[], object]


class Watched:
    """A sandbox that tells when it failed. Its third run waits until the engine is broken."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._runs = 0
        self.identity = sandbox.identity
        self.broken, self.failed = anyio.Event(), anyio.Event()

    async def breaks(self, by: Act) -> None:
        """While the second run is at work, or right after it."""
        await anyio.to_thread.run_sync(by)
        self.broken.set()

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        self._runs += 1
        if self._runs > 2:
            await self.broken.wait()
        try:
            return await self._sandbox.run(code, function_name, inputs)
        except SandboxError:
            self.failed.set()
            raise


@pytest.fixture(scope="module")
def engine() -> Iterator[PrivateEngine]:
    """It runs again after each test."""
    with private_engine() as engine:
        yield engine


async def solved(world: World, number: int) -> None:
    """A round whose every program is right, and takes a moment."""
    await world.start_round(number)
    for d in world.open_deliveries():
        instance = code_instance(world, d.key)
        if instance is None:
            answer = world.right_answer(*d.key).decode()
        else:
            answer = f"```python\nimport time\ntime.sleep(0.02)\n{follow(instance)}```"
        await world.deliver(d, world.acceptance(d), world.received(d, answer.encode()))
    await world.settle()


@asynccontextmanager
async def executing(world: World, engine: PrivateEngine, **options: Any) -> AsyncIterator[Watched]:
    """An executor at work, whose sandbox has no cells but those that run a program."""
    config = SandboxConfig(engine=engine.url, driver="docker", owner="test-execution", pool=0)
    async with open_sandbox(config) as sandbox, anyio.create_task_group() as tasks:
        watched = Watched(sandbox)
        work = MemoryWork(world.log, SandboxExecutor.work_slots)
        actor = SandboxExecutor(world.log, watched, work, parallel=1, **options)
        tasks.start_soon(actor.run)
        yield watched
        tasks.cancel_scope.cancel()


async def code_world() -> World:
    """Its first round waits to be executed."""
    world = World(miners=MINERS, policy=code_policy(), sandbox="docker")
    await solved(world, 1)
    return world


async def interrupted(engine: PrivateEngine, breaks: Act, mends: Act) -> None:
    """One program runs; the engine is broken until that was noticed; then all earn what is due."""
    world = await code_world()
    async with executing(world, engine) as sandbox:
        await until(world.log, count(CodeExecuted, 1))
        await sandbox.breaks(breaks)
        await sandbox.failed.wait()
        assert len(world.events(CodeExecuted)) < MINERS
        await anyio.to_thread.run_sync(mends)
        await until(world.log, count(CodeExecuted, MINERS))
    await all_earn(world)


async def all_earn(world: World) -> None:
    """As if nothing had happened; and the audit agrees."""
    await world.settle()
    assert not world.events(ExecutionAbandoned)
    assert [s.accuracy for s in world.events(AnswerScored) if s.task == 1] == [1.0] * MINERS
    assert len(world.events(RoundScored)) == 1
    assert (await audit(LineLog(world.lines, world.log.blobs))).result == "clean"


async def test_an_engine_that_is_killed(engine: PrivateEngine) -> None:
    """It comes back, and the programs that it took along run again."""
    await interrupted(engine, engine.kill, engine.start)
    assert engine.containers() == []


async def test_a_socket_that_is_gone(engine: PrivateEngine) -> None:
    """The engine lives and cannot be asked."""
    await interrupted(engine, engine.hide_socket, engine.show_socket)
    assert engine.containers() == []


async def test_a_full_disk_under_the_engine(tmp_path: Path) -> None:
    """No container can be made until there is space again."""
    with (
        small_disk(tmp_path / "disk", "384m") as disk,
        private_engine(disk / "data") as engine,
        ExitStack() as stack,
    ):
        ballast = almost_full(disk, left=4096)
        await interrupted(engine, lambda: stack.enter_context(ballast), stack.close)


async def test_an_image_that_is_deleted(engine: PrivateEngine) -> None:
    """With its containers, by whoever cleans up: it is made anew."""
    world = await code_world()
    async with executing(world, engine) as sandbox:
        await until(world.log, count(CodeExecuted, 1))
        await sandbox.breaks(partial(remove_everything, engine))
        await until(world.log, count(CodeExecuted, MINERS))
    await all_earn(world)


def remove_everything(engine: PrivateEngine) -> None:
    """A container in use keeps its image."""
    for name in engine.containers():
        engine.call("DELETE", f"/containers/{name}?force=1")
    engine.remove_images()


def all_ended(events: list[Any]) -> bool:
    """Every program of a round was run or given up."""
    return len([e for e in events if isinstance(e, CodeExecuted | ExecutionAbandoned)]) == MINERS


async def test_an_engine_that_stays_away(engine: PrivateEngine) -> None:
    """Nobody is scored for that; and the next round's programs run once it is back."""
    world = await code_world()
    async with executing(world, engine, patience_s=0.5) as sandbox:
        await until(world.log, count(CodeExecuted, 1))
        await sandbox.breaks(engine.kill)
        await until(world.log, all_ended)
        await world.settle()
        assert {s.fault for s in world.events(AnswerNotScored)} == {Fault.SANDBOX}
        earned = [s for s in world.events(AnswerScored) if s.task == 1]
        assert len(earned) + len(world.events(AnswerNotScored)) == MINERS
        assert len(world.events(RoundScored)) == 1
        await anyio.to_thread.run_sync(engine.start)
        await solved(world, 2)
        await until(world.log, count(CodeExecuted, len(earned) + MINERS))
    await world.settle()
    assert {s.accuracy for s in world.events(AnswerScored) if s.task == 1} == {1.0}
    assert len(world.events(RoundScored)) == 2
    assert (await audit(LineLog(world.lines, world.log.blobs))).result == "clean"
