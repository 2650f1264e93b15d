"""From a program to its score: executed after the reveal, judged by recorded outputs."""

from collections.abc import Sequence
from typing import Any

import pytest

import quasar.actors.sandbox_executor
from quasar.actors.sandbox_executor import SandboxExecutor
from quasar.benchmarks.families.code_cases import CASES
from quasar.events import (
    AnswerNotScored,
    AnswerScored,
    CodeExecuted,
    ExecutionAbandoned,
    Fault,
    RoundScored,
    RoundSkipped,
    TaskSampled,
)
from quasar.log.work import MemoryWork
from quasar.replay import audit
from quasar.sandbox import (
    Outcome,
    Sandbox,
    SandboxConfig,
    SandboxError,
    SandboxIdentity,
    open_sandbox,
)
from tests.builders import LineLog, World
from tests.code_round import WRONG, code_instance, code_policy
from tests.unit.acting import acting, count, until
from tests.unit.test_code_family import follow

pytestmark = pytest.mark.anyio

IDENTITY = SandboxIdentity(
    driver="docker",
    image="a" * 64,
    layers=["b" * 64],
    python="3.11.7",
    machine="x86_64",
    engine="docker 1",
    runtime="runc 1",
)


class Scripted:
    """A sandbox that answers what it is told to, once per call."""

    identity = IDENTITY

    def __init__(self, *answers: list[Outcome] | SandboxError) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, SandboxError):
            raise answer
        return answer


class AlwaysWrong:
    """A sandbox in which every program fails."""

    identity = IDENTITY

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        return [Outcome(status="error", error="no")] * len(inputs)


async def revealed(sandbox: str | None = "docker", miners: int = 2) -> World:
    """A round whose first miner solves the task in code and whose second does not."""
    world = World(miners=miners, policy=code_policy(), sandbox=sandbox)
    await world.start_round(1)
    solver = next(iter(world.miners))
    for d in world.open_deliveries():
        instance = code_instance(world, d.key) if sandbox else None
        if instance is None:
            answer = world.right_answer(*d.key).decode()
        else:
            answer = f"```python\n{follow(instance)}```" if d.key[2] == solver else WRONG
        await world.deliver(d, world.acceptance(d), world.received(d, answer.encode()))
    await world.settle()
    return world


def executor(world: World, sandbox: Sandbox, work: MemoryWork | None = None) -> SandboxExecutor:
    """One that works alone, unless it shares ``work``."""
    work = work or MemoryWork(world.log, SandboxExecutor.work_slots)
    return SandboxExecutor(world.log, sandbox, work)


def accuracies(world: World) -> dict[tuple[int, str], float]:
    return {(s.task, s.hotkey): s.accuracy for s in world.events(AnswerScored)}


@pytest.mark.docker
async def test_a_program_runs_and_earns() -> None:
    """In a real container the right program passes every case, a wrong one none."""
    world = await revealed()
    solver, other = world.miners
    async with (
        open_sandbox(SandboxConfig(owner="test")) as sandbox,
        acting(executor(world, sandbox)),
    ):
        await until(world.log, count(CodeExecuted, 2))
    await world.settle()
    assert accuracies(world)[(1, solver)] == 1.0
    assert accuracies(world)[(1, other)] == 0.0
    assert len(world.events(RoundScored)) == 1
    report = await audit(LineLog(world.lines, world.log.blobs))
    assert report.result == "clean"
    assert report.assumed["code_verdicts"] == 2


async def test_nothing_is_scored_before_it_ran() -> None:
    """Only the answers that are read are scored at the reveal; the round waits for the rest."""
    world = await revealed()
    assert set(accuracies(world)) == {(0, hotkey) for hotkey in world.miners}
    assert not world.events(RoundScored)


async def test_half_the_cases_earn_half() -> None:
    """Accuracy is the share of cases whose output is the expected value."""
    world = await revealed()
    instance = code_instance(world, (1, 1, next(iter(world.miners))))
    assert instance is not None
    expected = instance.program.expected
    outcomes = [
        Outcome(status="ok", output=value) if k % 2 else Outcome(status="timeout")
        for k, value in enumerate(expected)
    ]
    async with acting(executor(world, Scripted(outcomes))):
        await until(world.log, count(CodeExecuted, 2))
    await world.settle()
    share = len(expected) // 2 / len(expected)
    assert 0.0 < share < 1.0
    assert accuracies(world)[(1, next(iter(world.miners)))] == share


async def test_a_failing_engine_is_nobodys_zero() -> None:
    """An engine that stays away ends in ExecutionAbandoned, which is not scored."""
    world = await revealed()
    broken = Scripted(SandboxError("the engine is gone"))
    work = MemoryWork(world.log, SandboxExecutor.work_slots)
    async with acting(SandboxExecutor(world.log, broken, work, patience_s=0.0)):
        await until(world.log, count(ExecutionAbandoned, 2))
    await world.settle()
    left_out = world.events(AnswerNotScored)
    assert [(s.fault, s.failure) for s in left_out] == [(Fault.SANDBOX, "not-executed")] * 2
    assert len(world.events(RoundScored)) == 1
    assert (await audit(LineLog(world.lines, world.log.blobs))).result == "clean"


async def test_a_crash_leaves_no_program_behind() -> None:
    """An executor started again runs what is open, and what is done only once."""
    world = await revealed()
    wrong = [Outcome(status="error", error="no")] * CASES
    for _ in range(2):
        async with acting(executor(world, Scripted(wrong))):
            await until(world.log, count(CodeExecuted, 2))
    assert len(world.events(CodeExecuted)) == 2


async def test_two_executors_share_the_programs() -> None:
    """Each program runs once, in one sandbox or the other."""
    world = await revealed(miners=6)
    wrong = [Outcome(status="error", error="no")] * CASES
    sandboxes = [Scripted(wrong), Scripted(wrong)]
    work = MemoryWork(world.log, SandboxExecutor.work_slots)
    async with acting(*(executor(world, sandbox, work) for sandbox in sandboxes)):
        await until(world.log, count(CodeExecuted, 6))
    assert len(world.events(CodeExecuted)) == 6
    assert sum(sandbox.calls for sandbox in sandboxes) == 6
    assert all(sandbox.calls for sandbox in sandboxes)


async def test_programs_of_two_rounds_wait_for_their_reveal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Answers of a round that still runs stand between those of one that is revealed: all run."""
    monkeypatch.setattr(quasar.actors.sandbox_executor, "LATER_S", 0.01)
    world = World(miners=2, policy=code_policy(), sandbox="docker")
    await world.start_round(1)
    await world.start_round(2)
    by_round = sorted(world.open_deliveries(), key=lambda d: (-d.key[0], -d.key[1]))
    (*early, last), first_round = by_round[:4], by_round[4:]
    async with acting(executor(world, AlwaysWrong())):
        for d in [*early, *first_round]:
            await world.deliver(d, world.acceptance(d), world.received(d, WRONG.encode()))
        await world.settle()
        await until(world.log, count(CodeExecuted, 2))
        assert {e.round for e in world.events(CodeExecuted)} == {1}
        await world.deliver(last, world.acceptance(last), world.received(last, WRONG.encode()))
        await world.settle()
        await until(world.log, count(CodeExecuted, 4))
    await world.settle()
    assert len(world.events(RoundScored)) == 2


async def test_without_a_sandbox_code_is_not_asked() -> None:
    """The family is left out, by a rule that an audit repeats."""
    world = await revealed(sandbox=None)
    assert {s.family for s in world.events(TaskSampled)} == {"factbook@1"}
    assert len(world.events(RoundScored)) == 1
    assert (await audit(LineLog(world.lines, world.log.blobs))).result == "clean"


async def test_a_policy_of_code_alone_needs_a_sandbox() -> None:
    """Without one its rounds are skipped, and the log says why."""
    toml = code_policy().decode().replace('family = "factbook@1"\nbucket = "32k"', "#CUT#")
    head, _, tail = toml.partition("[[mix]]\n#CUT#\ntasks = 1\n\n")
    world = World(miners=2, policy=(head + tail).encode(), sandbox=None)
    await world.start_round(1)
    (skipped,) = world.events(RoundSkipped)
    assert skipped.fault is Fault.SANDBOX
