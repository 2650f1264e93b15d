"""An audit in portions, as its log grows: the same verdict, a round at a time."""

from pathlib import Path

import anyio
import msgspec
import pytest

from quasar.events import BlockObserved as Block
from quasar.events.envelope import Draft, decode, encode
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.log.archive import ArchiveWriter
from quasar.log.archive_reader import ArchiveLog
from quasar.replay import follow
from quasar.replay.audit import audit
from quasar.replay.finding import Report
from quasar.replay.follow import GrowingAudit
from tests.builders import World
from tests.forging import played
from tests.unit.volume_folder import extend, identity_of, worlds, write_volume


def place(world: World, text: bytes) -> int:
    """Number of the first event that holds the text."""
    return next(seq for seq, line in enumerate(world.lines, 1) if text in line)


def grown(folder: Path, world: World, size: int) -> ArchiveLog:
    """The world's archive up to this size, signed there."""
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        extend(writer, world, size)
    return ArchiveLog(folder)


def whole(log: ArchiveLog) -> Report:
    """What an audit at once says."""
    return anyio.run(audit, log)


def test_portions_give_the_same_report(tmp_path: Path) -> None:
    """However the log was cut; each round is told once, when it is scored."""
    world, rounds = played(), list[int]()
    size, growing = len(world.lines), None
    for end in (*range(7, size, 31), size):
        log = grown(tmp_path / "log", world, end)
        growing = growing or GrowingAudit(log)
        rounds += [found.round for found in anyio.run(growing.grow, log)]
        assert not growing.found()
    assert growing is not None
    assert rounds == [1, 2, 3]
    assert anyio.run(growing.report) == whole(log)


def test_a_round_waits_for_its_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not judged before, unless it takes too long; then it is pending."""
    world = worlds()[0]
    tasks, revealed = place(world, b'{"key":"task.1.0"'), place(world, b'{"key":"revealed.1"')
    beacon = decode(world.lines[tasks - 1]).cause
    log = grown(tmp_path / "log", world, revealed - 1)
    waiting, impatient = GrowingAudit(log), GrowingAudit(log)
    assert anyio.run(waiting.grow, log) == []
    assert waiting.done == beacon - 1 < tasks
    monkeypatch.setattr(follow, "PATIENCE_MS", -1)
    anyio.run(impatient.grow, log)
    report = anyio.run(impatient.report)
    assert (report.events, report.pending.newest) == (revealed - 1, 1)
    assert report == whole(log)


def test_a_secret_that_is_held_back_is_named(tmp_path: Path) -> None:
    """An hour after its round was sealed, and not only at the end."""
    world = played()
    sealed = place(world, b'{"key":"sealed.1"')
    newest = [e for line in world.lines[:sealed] if isinstance(e := decode(line).event, Block)][-1]
    lines = world.lines[:sealed]
    log = GrowingAudit(archive(tmp_path / "before", world, lines))
    for n, minutes in enumerate((1, 30, 62, 75), 1):
        number, ms = newest.number + n, newest.timestamp_ms + minutes * 60_000
        block = msgspec.structs.replace(
            newest, number=number, head=number, timestamp_ms=ms, hash=World.block_hash(number)
        )
        draft = Draft(actor="chain-observer", cause=0, event=block)
        lines.append(encode(draft, ms * 1_000_000))
        anyio.run(log.grow, archive(tmp_path / str(minutes), world, lines))
        named = [found for found in log.found() if "its secret is held back" in found.reason]
        assert bool(named) == (minutes == 75), log.found()


def archive(folder: Path, world: World, lines: list[bytes]) -> ArchiveLog:
    """Other lines than the world's, signed by it."""
    tree = Tree(leaf_hash(line) for line in lines)
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        for data in world.log.blobs._held.values():  # type: ignore[attr-defined]
            writer.put_blob(data)
        writer.append(lines)
        writer.flush()
        note = Checkpoint(world.origin, tree.size, tree.root())
        writer.publish(sign_checkpoint(note, world.log_key), tree.size)
    return ArchiveLog(folder)


def test_the_end_of_a_volume_is_seen(tmp_path: Path) -> None:
    """Only once all of it was judged; what it hands on is known then."""
    world = worlds()[0]
    log = grown(tmp_path / "log", world, len(world.lines) - 1)
    growing = GrowingAudit(log)
    anyio.run(growing.grow, log)
    assert not growing.closed
    anyio.run(growing.grow, grown(tmp_path / "log", world, len(world.lines)))
    assert growing.closed
    assert growing.sealed() is not None


def test_damage_is_found_where_it_is(tmp_path: Path) -> None:
    """In a portion that comes later too."""
    world = played()
    log = grown(tmp_path / "log", world, 40)
    growing = GrowingAudit(log)
    anyio.run(growing.grow, log)
    other = write_volume(world, tmp_path / "other")
    tile = next(path for path in (other / "tile").rglob("*") if path.is_file())
    data = bytearray(tile.read_bytes())
    data[32 * 60] ^= 1
    tile.write_bytes(data)
    anyio.run(growing.grow, ArchiveLog(other))
    assert [(f.seq, f.level) for f in growing.found()] == [(61, "structure")]
