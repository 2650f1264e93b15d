"""What a killed validator leaves in the engine, and whose containers a sandbox never touches."""

import asyncio  # noqa: TID251  # its way to cancel a task is what is tried here
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import aiodocker
import anyio
import pytest

from quasar.sandbox import NO_POLICY, SandboxConfig, engine, find_engine, open_sandbox, reaper
from quasar.sandbox.docker import open_docker
from quasar.sandbox.reaper import this_process
from quasar.sandbox.submissions import _request

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

LOG, OTHER = f"leftovers-{os.getpid()}", f"leftovers-other-{os.getpid()}"
SLEEP = "import time\ndef f(): time.sleep(1e6)"
PROGRAM = """
import sys, anyio
from quasar.sandbox import SandboxConfig, open_sandbox
from quasar.sandbox.reaper import this_process

async def main():
    config = SandboxConfig(driver="docker", owner=sys.argv[1], pool=2, timeout_s=60)
    async with open_sandbox(config) as sandbox, anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(sandbox.run, sys.argv[2], "f", [[]])
        print(this_process(), flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@contextmanager
def validator(owner: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A program that runs two endless cases, and the label of its process; killed at the end."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, owner, SLEEP], stdout=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        yield program, program.stdout.readline().strip()
    finally:
        program.kill()
        program.communicate()


@pytest.fixture
async def docker() -> AsyncIterator[aiodocker.Docker]:
    """A client, and nothing under these owners before and after."""
    async with aiodocker.Docker(await find_engine()) as client:
        await remove_all(client)
        yield client
        await remove_all(client)


async def remove_all(docker: aiodocker.Docker) -> None:
    for owner in (LOG, OTHER):
        while found := await containers(docker, owner):
            for container in found:
                with suppress(aiodocker.DockerError):  # it may be on its way out
                    await container.delete(force=True)


async def containers(docker: aiodocker.Docker, owner: str) -> list[Any]:
    wanted = json.dumps({"label": [f"quasar.owner={owner}"]})
    return list(await docker.containers.list(all="true", filters=wanted))


async def at_work(docker: aiodocker.Docker, owner: str, count: int, running: int) -> set[str]:
    """Containers in which a case has run for a while, once so many run in all."""
    while True:  # the engine tells no earlier
        found = [c for c in await containers(docker, owner) if c["State"] == "running"]
        facts = []
        with suppress(aiodocker.DockerError):  # it may leave between the two requests
            facts = [await container.show() for container in found]
        working = {fact["Id"] for fact in facts if fact["HostConfig"]["CpuShares"] == 2}
        if len(working) == count and len(found) == running:
            return working


async def bystander(docker: aiodocker.Docker, image: str, owner: str, process: str) -> str:
    """A container that somebody made and has not started yet."""
    labels = {"quasar.owner": owner, "quasar.process": process}
    made = await docker.containers.create({"Image": image, "Cmd": ["x"], "Labels": labels})
    return str(made.id)


async def ids(docker: aiodocker.Docker, *owners: str) -> set[str]:
    return {c.id for owner in owners for c in await containers(docker, owner)}


async def open_and_close() -> None:
    async with open_sandbox(SandboxConfig(driver="docker", owner=LOG, pool=0)):
        pass


async def test_kill_9_leaves_nothing_after_the_next_start(docker: aiodocker.Docker) -> None:
    """Waiting cells leave by themselves; the next start removes all, and nobody else's."""
    config = SandboxConfig(driver="docker", owner=OTHER, pool=0)
    with validator(LOG) as (program, process):
        working = await at_work(docker, LOG, 2, running=4)
        program.kill()
        program.wait()
    while {c.id for c in await containers(docker, LOG) if c["State"] == "running"} != working:
        pass  # who waited for code leaves; whose case runs goes on
    left = await ids(docker, LOG)
    assert len(left) >= 4
    image = (await docker.containers.get(working.pop()))["Image"]
    async with open_sandbox(config) as other, anyio.create_task_group() as group:
        group.start_soon(other.run, SLEEP, "f", [[]])
        others = await at_work(docker, OTHER, 1, running=1)
        there, namespace, pid, start = process.split("/")
        for owner, label in (
            (OTHER, process),
            (LOG, this_process()),  # it lives
            (LOG, f"another-machine/{namespace}/{pid}/{start}"),
            (LOG, f"{there}/another-container/{pid}/{start}"),
            (LOG, ""),
        ):
            others.add(await bystander(docker, image, owner, label))
        await open_and_close()
        after = await ids(docker, LOG, OTHER)
        group.cancel_scope.cancel()
    assert not left & after
    assert others <= after


@pytest.mark.parametrize("pool", [0, 1])
async def test_a_cancelled_call_leaves_nothing(docker: aiodocker.Docker, pool: int) -> None:
    """Not even a container that the engine was about to make."""
    config = SandboxConfig(driver="docker", owner=LOG, pool=pool)
    async with open_sandbox(config) as sandbox:
        for delay in range(6):
            with anyio.move_on_after(delay / 1000):
                await sandbox.run(SLEEP, "f", [[]])
            with suppress(TimeoutError):  # which cancels the task, past all scopes of anyio
                await asyncio.wait_for(sandbox.run(SLEEP, "f", [[]]), delay / 200)
        with anyio.fail_after(60):
            while len(await containers(docker, LOG)) != pool:
                assert pool  # only then it may still be on its way out


async def test_a_result_that_nobody_takes_keeps_no_container(
    docker: aiodocker.Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine removes none whose output is stuck, so its removal takes what is on its way."""
    monkeypatch.setattr("quasar.sandbox.container.call", lambda what, _=0: engine.call(what, 8))
    size = 24 << 20
    config = SandboxConfig(driver="docker", owner=LOG, output_bytes=size + 2, memory_mib=256)
    async with open_docker(config) as driver:
        cell = driver.cell()
        await cell.start()
        await cell.send(_request("def f(n): return 'x' * n", "f", [size], NO_POLICY))
        await cell.receive("started")
        await stands_still(docker.containers.container(cell.name))
        await cell.remove()
        assert not await containers(docker, LOG)


async def stands_still(running: Any) -> None:
    """Until it used no processor for a second: it waits for somebody to read."""
    while True:
        (seen,) = await running.stats(stream=False)
        used = [seen[when]["cpu_usage"]["total_usage"] for when in ("precpu_stats", "cpu_stats")]
        if used[0] == used[1]:
            return


async def test_what_ended_long_ago_goes_whoever_made_it(
    docker: aiodocker.Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart of the machine nobody can know the process; the log's id is enough then."""
    monkeypatch.setattr(reaper, "FORGOTTEN_S", -3600)
    async with open_sandbox(SandboxConfig(driver="docker", owner=OTHER, pool=0)) as sandbox:
        image = sandbox.identity.image
    old = await bystander(docker, image, LOG, "an/earlier/boot/0")
    other = await bystander(docker, image, OTHER, "an/earlier/boot/0")
    await open_and_close()
    assert await ids(docker, LOG, OTHER) == {other}
    assert old != other
