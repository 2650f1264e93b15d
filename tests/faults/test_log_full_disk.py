"""A disk that is full, under the server's store or under the archive: the writer says so and ends.

The disk is a small tmpfs. Once there is space again, everything goes on behind what was
acknowledged. A server that met a full disk leaves half a batch, gives no answer, and stores nothing
more until it is started again: why, is in its own log.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from quasar.log.server import NatsServer
from tests.faults.log_faults import Site, judge, running, turns

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

TURNS = 2
PATIENCE_S = 3.0
"""Of a writer: a busy machine may take its time as long as there is space."""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size in a folder."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def almost_full(disk: Path, left: int = 256 * 1024) -> Iterator[None]:
    """Something else takes nearly all of it: some bytes are left."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb") as file, suppress(OSError):  # the writer may have been faster
            while shutil.disk_usage(disk).free > left:
                file.write(bytes(left // 2))
        yield
    finally:
        ballast.unlink()


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.timeout(60 + 12 * turns(TURNS))
async def test_a_full_disk_under_the_server(tmp_path: Path, killed: bool) -> None:
    """Whether the server is stopped then or killed, what it acknowledged is there afterwards."""
    with small_disk(tmp_path / "disk", "64m") as disk:
        site = Site(tmp_path, f"store {killed}")
        site.store = disk / "nats"
        for _ in range(turns(TURNS)):
            async with NatsServer.open(site.store) as server:
                with running(site, site.orders(server, patience=PATIENCE_S)) as program:
                    await program.progress()
                    with almost_full(disk):
                        assert "does not answer" in await program.end()
                        if killed:
                            server.process.kill()
                            await server.wait()
            assert "no space left on device" in (site.store / "server.log").read_text()
            async with NatsServer.open(site.store) as server:
                await judge(server, site, torn=True)


async def test_a_server_that_may_keep_no_more(tmp_path: Path) -> None:
    """A server takes no more than three quarters of what was free when it started."""
    with small_disk(tmp_path / "disk", "16m") as disk:
        site = Site(tmp_path, "limit")
        site.store = disk / "nats"
        with almost_full(disk, left=2**20):
            async with NatsServer.open(site.store) as server:
                with running(site, site.orders(server, patience=PATIENCE_S)) as program:
                    assert "does not answer" in await program.end()
        assert "resource limits exceeded" in (site.store / "server.log").read_text()
        async with NatsServer.open(site.store) as server:
            await judge(server, site, torn=True)


@pytest.mark.timeout(60 + 12 * turns(TURNS))
async def test_a_full_disk_under_the_archive(tmp_path: Path) -> None:
    """The writer says that the archive cannot be written, and why; nothing is half in it."""
    with small_disk(tmp_path / "disk", "16m") as disk:
        site = Site(tmp_path, "archive")
        site.archive = disk / "archive"
        async with NatsServer.open(site.store) as server:
            for _ in range(turns(TURNS)):
                with running(site, site.orders(server)) as program:
                    await program.progress()
                    with almost_full(disk):
                        assert "cannot be written: No space left" in await program.end()
                await judge(server, site)
