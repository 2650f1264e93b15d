"""What holds of the Docker driver alone, on a real engine."""

import json
from contextlib import suppress
from typing import Any

import aiodocker
import anyio
import pytest

from quasar.sandbox import SandboxConfig, SandboxError, find_engine, open_sandbox, probe_engine

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

ADD = "def add(a, b):\n    return a + b"
SLEEP = """
import threading, time
def f(s):
    thread = threading.Thread(target=time.sleep, args=[s])
    thread.start()
    thread.join()
    return s
"""


async def test_an_engine_is_found() -> None:
    """Here there must be one: without it these tests fail, they are not skipped."""
    probe = await probe_engine()
    assert probe.url is not None, probe.reason
    assert await find_engine() == probe.url


async def test_an_image_that_nobody_has_is_a_sandbox_error() -> None:
    """The engine's failure is an exception, never an outcome."""
    config = SandboxConfig(image="quasar-sandbox:never-built")
    with pytest.raises(SandboxError, match="never-built"):
        async with open_sandbox(config):
            pass


async def busy(docker: aiodocker.Docker, owner: str, not_this: str = "") -> Any:
    """A sandbox's container in which SLEEP runs: beside runner and case there is a thread."""
    wanted = json.dumps({"label": [f"quasar.owner={owner}"], "status": ["running"]})
    threads = {"ps_args": "-eLo pid,lwp"}
    while True:
        await anyio.sleep(0.01)  # the engine tells no earlier
        for container in await docker.containers.list(filters=wanted):
            with suppress(aiodocker.DockerError):  # it may leave between the two requests
                top = await docker._query_json(f"containers/{container.id}/top", params=threads)
                if container.id != not_this and len(top["Processes"] or []) == 3:
                    return container


async def test_a_container_removed_from_outside_is_a_sandbox_error() -> None:
    """Whoever removes it, the code did not: nobody is scored for that."""
    config = SandboxConfig(owner="removed-from-outside")
    async with open_sandbox(config) as sandbox, aiodocker.Docker(await find_engine()) as docker:

        async def remove() -> None:
            await (await busy(docker, config.owner)).delete(force=True)

        async with anyio.create_task_group() as group:
            group.start_soon(remove)
            with pytest.raises(SandboxError):
                await sandbox.run(SLEEP, "f", [[20]])
        assert (await sandbox.run(ADD, "add", [[1, 2]]))[0].output == 3


async def test_a_container_killed_from_outside_is_replaced() -> None:
    """Its case is tried once more in a fresh container, and the answer is the same."""
    config = SandboxConfig(owner="killed-from-outside")
    async with open_sandbox(config) as sandbox, aiodocker.Docker(await find_engine()) as docker:

        async def kill() -> None:
            await (await busy(docker, config.owner)).kill()

        async with anyio.create_task_group() as group:
            group.start_soon(kill)
            outcomes = await sandbox.run(SLEEP, "f", [[1], [0]])
        assert [outcome.output for outcome in outcomes] == [1, 0]


async def test_a_case_that_kills_its_container_each_time_has_crashed() -> None:
    """Whatever ends two containers at the same case is scored; the next case answers."""
    config = SandboxConfig(owner="killed-each-time")
    async with open_sandbox(config) as sandbox, aiodocker.Docker(await find_engine()) as docker:

        async def kill_twice() -> None:
            first = await busy(docker, config.owner)
            await first.kill()
            await (await busy(docker, config.owner, not_this=first.id)).kill()

        async with anyio.create_task_group() as group:
            group.start_soon(kill_twice)
            outcomes = await sandbox.run(SLEEP, "f", [[5], [0]])
        assert [outcome.status for outcome in outcomes] == ["crashed", "ok"]
