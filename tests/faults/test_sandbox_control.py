"""The control: where cases share a process with their runner, the hostile suite must fail."""

import json
from collections.abc import Sequence

import anyio
import pytest
from msgspec.structs import replace

from quasar.sandbox import Sandbox, SandboxConfig, SandboxError, open_sandbox
from quasar.sandbox.program import limits
from tests.faults.sandbox_attacks import ATTACKS, Attack
from tests.faults.sandbox_control import NAIVE
from tests.faults.sandbox_targets import SMALL
from tests.faults.test_sandbox_hostile import ALL, Run, failing

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

AT_ONCE = 4
SOME = [attack for attack in ATTACKS if attack.lane == "quick"][:: 1 if ALL else 8]
CONFIG = replace(SMALL, driver="docker", owner=f"{SMALL.owner}-control")


def naive(config: SandboxConfig, *_: object) -> list[str]:
    """In place of the runner's command line."""
    return ["python3", "-I", "-S", "-c", NAIVE, json.dumps(limits(config))]


@pytest.fixture(autouse=True)
def naive_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same container, behind the same outer walls."""
    monkeypatch.setattr("quasar.sandbox.container.command", naive)
    monkeypatch.setattr("quasar.sandbox.submissions.GRACE_S", 0.0)
    monkeypatch.setattr("quasar.sandbox.program.WALL_FACTOR", 1.0)


async def failures(sandbox: Sandbox, attacks: Sequence[Attack]) -> dict[str, str]:
    """What each attack came to that was not contained; each has a container of its own."""
    found: dict[str, str] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def tried(attack: Attack) -> None:
        async with limiter:
            try:
                run = Run(*await sandbox.run(attack.code, "f", [["attack"], ["canary"]]))
                reason = failing(attack, run)
            except SandboxError as error:
                reason = f"the host lost its way: {error}"
        if reason is not None:
            found[attack.name] = reason

    async with anyio.create_task_group() as tasks:
        for attack in attacks:
            tasks.start_soon(tried, attack)
    return found


async def test_the_suite_fails_where_a_runner_is_naive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the attacks at least succeed there: the suite can tell."""
    monkeypatch.setattr("quasar.sandbox.submissions.WALLS", {"answer": "ok"})
    async with open_sandbox(CONFIG) as sandbox:
        found = await failures(sandbox, SOME)
    print(f"{len(found)} of {len(SOME)} attacks succeed")  # noqa: T201  # for who runs it with -s
    assert len(found) >= len(SOME) / 10, found
    assert len(found) < len(SOME), "a control that fails everything tells as little"


async def test_a_naive_runner_is_not_let_in() -> None:
    """The walls are tried before a stranger's code comes."""
    with pytest.raises(SandboxError, match="the wall 'network' does not stand"):
        async with open_sandbox(CONFIG):
            pass
