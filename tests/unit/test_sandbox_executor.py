"""SandboxExecutor: turns, time, poison, and an engine that comes and goes; on a fake sandbox."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

import quasar.log.places
import quasar.sandbox.attempts
from quasar.actors.sandbox_executor import TAKERS, SandboxExecutor
from quasar.benchmarks.families.code_cases import CASES
from quasar.events import AnswerScored, CodeExecuted, ExecutionAbandoned, RoundScored
from quasar.log.work import MemoryWork
from quasar.rules.delivery import Delivery
from quasar.rules.sandbox_time import DEFAULT
from quasar.sandbox import Outcome, SandboxError
from quasar.sandbox.attempts import CONTROL
from tests.builders import World
from tests.code_round import code_policy
from tests.unit.acting import acting, count, until
from tests.unit.test_code_path import IDENTITY

pytestmark = pytest.mark.anyio

TASKS = 6
"""In code, for each miner."""
Answer = Callable[[str, int], list[Outcome] | Exception]
"""Takes the hotkey whose program it is, and how many cases; gives how the run ends."""


@pytest.fixture(autouse=True)
def fixture_short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that no test has to wait for."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "PULSE_S"):
        monkeypatch.setattr(quasar.sandbox.attempts, name, 0.001)


def fails(_: str, cases: int) -> list[Outcome]:
    """Every program does, at once."""
    return [Outcome(status="error", error="no")] * cases


class FakeSandbox:
    """Knows whose program it runs: the code is the hotkey's name."""

    identity = IDENTITY

    def __init__(self, answer: Answer = fails, control: Callable[[], bool] = lambda: True) -> None:
        self._answer, self._control = answer, control
        self.begun: list[str] = []
        """Hotkeys, one a run."""
        self.now = self.most = 0
        """Runs at this moment, and at the busiest."""

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        await checkpoint()
        if code == CONTROL:
            if not self._control():
                raise SandboxError("away")
            return [Outcome(status="ok", output=3)]
        hotkey = code.split()[1]
        self.begun.append(hotkey)
        self.now += 1
        self.most = max(self.most, self.now)
        await checkpoint()
        self.now -= 1
        answer = self._answer(hotkey, len(inputs))
        if isinstance(answer, Exception):
            raise answer
        return answer


def by_miner(d: Delivery) -> tuple[str, int]:
    return d.key[2], d.key[1]


async def revealed(miners: int = 3) -> World:
    """A round in which all that one miner answers comes before all of the next."""
    policy = code_policy().replace(
        b'bucket = "124k"\ntasks = 1', b'bucket = "124k"\ntasks = %d' % TASKS
    )
    world = World(miners=miners, policy=policy, sandbox="docker")
    await world.start_round(1)
    for d in sorted(world.open_deliveries(), key=by_miner):
        code = f"```python\n# {d.key[2]}\n```".encode()
        await world.deliver(d, world.acceptance(d), world.received(d, code))
    await world.settle()
    return world


def executor(world: World, sandbox: FakeSandbox, **options: Any) -> SandboxExecutor:
    work = MemoryWork(world.log, SandboxExecutor.work_slots)
    return SandboxExecutor(world.log, sandbox, work, **options)


async def test_miners_take_turns() -> None:
    """All of the first miner's programs came first, and they wait for everyone else's first."""
    world = await revealed(miners=4)
    sandbox = FakeSandbox()
    async with acting(executor(world, sandbox, parallel=1)):
        await until(world.log, count(CodeExecuted, 4 * TASKS))
    order = [e.hotkey for e in world.events(CodeExecuted)]
    turns = [order[k : k + 4] for k in range(0, len(order), 4)]
    assert all(set(turn) == set(world.miners) for turn in turns)


async def test_a_slow_miner_holds_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """While its first program runs on and on, the others' come to their end."""
    monkeypatch.setattr(quasar.log.places, "LOOK_S", 0.01)
    world = await revealed()
    slow, *others = sorted(world.miners)
    sandbox = FakeSandbox()
    run, released = sandbox.run, anyio.Event()

    async def slowly(code: str, *arguments: Any) -> list[Outcome]:
        if slow in code:
            sandbox.begun.append("slow")
            await released.wait()
        return await run(code, *arguments)

    monkeypatch.setattr(sandbox, "run", slowly)
    async with acting(executor(world, sandbox)):
        await until(world.log, count(CodeExecuted, len(others)))
        assert sandbox.begun.count("slow") == 1
        released.set()
        await until(world.log, count(CodeExecuted, 3 * TASKS))


async def test_no_more_at_a_time_than_there_are_places() -> None:
    """And each program runs once, or twice where the seed says so."""
    world = await revealed()
    sandbox = FakeSandbox()
    async with acting(executor(world, sandbox, parallel=3)):
        await until(world.log, count(CodeExecuted, 3 * TASKS))
    assert sandbox.most == 3
    twice = [e for e in world.events(CodeExecuted) if e.again is not None]
    assert len(sandbox.begun) == 3 * TASKS + len(twice)


async def test_few_leases_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than may wait, and whoever comes with the lease then has the turn."""
    monkeypatch.setattr(quasar.log.places, "AHEAD", 2)
    world = await revealed()
    work = MemoryWork(world.log, SandboxExecutor.work_slots)
    sandbox = FakeSandbox()
    held = list[int]()
    take = work.take

    async def counted() -> Any:
        lease = await take()
        held.append(len(work._out))
        return lease

    monkeypatch.setattr(work, "take", counted)
    async with acting(SandboxExecutor(world.log, sandbox, work, parallel=1)):
        await until(world.log, count(CodeExecuted, 3 * TASKS))
    assert max(held) <= 2 + 1 + TAKERS  # those that wait, one that runs, and those just taken


async def test_time_is_used_up_by_whoever_used_it() -> None:
    """Cases that no longer run are timeouts of no time; other miners' programs are not touched."""
    slow_ms = int(DEFAULT.timeout_s * 1000)

    def answer(hotkey: str, cases: int) -> list[Outcome]:
        if hotkey != slow:
            return fails(hotkey, cases)
        return [Outcome(status="timeout", execution_time_ms=slow_ms)] * cases

    world = await revealed()
    slow = sorted(world.miners)[0]
    async with acting(executor(world, FakeSandbox(answer), parallel=1)):
        await until(world.log, count(CodeExecuted, 3 * TASKS))
    await world.settle()
    times = Counter[str]()
    for e in world.events(CodeExecuted):
        assert len(e.cases) == CASES
        assert {c.status for c in e.cases} == {"timeout" if e.hotkey == slow else "error"}
        times[e.hotkey] += sum(c.execution_time_ms for c in e.cases)
    assert times[slow] == DEFAULT.budget_s * 1000
    assert len([s for s in world.events(AnswerScored) if s.task]) == 3 * TASKS
    assert len(world.events(RoundScored)) == 1


async def test_a_started_executor_remembers_the_time() -> None:
    """It is a fold of the log."""
    world = await revealed(miners=1)
    ms = int(DEFAULT.budget_s * 1000)
    used = [Outcome(status="timeout", execution_time_ms=ms)]
    for number in (1, TASKS):
        sandbox = FakeSandbox(lambda _, cases: used * cases)
        async with acting(executor(world, sandbox, parallel=1)):
            await until(world.log, count(CodeExecuted, number))
    assert not sandbox.begun


async def test_poison_is_scored() -> None:
    """Who breaks each sandbox it runs in has crashed, and takes no more than its turn."""

    def answer(hotkey: str, cases: int) -> list[Outcome] | Exception:
        return SandboxError("broken") if hotkey == poison else fails(hotkey, cases)

    world = await revealed()
    poison = sorted(world.miners)[0]
    async with acting(executor(world, FakeSandbox(answer))):
        await until(world.log, count(CodeExecuted, 3 * TASKS))
    await world.settle()
    ends = {(e.hotkey, c.status) for e in world.events(CodeExecuted) for c in e.cases}
    assert ends == {(h, "crashed" if h == poison else "error") for h in world.miners}
    assert not world.events(ExecutionAbandoned)
    assert len(world.events(RoundScored)) == 1


async def test_an_engine_that_goes_and_comes_back() -> None:
    """Nothing is lost, and nobody is blamed: all programs run when it is back."""
    away = 0

    def answer(hotkey: str, cases: int) -> list[Outcome] | Exception:
        return SandboxError("away") if away else fails(hotkey, cases)

    def control() -> bool:
        nonlocal away
        away = max(0, away - 1)
        return not away

    world = await revealed()
    async with acting(executor(world, FakeSandbox(answer, control))):
        await until(world.log, count(CodeExecuted, TASKS))
        away = 20
        await until(world.log, count(CodeExecuted, 3 * TASKS))
    ends = {c.status for e in world.events(CodeExecuted) for c in e.cases}
    assert ends == {"error"}
    assert not world.events(ExecutionAbandoned)
