"""Checkpointer: signs what the archive holds, and stops where log and archive disagree."""

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from quasar.actors import checkpointer
from quasar.actors.checkpointer import EVERY, Checkpointer
from quasar.errors import Damaged, LogError
from quasar.events import CheckpointSigned, RunEnded
from quasar.events.envelope import decode
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import parse_checkpoint
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.memory import MemoryLog
from tests.builders import World, edited
from tests.unit.acting import acting, count, log_of, quiet, until
from tests.unit.cli_archive import identity_of

pytestmark = pytest.mark.anyio


def actor(world: World, writer: ArchiveWriter, log: MemoryLog | None = None) -> Checkpointer:
    return Checkpointer(log or world.log, writer, world.log_key, world.origin)


async def test_landmarks_are_signed_once_they_are_in_the_archive(tmp_path: Path) -> None:
    """Each CheckpointSigned quotes a root of the log, and its note is published before it."""
    world = World()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer)):
            await world.open()
            events = await until(world.log, count(CheckpointSigned, 1))
            signed = events[-1]
            assert (tmp_path / "a" / "checkpoints" / str(signed.size)).read_text() == signed.note
            assert writer.size >= signed.size
        tree = Tree(leaf_hash(line) for line in world.lines)
        assert tree.root(signed.size).hex() == signed.root
        assert parse_checkpoint(signed.note).origin == world.origin


async def test_many_quiet_events_are_signed_too(tmp_path: Path) -> None:
    """Every EVERY events at the latest; a checkpoint alone never calls for another."""
    world = World()
    await world.open()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer)):
            await quiet(world.log)
            before = len(world.events(CheckpointSigned))
            for number in range(EVERY):
                await world.append("supervisor", RunEnded(run=number + 2, reason="x"))
            await quiet(world.log)
        assert len(world.events(CheckpointSigned)) == before + 1


async def test_a_landmark_that_it_missed_is_signed(tmp_path: Path) -> None:
    """Though what came after it, while the actor was away, calls for none: a row waits for it."""
    world = World()
    await world.open()
    await world.append("supervisor", RunEnded(run=1, reason="x"))
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer)):
            events = await until(world.log, count(CheckpointSigned, 1))
            await quiet(world.log)
    assert [e.size for e in events if isinstance(e, CheckpointSigned)] == [len(events) - 1]
    assert len(world.events(CheckpointSigned)) == 1


async def test_sealing_covers_every_event(tmp_path: Path) -> None:
    """The last checkpoint is a file, not an event, so that it can cover everything."""
    world = World()
    await world.open()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        assert await actor(world, writer).seal() == len(world.lines)
        assert await actor(world, writer).seal() == len(world.lines), "again, with nothing new"
    archive = ArchiveLog(tmp_path / "a")
    assert [line for _, line in archive.lines()] == world.lines
    assert parse_checkpoint(archive.checkpoint_note() or "").size == len(world.lines)


class Mute(MemoryLog):
    """Counts its events, and gives none."""

    async def read(self, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        await anyio.sleep_forever()
        yield after, b""


async def test_sealing_waits_for_no_silent_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shielded from signals, so it has to end by itself."""
    monkeypatch.setattr(checkpointer, "SILENCE_S", 0.01)
    world = World()
    await world.open()
    world.log.__class__ = Mute
    with (
        ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer,
        pytest.raises(LogError, match="does not give"),
        anyio.fail_after(10),
    ):
        await actor(world, writer).seal()


@pytest.mark.parametrize("lost", [1, 3])
async def test_a_log_shorter_than_its_archive_is_refused(tmp_path: Path, lost: int) -> None:
    """The server lost events that were durable: nothing may be written after that."""
    world = World()
    await world.open()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        await actor(world, writer).seal()
        shorter = log_of(world.lines[:-lost], world.log.blobs)
        with pytest.raises(Damaged) as refused, anyio.fail_after(10):
            await actor(world, writer, shorter).run()
    assert refused.value.seq == len(world.lines) - lost + 1
    assert len(shorter._lines) == len(world.lines) - lost


async def test_a_log_that_differs_from_its_archive_is_refused(tmp_path: Path) -> None:
    """The same number with other bytes is another history."""
    world = World()
    await world.open()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        await actor(world, writer).seal()
        other = log_of([*world.lines[:-1], edited(world.lines[-1], number=7)], world.log.blobs)
        with pytest.raises(Damaged, match="different events"), anyio.fail_after(10):
            await actor(world, writer, other).run()


async def test_it_goes_on_after_a_kill(tmp_path: Path) -> None:
    """What the archive lacks is copied first; every checkpoint still fits the log."""
    world = World()
    await world.open()
    folder = tmp_path / "a"
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        async with acting(actor(world, writer)):
            await until(world.log, count(CheckpointSigned, 1))
    await world.block(0, metagraph=True)
    await world.append("supervisor", RunEnded(run=1, reason="x"))
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        async with acting(actor(world, writer)):
            await quiet(world.log)
        await actor(world, writer).seal()
    lines = [line for _, line in ArchiveLog(folder).lines()]
    assert lines == world.lines
    tree = Tree(leaf_hash(line) for line in lines)
    for event in [decode(line).event for line in lines]:
        if isinstance(event, CheckpointSigned):
            assert tree.root(event.size).hex() == event.root
