"""Programs run again: what is compared, and what is said of it."""

from collections.abc import Sequence
from typing import Any

import pytest

from quasar.cli.audit_execution import words
from quasar.events import CodeExecuted
from quasar.replay.finding import Reexecution
from quasar.replay.reexecute import reexecute
from quasar.sandbox import Outcome, SandboxError
from tests.builders import LineLog, World
from tests.code_round import code_instance
from tests.unit.acting import acting, count, until
from tests.unit.test_code_path import IDENTITY, AlwaysWrong, Scripted, executor, revealed

pytestmark = pytest.mark.anyio


class Right:
    """A sandbox in which every program is right."""

    identity = IDENTITY

    def __init__(self, world: World) -> None:
        self.runs = 0
        self._expected = {
            (i.program.function_name, str(i.program.cases)): i.program.expected
            for hotkey in world.miners
            if (i := code_instance(world, (1, 1, hotkey)))
        }

    async def run(
        self, _: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        self.runs += 1
        expected = self._expected[(function_name, str(inputs))]
        return [Outcome(status="ok", output=value) for value in expected]


async def recorded() -> World:
    """A round with two programs, both recorded as right."""
    world = await revealed()
    async with acting(executor(world, Right(world))):
        await until(world.log, count(CodeExecuted, 2))
    await world.settle()
    return world


def log_of(world: World) -> LineLog:
    """What an auditor reads."""
    return LineLog(world.lines, world.log.blobs)


async def test_equal_outcomes() -> None:
    """Programs that pass the same cases are equal, in an image of the same layers or not."""
    world = await recorded()
    found = await reexecute([log_of(world)], Right(world), layers=IDENTITY.layers)
    assert (found.programs, found.equal, found.differing, found.other_images) == (2, 2, 0, 0)
    assert found.complete
    other = await reexecute([log_of(world)], Right(world), layers=["c" * 64])
    assert (other.equal, other.other_images) == (2, 2)
    assert list(words(other))[-1] == "2 were recorded in another image than they ran in here"


async def test_other_outcomes_are_named() -> None:
    """In the log's order, with the number of cases here and as recorded."""
    world = await recorded()
    found = await reexecute([log_of(world)], AlwaysWrong(), layers=IDENTITY.layers)
    places = [seq for seq, e in enumerate(world.events(), 1) if isinstance(e, CodeExecuted)]
    assert (found.programs, found.equal, found.differing) == (2, 0, 2)
    assert [d.seq for d in found.listed] == places
    assert {d.hotkey for d in found.listed} == set(world.miners)
    assert all((d.here, d.recorded) == (0, d.cases) for d in found.listed)
    assert "no proof" in list(words(found))[1]


async def test_another_way_to_fail_is_the_same_verdict() -> None:
    """A case that was slow there and wrong here is no case passed either way."""
    world = await revealed()
    cases = len(code_instance(world, (1, 1, next(iter(world.miners)))).program.cases)  # type: ignore[union-attr]
    slow = Scripted([Outcome(status="timeout")] * cases)
    async with acting(executor(world, slow)):
        await until(world.log, count(CodeExecuted, 2))
    found = await reexecute([log_of(world)], AlwaysWrong())
    assert (found.equal, found.differing) == (2, 0)


async def test_rounds_that_are_left_out() -> None:
    """Only programs of the rounds that were sampled run."""
    world = await recorded()
    right = Right(world)
    found = await reexecute([log_of(world)], right, full=lambda number: number != 1)
    assert (found.programs, right.runs) == (0, 0)
    assert list(words(found)) == ["no program is recorded here"]


async def test_a_log_that_breaks_off() -> None:
    """What stands before the damage is run, and the report says that it is not all."""
    world = await recorded()
    first = next(s for s, e in enumerate(world.events(), 1) if isinstance(e, CodeExecuted))
    lines = world.lines
    lines[first] = lines[first].replace(b'"key":', b'"key": ')
    found = await reexecute([LineLog(lines, world.log.blobs)], Right(world))
    assert (found.programs, found.complete) == (1, False)
    assert list(words(found))[-1] == "stopped where the log breaks off"


async def test_volumes() -> None:
    """A difference names its volume where there are several."""
    world = await recorded()
    found = await reexecute([log_of(world), log_of(world)], AlwaysWrong())
    assert [d.volume for d in found.listed] == [1, 1, 2, 2]


async def test_an_engine_that_fails() -> None:
    """It says nothing about programs, so there is no result."""
    world = await recorded()
    with pytest.raises(ExceptionGroup) as caught:
        await reexecute([log_of(world)], Scripted(SandboxError("no engine")))
    assert caught.group_contains(SandboxError, match="no engine")


async def test_an_empty_volume() -> None:
    """No event, no program."""
    found = await reexecute([], AlwaysWrong())
    assert found == Reexecution(
        programs=0, equal=0, differing=0, other_images=0, complete=True, listed=[]
    )
