"""Programs run again: what is compared, and what is said of it."""

from collections.abc import Sequence
from typing import Any

import anyio
import msgspec
import pytest

from quasar.benchmarks.families.code_cases import CASES
from quasar.events import CodeExecuted
from quasar.replay import audit
from quasar.replay.execution_words import execution_words
from quasar.replay.finding import Reexecution
from quasar.replay.page_data import read_board
from quasar.replay.reexecute import Here, newest_limits, reexecute
from quasar.rules.policy import parse
from quasar.rules.policy_sections import Execution
from quasar.sandbox import Outcome, SandboxError
from tests.builders import LineLog, World
from tests.code_round import code_instance, first_case
from tests.forgery.honest import ran
from tests.forgery.kit import Forger
from tests.forging import Forging
from tests.unit.acting import acting, count, until
from tests.unit.page_pieces import page_of
from tests.unit.test_code_path import IDENTITY, AlwaysWrong, Scripted, executor, revealed

pytestmark = pytest.mark.anyio
HERE = Here(IDENTITY.driver, IDENTITY.layers)


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
    found = await reexecute([log_of(world)], Right(world), HERE)
    assert (found.programs, found.equal, found.differing) == (2, 2, 0)
    assert (found.cases, found.cases_equal) == (2 * CASES, 2 * CASES)
    assert (found.other_images, found.other_drivers, found.other_limits) == (0, 0, 0)
    assert (found.unsteady, found.contradictory, found.complete) == (0, 0, True)
    assert len(list(execution_words(found))) == 1


async def test_what_was_other_here_is_counted() -> None:
    """Programs that ran in another image, under another driver, or with other limits."""
    world = await recorded()
    limits = Execution(timeout_s=1.0, memory_mib=64, budget_s=1.0)
    here = Here("bubblewrap", ["c" * 64], limits)
    found = await reexecute([log_of(world)], Right(world), here)
    assert (found.equal, found.other_images) == (2, 2)
    assert (found.other_drivers, found.other_limits) == (2, 2)
    assert list(execution_words(found))[1:] == [
        "2 were recorded in another image than they ran in here",
        "2 were recorded under another driver than they ran under here",
        "2 are of rounds with other limits than they had here",
    ]


async def test_other_outcomes_are_named() -> None:
    """In the log's order, with the number of cases here and as recorded."""
    world = await recorded()
    found = await reexecute([log_of(world)], AlwaysWrong(), HERE)
    places = [seq for seq, e in enumerate(world.events(), 1) if isinstance(e, CodeExecuted)]
    assert (found.programs, found.equal, found.differing) == (2, 0, 2)
    assert [d.seq for d in found.listed] == places
    assert {d.hotkey for d in found.listed} == set(world.miners)
    assert all((d.here, d.recorded) == (0, d.cases) for d in found.listed)
    assert [case.case for case in found.listed[0].where] == list(range(CASES))
    assert {(c.recorded, c.here) for d in found.listed for c in d.where} == {("passed", "error")}
    assert (found.cases_equal, found.unsteady) == (0, 2)
    assert "no proof" in list(execution_words(found))[1]
    assert list(execution_words(found))[2].endswith(
        "0 here; case 0: passed as recorded, error here"
    )


async def test_another_way_to_fail_is_the_same_verdict() -> None:
    """A case that was slow there and wrong here is no case passed either way."""
    world = await revealed()
    cases = len(code_instance(world, (1, 1, next(iter(world.miners)))).program.cases)  # type: ignore[union-attr]
    slow = Scripted([Outcome(status="timeout", execution_time_ms=9)] * cases)
    async with acting(executor(world, slow)):
        await until(world.log, count(CodeExecuted, 2))
    found = await reexecute([log_of(world)], AlwaysWrong())
    assert (found.equal, found.differing) == (2, 0)
    assert found.unsteady == 0


async def test_other_values_that_are_wrong_too() -> None:
    """The verdicts are equal, and it is said that the program may draw lots."""
    world = await revealed()
    wrong = Scripted([Outcome(status="ok", output=None)] * CASES)
    async with acting(executor(world, wrong)):
        await until(world.log, count(CodeExecuted, 2))
    other = Scripted([Outcome(status="ok", output="?")] * CASES)
    found = await reexecute([log_of(world)], other, HERE)
    assert (found.equal, found.cases_equal, found.unsteady) == (2, 2 * CASES, 2)
    assert (
        list(execution_words(found))[-1]
        == "2 gave other values or errors of their own than recorded"
    )


def test_contradictions_are_counted() -> None:
    """Of two recorded runs of one program, whatever it does here."""
    forger = Forger(ran())
    fact = forger.fact(CodeExecuted, lambda run: run.again is not None)
    fact.event = first_case("again", status="error", output=None)(fact.event)
    log = LineLog(forger.lines(), ran().log.blobs)
    limits = anyio.run(newest_limits, [log])
    assert limits == parse(ran().policy).execution
    found = anyio.run(reexecute, [log], AlwaysWrong(), HERE._replace(limits=limits))
    assert (found.contradictory, found.other_limits) == (1, 0)


async def test_rounds_that_are_left_out() -> None:
    """Only programs of the rounds that were sampled run."""
    world = await recorded()
    right = Right(world)
    found = await reexecute([log_of(world)], right, full=lambda number: number != 1)
    assert (found.programs, right.runs) == (0, 0)
    assert list(execution_words(found)) == ["no program is recorded here"]


async def test_a_log_that_breaks_off() -> None:
    """What stands before the damage is run, and the report says that it is not all."""
    world = await recorded()
    first = next(s for s, e in enumerate(world.events(), 1) if isinstance(e, CodeExecuted))
    lines = world.lines
    lines[first] = lines[first].replace(b'"key":', b'"key": ')
    found = await reexecute([LineLog(lines, world.log.blobs)], Right(world))
    assert (found.programs, found.complete) == (1, False)
    assert list(execution_words(found))[-1] == "stopped where the log breaks off"


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
        programs=0,
        equal=0,
        differing=0,
        cases=0,
        cases_equal=0,
        unsteady=0,
        contradictory=0,
        other_images=0,
        other_drivers=0,
        other_limits=0,
        complete=True,
        listed=[],
    )


def test_cases_that_never_ran_are_not_compared() -> None:
    """Their miner's time was used up, and here nobody counts it."""
    world = anyio.run(recorded)
    ran_out = first_case(status="timeout", output=None, execution_time_ms=0)
    log = Forging(world)
    for item in log.all(CodeExecuted):
        item.event = ran_out(item.event)
    found = anyio.run(reexecute, [LineLog(log.lines(), world.log.blobs)], Right(world), HERE)
    assert (found.differing, found.unsteady, found.cases_equal) == (0, 0, 2 * CASES)


def test_the_page_tells_of_them() -> None:
    """Apart from the verdict, which stays; without any it says so."""
    log = log_of(anyio.run(recorded))
    found = anyio.run(reexecute, [log], AlwaysWrong(), HERE)
    report, board = anyio.run(audit, log), anyio.run(read_board, [log])
    assert "the audit was not asked to run any" in page_of(report, board)
    page = page_of(msgspec.structs.replace(report, execution=found), board)
    assert "2 programs, 0 passed the recorded cases" in page
    assert "Clean: everything that was checked holds" in page
