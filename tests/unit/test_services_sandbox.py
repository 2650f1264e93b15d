"""The sandbox that a validator opens: as its flags say, or none, openly so, and not for ever."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from quasar.cli.sandbox_flags import Programs
from quasar.config import load_policy
from quasar.events.signing import log_id_of
from quasar.sandbox import Choice, SandboxConfig, SandboxError
from quasar.supervisor import services, validator
from quasar.supervisor.run import End
from quasar.supervisor.setup import Setup

pytestmark = pytest.mark.anyio


def setup(programs: Programs, policy: str = "full-v1") -> Setup:
    """What is read of a Setup; the policy has tasks in code."""

    async def genesis() -> str:
        return "00" * 32

    hotkey = SimpleNamespace(ss58_address="5hotkey")
    given = SimpleNamespace(
        policy=load_policy(policy),
        sandbox=programs.config(),
        chain=SimpleNamespace(genesis=genesis, netuid=24),
        identity=SimpleNamespace(hotkey=hotkey),
        volumes=None,
        once=None,
        rounds=None,
    )
    return cast(Setup, given)


class Machine:
    """Has bubblewrap or not, and it works or not."""

    def __init__(self) -> None:
        self.has, self.works = True, True
        self.opened: list[SandboxConfig] = []
        self.looked = 0

    @asynccontextmanager
    async def open_sandbox(self, config: SandboxConfig) -> AsyncIterator[str]:
        """A sandbox, as far as this test needs one."""
        self.opened.append(config)
        if not self.works:
            raise SandboxError("a wall does not stand")
        yield "open"

    async def choose(self, config: SandboxConfig) -> Choice:
        """What there is to choose from."""
        self.looked += 1
        return Choice("bubblewrap" if self.has else None, f"for {config.driver}")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(services, "open_sandbox", machine.open_sandbox)
    monkeypatch.setattr(services, "choose", machine.choose)
    monkeypatch.setattr(services, "LOOK_S", 0.001)
    return machine


async def test_the_flags_reach_the_sandbox(machine: Machine) -> None:
    """With the log as its owner; the driver and its reason are logged."""
    given = setup(Programs(sandbox_runtime="runsc"))
    with capture_logs() as logged:
        async with services.open_programs(given):
            pass
    (config,) = machine.opened
    owner = log_id_of("00" * 32, 24, "5hotkey", 1)
    assert (config.driver, config.runtime, config.owner) == ("bubblewrap", "runsc", owner)
    assert [(line["driver"], line["reason"]) for line in logged] == [("bubblewrap", "for auto")]


async def test_without_a_driver_there_is_none(machine: Machine) -> None:
    """The reason is logged, with what follows from it."""
    machine.has = False
    with capture_logs() as logged:
        async with services.open_programs(setup(Programs(sandbox="docker"))) as sandbox:
            assert sandbox is None
    assert machine.opened == []
    ((reason, effect),) = [(line["reason"], line["effect"]) for line in logged]
    assert reason == "for docker"
    assert effect.startswith("no tasks in code; looked for again every ")


async def test_without_tasks_in_code_nobody_looks(machine: Machine) -> None:
    """A validator of such a policy needs no sandbox."""
    given = setup(Programs(), "readme-v1")
    async with services.open_programs(given) as sandbox:
        assert sandbox is None
    assert not services.wants_sandbox(given)
    assert machine.looked == 0


async def test_a_driver_that_fails_ends_the_start_alone(machine: Machine) -> None:
    """Who names a sandbox hears at once that it fails; a validator at work goes on without."""
    machine.works = False
    with pytest.raises(SandboxError, match="wall"):
        async with services.open_programs(setup(Programs())):
            raise AssertionError("opened")
    with capture_logs() as logged:
        async with services.open_programs(setup(Programs()), again=True) as sandbox:
            assert sandbox is None
    assert logged[-1]["reason"] == "a wall does not stand"


@pytest.mark.parametrize("lacks", ["has", "works"])
async def test_a_sandbox_is_looked_for_until_its_walls_stand(machine: Machine, lacks: str) -> None:
    """A driver alone is not enough."""
    setattr(machine, lacks, False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(services.sandbox_came_up, setup(Programs()))
        while machine.looked < 5:
            await anyio.lowlevel.checkpoint()
        setattr(machine, lacks, True)
    assert machine.opened[-1].pool == 0


async def test_a_validator_goes_on_with_the_sandbox_that_came_up(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same volume: a run ends, says why, and the next one has the sandbox."""
    machine.has, sandboxes, ends = False, list[Any](), list[Any]()

    async def play(_: Any, __: Any, ___: Any, services: Any, ____: Any) -> End:
        sandboxes.append(services.sandbox)
        machine.has = True
        return End.SANDBOX if services.sandbox is None else End.FINISHED

    async def end_run(volume: int, _: Any, end: End) -> None:
        ends.append((volume, end))

    @asynccontextmanager
    async def volume(_: Any, __: Any, number: int) -> AsyncIterator[Any]:
        yield SimpleNamespace(number=number, log=None)

    for name, fake in {
        "check_disk": lambda _: None,
        "current_volume": lambda _: 3,
        "open_server": lambda _: volume(_, _, 0),
        "open_volume": volume,
        "is_closed": returning(False),
        "begin_run": returning(1),
        "_play": play,
        "end_run": lambda v, run, end: end_run(v.number, run, end),
        "seal": returning(77),
    }.items():
        monkeypatch.setattr(validator, name, fake)
    assert await validator.run_validator(setup(Programs())) == (77, True)
    assert sandboxes == [None, "open"]
    assert ends == [(3, End.SANDBOX), (3, End.FINISHED)]


def returning(value: object) -> Callable[..., Any]:
    """An async function that gives it."""

    async def give(*_: object) -> object:
        return value

    return give
