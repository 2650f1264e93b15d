"""Recorded volumes as folders on disk, for tests of commands that keep, copy and remove them."""

from functools import cache
from pathlib import Path

import anyio

from quasar.events import WeightsComputed
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from tests.builders import World
from tests.forging import few_tasks


@cache
def worlds(count: int = 4) -> tuple[World, ...]:
    """Volumes of one round in a row; the last one is open. Not to be changed."""
    made: list[World] = []
    for number in range(1, count + 1):
        world = World(policy=few_tasks(), before=made[-1] if made else None)
        anyio.run(_play, world, number, number < count)
        made.append(world)
    return tuple(made)


async def _play(world: World, number: int, closed: bool) -> None:
    await world.play_round(number)
    for row in world.events(WeightsComputed):
        await world.set_row(row.epoch)
    if closed:
        await world.close()


def identity_of(world: World) -> ArchiveIdentity:
    return ArchiveIdentity(
        log_id=world.log_id,
        volume=world.volume,
        netuid=24,
        hotkey=world.hotkey.ss58_address,
        genesis=world.genesis,
    )


def write_volume(world: World, folder: Path, *sizes: int) -> Path:
    """The world's archive, flushed and signed at these sizes and at its end."""
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        extend(writer, world, *sizes, len(world.lines))
    return folder


def extend(writer: ArchiveWriter, world: World, *sizes: int) -> None:
    """Write up to each of the sizes, and sign there."""
    for data in world.log.blobs._held.values():  # type: ignore[attr-defined]
        writer.put_blob(data)
    tree = Tree(leaf_hash(line) for line in world.lines)
    for size in sizes:
        writer.append(world.lines[writer.size : size])
        writer.flush()
        note = Checkpoint(world.origin, size, tree.root(size))
        writer.publish(sign_checkpoint(note, world.log_key), size)


def write_folder(folder: Path) -> Path:
    """All volumes of ``worlds``."""
    for world in worlds():
        write_volume(world, folder / str(world.volume))
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
