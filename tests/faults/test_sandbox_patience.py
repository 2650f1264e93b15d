"""Ten submissions that hang, and an honest one that must not wait for them."""

import json
import time
from contextlib import suppress
from typing import Any

import aiodocker
import anyio
import pytest
from msgspec.structs import replace

from quasar.sandbox import find_engine, open_sandbox
from tests.faults.sandbox_attacks import attack_named
from tests.faults.sandbox_targets import SMALL

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

HONEST = "def f(n):\n    return sum(i * i for i in range(n))"
CONFIG = replace(SMALL, driver="docker", timeout_s=1.5, owner=f"{SMALL.owner}-patience")
TRIES = 10


async def containers() -> list[dict[str, Any]]:
    """What the engine says about each container of this test that it has."""
    async with aiodocker.Docker(await find_engine()) as docker:
        wanted = json.dumps({"label": [f"quasar.owner={CONFIG.owner}"]})
        found = []
        for container in await docker.containers.list(all="true", filters=wanted):
            with suppress(aiodocker.DockerError):  # it may leave between the two requests
                found.append(await container.show())
        return found


async def test_an_honest_submission_does_not_wait_for_ten_hostile_ones() -> None:
    """While ten submissions hang, an eleventh takes at most twice the time that it takes alone."""
    hanging = [attack_named(name).code for name in ("endless loop", "sleep")] * 5

    async def timed() -> float:
        start = time.perf_counter()
        outcomes = await sandbox.run(HONEST, "f", [[10], [100], [1000]])
        assert [outcome.output for outcome in outcomes] == [285, 328350, 332833500]
        return time.perf_counter() - start

    async with open_sandbox(CONFIG) as sandbox:
        alone = sorted([await timed() for _ in range(3)])[1]
        async with anyio.create_task_group() as group:
            for code in hanging:
                group.start_soon(sandbox.run, code, "f", [["attack"]] * 3)
            shares: list[int] = []
            while shares != [2] * 10:  # the engine tells no earlier that they stand back
                await anyio.sleep(0.01)
                shares = [c["HostConfig"]["CpuShares"] for c in await containers()]
            among = float("inf")
            for _ in range(TRIES):  # others use this machine too, some just at that moment
                among = min(among, await timed())
                if among <= 2 * alone:
                    break
            group.cancel_scope.cancel()
        assert await containers() == [], "a cancelled call removes its container"
    assert among <= 2 * alone, f"{among:.3f} s among ten, {alone:.3f} s alone"
