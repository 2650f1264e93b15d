"""The live store and archive as a power cut leaves them.

They stand on a file system of their own, in a loop device's image. What its kernel has sent to that
device is what survives; pages that wait in memory do not. A cut is a copy of the image at one
moment. It takes the device's word for a flush: that a disk lies about it cannot be shown here.

A disk may also have got the last bytes in part, or in another order. So the store as it was written
is copied too, and torn at random behind an acknowledged event.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quasar.draw import Draw
from quasar.log.server import NatsServer
from tests.faults.log_faults import (
    Site,
    judge,
    newest_block,
    opened,
    paused,
    records,
    running,
    turns,
)

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

TURNS = 5
TEARS = 6
LIFE_MS = 300
IMAGE_BYTES = 96 * 2**20


def new_image(path: Path) -> Path:
    """A file system in a sparse file."""
    with path.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    if (mkfs := shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")) is None:
        pytest.skip("this machine lacks mkfs.ext4: install e2fsprogs")
    subprocess.run([mkfs, "-q", "-F", "-J", "size=4", path], check=True)
    return path


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """The image's files in a folder."""
    folder.mkdir(exist_ok=True)
    mount = subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"this machine mounts no image: {mount.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def cut(image: Path, copy: Path) -> Path:
    """The image of one moment: copied until two copies are equal, so nothing came between them."""
    other = copy.with_suffix(".other")
    for _ in range(50):
        for target in (copy, other):
            subprocess.run(["cp", "--sparse=always", image, target], check=True)
        if subprocess.run(["cmp", "-s", copy, other]).returncode == 0:
            other.unlink()
            return copy
    raise AssertionError("the image never came to rest")


async def live_until_cut(site: Site, image: Path, copy: Path, *, sync_always: bool = True) -> None:
    """Write until a random moment, and copy what a power cut would leave then."""
    async with NatsServer.open(site.store, sync_always=sync_always) as server:
        with running(site, site.orders(server)) as program:
            await program.progress()
            await site.moment(LIFE_MS)
            with paused(server.process.pid, program.pid):
                noted = site.notes
                cut(image, copy)
    site.keep(noted)


@pytest.mark.timeout(60 + 12 * turns(TURNS))
async def test_a_power_cut(tmp_path: Path) -> None:
    """Again and again on one log: what was acknowledged is there, and the log goes on from it."""
    image, disk = new_image(tmp_path / "0.img"), tmp_path / "disk"
    site = Site(disk, "power", tmp_path / "notes")
    for turn in range(1, turns(TURNS) + 1):
        copy = tmp_path / f"{turn}.img"
        with mounted(image, disk):
            await live_until_cut(site, image, copy)
        image.unlink()
        image = copy
        with mounted(image, disk):
            async with NatsServer.open(site.store) as server:
                await judge(server, site, torn=True)


async def test_a_power_cut_without_fsync(tmp_path: Path) -> None:
    """Control: a server that does not sync loses what it acknowledged, and this way shows it."""
    image, disk = new_image(tmp_path / "0.img"), tmp_path / "disk"
    site = Site(disk, "control", tmp_path / "notes")
    with mounted(image, disk):
        await live_until_cut(site, image, tmp_path / "1.img", sync_always=False)
    with mounted(tmp_path / "1.img", disk):
        async with NatsServer.open(site.store) as server, opened(server) as log:
            assert await log.head() < max(max(note.held) for note in site.notes)


def tear(block: Path, end: int, draw: Draw) -> None:
    """Alter what stands behind ``end``: cut off, or zeros or garbage, from a random byte on."""
    data = block.read_bytes()
    start = end + draw.below(len(data) - end)
    rest = len(data) - start
    block.write_bytes(data[:start] + draw.choice([b"", bytes(rest), data[:rest], data[-40:]]))


@pytest.mark.timeout(60 + 12 * turns(TEARS))
async def test_a_torn_end_of_the_store(tmp_path: Path) -> None:
    """Whatever became of the bytes behind it, each acknowledged event is there."""
    site, whole = Site(tmp_path, "torn"), tmp_path / "whole"
    async with NatsServer.open(site.store) as server:
        with running(site, site.orders(server)) as program:
            await program.progress(150)
            with paused(server.process.pid):
                notes = site.notes
                shutil.copytree(site.store, whole)
    for turn in range(turns(TEARS)):
        for folder in (site.store, site.archive):  # the archive holds only what was synced before
            shutil.rmtree(folder)
        site.acknowledged.unlink()
        shutil.copytree(whole, site.store)
        site.keep(notes[: 60 + site.moments.below(90)])
        block = newest_block(site.store)
        newest = max(max(note.held) for note in site.notes)
        tear(block, records(block)[newest].end, Draw(site.seed, f"tear {turn}"))
        async with NatsServer.open(site.store) as server:
            with running(site, site.orders(server)) as program:
                await program.progress(100)
            await judge(server, site, torn=True)
