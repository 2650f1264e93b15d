"""When a volume closes: long enough, old enough, or no space left."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from quasar.errors import LogError
from quasar.events import LogClosing
from quasar.supervisor import closer
from quasar.supervisor.closer import check_disk, drained
from quasar.supervisor.setup import Identity, Setup, VolumeLimit
from tests.builders import EVERY, World
from tests.forging import few_tasks

pytestmark = pytest.mark.anyio


def setup_of(world: World, folder: Path, **more: Any) -> Setup:
    identity = Identity(hotkey=world.hotkey, log_key=world.log_key, master=b"")
    chain: Any = None
    return Setup(
        identity=identity,
        chain=chain,
        state=folder / "not" / "made" / "yet",
        archive=folder,
        policy=world.policy,
        mode="simulation",
        **more,
    )


async def closing_while(
    world: World, setup: Setup, play: Callable[[], Awaitable[None]]
) -> LogClosing | None:
    """What the closer writes while something is played; None if it writes nothing."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drained, world.log, setup)
        await play()
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    return next(iter(world.events(LogClosing)), None)


async def test_a_volume_of_enough_events(tmp_path: Path) -> None:
    """It closes once, and nothing before the limit."""
    world = World(policy=few_tasks())
    setup = setup_of(world, tmp_path, volumes=VolumeLimit(events=4, seconds=1e12))
    assert await closing_while(world, setup, world.open) is None
    closing = await closing_while(world, setup, lambda: world.block(0, metagraph=True))
    assert closing is not None
    assert closing.reason == "4 events are a volume"
    assert len(world.events(LogClosing)) == 1


async def test_an_old_volume(tmp_path: Path) -> None:
    """Its age counts from LogOpened."""
    world = World(policy=few_tasks())
    setup = setup_of(world, tmp_path, volumes=VolumeLimit(events=10**9, seconds=60.0))
    closing = await closing_while(world, setup, world.open)
    assert closing is not None
    assert closing.reason == "60 s are a volume"


async def test_a_single_volume_closes_for_space_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason says what to do; what was open before it goes on."""
    world = World(policy=few_tasks())
    setup = setup_of(world, tmp_path)
    assert await closing_while(world, setup, lambda: world.play_round(1)) is None
    monkeypatch.setattr(closer, "free_bytes", lambda _: setup.reserve_bytes - 1)
    with pytest.raises(LogError, match="in reserve"):
        check_disk(setup)
    later = await closing_while(world, setup, lambda: world.block(EVERY + 10, epoch=1))
    assert later is not None
    assert later.reason == "less than 256 MiB of disk are free"
