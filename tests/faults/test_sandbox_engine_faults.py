"""An engine that fails under an open sandbox: our error, never an outcome, and then it goes on."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from quasar.sandbox import Sandbox, SandboxConfig, SandboxError, open_sandbox
from tests.faults.private_engine import PrivateEngine, private_engine

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

DISK_MIB = 400
ADD = "def f(a, b): return a + b"
SLEEP = "import time\ndef f(s): time.sleep(s)"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small one, in memory."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "quasar-test", str(folder)]
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


@pytest.fixture(scope="module")
def engine(disk: Path) -> Iterator[PrivateEngine]:
    """One for all tests: each leaves it as it was."""
    with private_engine(disk) as engine:
        yield engine


@pytest.fixture
async def sandbox(engine: PrivateEngine, pool: int) -> AsyncIterator[Sandbox]:
    """Open before the fault, and after it."""
    config = SandboxConfig(driver="docker", engine=engine.url, pool=pool, timeout_s=100)
    async with open_sandbox(config) as sandbox:
        yield sandbox
    assert engine.containers() == []


async def answers(sandbox: Sandbox, times: int = 1) -> None:
    """An honest submission has its verdict, and so has the next one."""
    for _ in range(times):
        await answers_once(sandbox)


async def answers_once(sandbox: Sandbox) -> None:
    outcomes = await sandbox.run(ADD, "f", [[1, 2], ["a", "b"]])
    assert [outcome.output for outcome in outcomes] == [3, "ab"]


def works(engine: PrivateEngine) -> bool:
    """Whether a case has run for a while: its container was told to stand back."""
    found = [engine.call("GET", f"/containers/{name}/json") for name in engine.containers()]
    return any(status == 200 and it["HostConfig"]["CpuShares"] == 2 for status, it in found)


@pytest.mark.parametrize("pool", [2])
async def test_an_engine_killed_under_a_case(engine: PrivateEngine, sandbox: Sandbox) -> None:
    """The submission has no outcome; nor has the next one, until the engine is back."""

    async def fails() -> None:
        with pytest.raises(SandboxError):
            await sandbox.run(SLEEP, "f", [[0], [90]])

    async with anyio.create_task_group() as group:
        group.start_soon(fails)
        while not works(engine):  # noqa: ASYNC110  # the engine tells no earlier
            await anyio.sleep(0.02)
        engine.kill()
    with pytest.raises(SandboxError):
        await answers(sandbox)
    engine.start()
    await answers(sandbox)


@pytest.mark.parametrize("pool", [2])
async def test_cells_killed_while_they_wait(engine: PrivateEngine, sandbox: Sandbox) -> None:
    """They are replaced, and no case is run in vain."""
    while len(engine.call("GET", "/containers/json")[1]) != 2:  # noqa: ASYNC110  # as above
        await anyio.sleep(0.02)
    for name in engine.containers():
        engine.call("POST", f"/containers/{name}/kill")
    await answers(sandbox, times=3)


@pytest.mark.parametrize("pool", [2])
async def test_a_socket_that_is_gone(engine: PrivateEngine, sandbox: Sandbox) -> None:
    """What runs has its verdict, since its stream stands; what is new has none."""
    await answers(sandbox)
    engine.hide_socket()
    try:
        with pytest.raises(SandboxError):
            await answers(sandbox, times=3)  # two cells wait, and need no engine
    finally:
        engine.show_socket()
    await answers(sandbox)


@pytest.mark.parametrize("pool", [0])
async def test_an_image_deleted_under_us(engine: PrivateEngine, sandbox: Sandbox) -> None:
    """The same image is made once more; submissions notice nothing."""
    before = sandbox.identity
    engine.remove_images()
    await answers(sandbox)
    assert sandbox.identity == before


@pytest.mark.parametrize("pool", [1])
async def test_a_full_disk(engine: PrivateEngine, disk: Path, sandbox: Sandbox) -> None:
    """The engine starts nothing more; with room again it does."""
    rest = disk / "rest"
    with pytest.raises(OSError, match="No space"):
        rest.write_bytes(bytes(DISK_MIB << 20))
    try:
        with pytest.raises(SandboxError, match="space"):
            await answers(sandbox, times=3)
    finally:
        rest.unlink()
    await answers(sandbox)
