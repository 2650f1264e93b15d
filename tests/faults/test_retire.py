"""Streams of sealed volumes leave the server; nothing that is not whole on disk ever does."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from quasar.errors import LogError
from quasar.log import retire as retire_module
from quasar.log.archive_reader import ArchiveLog
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_wire import Wire
from quasar.log.prune import prune
from quasar.log.retire import Kept, Retired, check_sealed, retire
from quasar.log.server import NatsServer
from tests.e2e.programs import processes_naming
from tests.faults.sealed_volumes import (
    HOTKEY,
    LOG_ID,
    Volumes,
    filler,
    identity_of,
    login_of,
)

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

TURNS = int(os.environ.get("QUASAR_FAULT_TURNS", "3"))


@pytest.fixture
async def server(tmp_path: Path, anyio_backend: str) -> AsyncIterator[NatsServer]:
    async with NatsServer.open(tmp_path / "nats", sync_always=False) as server:
        yield server


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path / "archive")


async def streams(server: NatsServer) -> list[int]:
    """Volumes whose streams the server has."""
    async with Wire.open(server.url, login_of(server), 20.0) as wire:
        return await retire_module._volumes(wire, LOG_ID)


async def test_all_sealed_volumes_leave(server: NatsServer, volumes: Volumes) -> None:
    """Oldest first, the newest never; asked again, nothing is left to do."""
    await volumes.play(server, 4)
    done = await volumes.retire(server, 4)
    assert [(d.volume, type(d)) for d in done] == [(1, Retired), (2, Retired), (3, Retired)]
    assert all(isinstance(d, Retired) and d.events == 22 and d.bytes > 1000 for d in done)
    assert await streams(server) == [4]
    assert await volumes.retire(server, 4) == []


async def test_other_logs_are_left_alone(server: NatsServer, volumes: Volumes) -> None:
    """A stream of another log on the same server is nobody's business."""
    await volumes.play(server, 2)
    async with Wire.open(server.url, login_of(server), 20.0) as wire:
        await wire.api("STREAM.CREATE.Q-00000000-1", {"name": "Q-00000000-1", "subjects": ["x"]})
        await volumes.retire(server, 2)
        names = (await wire.api("STREAM.NAMES", None))["streams"]
    assert names == ["Q-00000000-1", f"Q-{LOG_ID}-2"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def flip_segment(folder: Path) -> None:
    flip(next((folder / "segments").iterdir()))


def flip_hash(folder: Path) -> None:
    flip(next((folder / "tile" / "0").rglob("22")))


def flip_seal(folder: Path) -> None:
    flip(folder / "checkpoints" / "22")


def lose_seal(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoints")


def lose_segment(folder: Path) -> None:
    shutil.rmtree(folder / "segments")


def lose_all(folder: Path) -> None:
    shutil.rmtree(folder)


def leave_open(folder: Path) -> None:
    shutil.rmtree(folder)
    Volumes(folder.parent).write(1, closed=False)


def of_another(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.parent / "2", folder)


def shorter(folder: Path) -> None:
    shutil.rmtree(folder)
    Volumes(folder.parent).write(1, 19)


HARMS: dict[Callable[[Path], None], str] = {
    flip_segment: "event",
    flip_hash: "event",
    flip_seal: "verif",
    lose_seal: "not sealed",
    lose_segment: "event 1",
    lose_all: "not a folder",
    leave_open: "not sealed",
    of_another: "is the archive of",
    shorter: "another seal",
}


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
async def test_what_is_not_whole_stays(
    server: NatsServer, volumes: Volumes, harm: Callable[[Path], None]
) -> None:
    """The stream is the only whole copy then: it is kept, the reason is told, others leave."""
    await volumes.play(server, 3)
    harm(volumes.at(1))
    first, second = await volumes.retire(server, 3)
    assert isinstance(first, Kept)
    assert HARMS[harm] in first.reason
    assert isinstance(second, Retired)
    assert await streams(server) == [1, 3]


async def test_the_next_volume_must_be_open(server: NatsServer, volumes: Volumes) -> None:
    """Without its LogOpened on the server the sealed volume is still needed to go on."""
    await volumes.store(server, 1, volumes.write(1))
    for _ in ("no stream", "an empty one"):
        assert await volumes.retire(server, 2) == [Kept(1, "volume 2 is not open yet")]
        await volumes.store(server, 2, [])
    assert await streams(server) == [1, 2]


async def test_another_next_volume(server: NatsServer, volumes: Volumes) -> None:
    """One that goes on from another seal, or from none, is no successor."""
    await volumes.play(server, 2)
    async with Wire.open(server.url, login_of(server), 20.0) as wire:
        await wire.api(f"STREAM.DELETE.Q-{LOG_ID}-2", None)
    alone = Volumes(volumes.folder.parent / "alone")
    await volumes.store(server, 2, alone.write(2))
    assert await volumes.retire(server, 2) == [Kept(1, "volume 2 is not open yet")]


@pytest.mark.parametrize("more", [True, False], ids=["more", "other"])
async def test_the_server_holds_what_the_archive_lacks(
    server: NatsServer, volumes: Volumes, more: bool
) -> None:
    """An event after the seal, or another one in its last place."""
    lines = volumes.write(1)
    extra = filler(30)[-1]
    await volumes.store(server, 1, [*lines, extra] if more else [*lines[:-1], extra])
    await volumes.store(server, 2, volumes.write(2))
    (kept,) = await volumes.retire(server, 2)
    assert isinstance(kept, Kept)
    assert kept.reason.startswith("event 23: the server holds 23" if more else "event 22: the")
    assert await streams(server) == [1, 2]


async def test_a_pruned_volume_leaves(server: NatsServer, volumes: Volumes) -> None:
    """Prune compared all of it with a second copy; the stream must not outlive that."""
    await volumes.play(server, 4)
    prune(ArchiveLog(volumes.at(1)))
    prune(ArchiveLog(volumes.at(2)))
    assert [type(d) for d in await volumes.retire(server, 4)] == [Retired] * 3


async def test_a_check_that_ends_at_once_keeps_the_stream(
    server: NatsServer, volumes: Volumes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed for want of memory, say: no answer is no consent."""
    await volumes.play(server, 2)
    monkeypatch.setattr(retire_module, "_PROGRAM", "import os; os._exit(9)")
    (kept,) = await volumes.retire(server, 2)
    assert isinstance(kept, Kept)
    assert "ended with 9" in kept.reason
    assert await streams(server) == [1, 2]


async def test_a_stopped_check_leaves_no_process(volumes: Volumes) -> None:
    """Cancelled in the middle, as when the validator is told to stop."""
    volumes.write(1, 20_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(check_sealed, volumes.at(1), HOTKEY.ss58_address)
        while not processes_naming(str(volumes.at(1))):
            await checkpoint()
        tasks.cancel_scope.cancel()
    assert not processes_naming(str(volumes.at(1)))


async def test_an_actor_may_not_retire(server: NatsServer, volumes: Volumes) -> None:
    """Only the admin's user may delete a stream; the server itself refuses the others."""
    await volumes.play(server, 2)
    with pytest.raises(LogError, match="give this user that permission"):
        async for _ in retire(server.url, server.login("scorer"), identity_of(2), volumes.at):
            pass
    assert await streams(server) == [1, 2]


async def test_stopped_at_any_moment(server: NatsServer, volumes: Volumes) -> None:
    """Whatever was done when it ended, the next call does the rest, and the oldest go first."""
    await volumes.play(server, 5)
    left, patience = [1, 2, 3, 4, 5], 0.0
    while left != [5]:
        with anyio.move_on_after(patience):
            await volumes.retire(server, 5)
        left, patience = await streams(server), patience + 0.1
        assert left == list(range(left[0], 6))
    assert await volumes.retire(server, 5) == []


@pytest.mark.parametrize("turn", range(TURNS))
async def test_a_server_killed_while_it_deletes(
    tmp_path: Path, volumes: Volumes, turn: int, anyio_backend: str
) -> None:
    """The stream is there or gone, never half; the newest one is whole, and the rest is done."""
    async with NatsServer.open(tmp_path / "nats", sync_always=False) as server:
        await volumes.play(server, 2, 8_000)
        async with Wire.open(server.url, login_of(server), 20.0) as wire:
            with anyio.move_on_after(turn * 0.0004), suppress(LogError):
                await wire.api(f"STREAM.DELETE.Q-{LOG_ID}-1", None)
            os.kill(server.process.pid, signal.SIGKILL)
            await server.wait()
    async with NatsServer.open(tmp_path / "nats", sync_always=False) as server:
        left = await streams(server)
        assert left in ([1, 2], [2])
        done = await volumes.retire(server, 2)
        assert [type(d) for d in done] == [Retired] * (len(left) - 1)
        login = login_of(server)
        async with JetStreamLog.open(server.url, LOG_ID, 2, MemoryBlobs(), login=login) as log:
            assert await log.head() == len(volumes.lines[2])
    assert [path.name for path in (tmp_path / "nats").rglob("Q-*")] == [f"Q-{LOG_ID}-2"]
