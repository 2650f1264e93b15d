"""Reading an archive while its writer works, ends or begins: what is new is no damage."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quasar.errors import Damaged
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.files import FolderLock
from quasar.log.tile_check import check_tile_files
from tests.unit.test_archive import IDENTITY, lines_of, note_of, write

TOTAL = 20


@pytest.fixture(name="archive")
def fixture_archive(tmp_path: Path) -> Path:
    return write(tmp_path / "archive", lines_of(TOTAL))


def go_on(folder: Path, events: int, segment_events: int) -> None:
    """A writer comes, writes and ends."""
    with ArchiveWriter.open(folder, IDENTITY, segment_events=segment_events) as writer:
        writer.append(lines_of(events, TOTAL + 1))
        writer.flush()
        writer.publish(note_of(writer.tree), writer.size)


@pytest.mark.parametrize("segment_events", [100_000, TOTAL])
def test_what_came_since_it_was_opened(archive: Path, segment_events: int) -> None:
    """More events, segments, tiles and checkpoints than when it was opened, and nobody writes."""
    log = ArchiveLog(archive)
    assert log.is_final()
    go_on(archive, 5, segment_events)
    assert [line for _, line in log.lines()] == lines_of(TOTAL)
    assert log.checkpoint_beyond() is None
    check_tile_files(log)
    assert not log.is_final()
    assert [line for _, line in ArchiveLog(archive).lines()] == lines_of(TOTAL + 5)


def test_what_was_put_behind_it_is_damage(archive: Path) -> None:
    """The same lines behind an unchanged manifest: no writer says that they are its own."""
    manifest = (archive / "manifest.json").read_bytes()
    go_on(archive, 5, 100_000)
    (archive / "manifest.json").write_bytes(manifest)
    log = ArchiveLog(archive)
    assert log.is_final()
    with pytest.raises(Damaged, match="goes on behind its last event"):
        list(log.lines())
    assert log.checkpoint_beyond() == TOTAL + 5
    with pytest.raises(Damaged, match="not in the manifest"):
        check_tile_files(log)


@contextmanager
def asking(folder: Path) -> Iterator[None]:
    """As a reader that asks whether there is a writer, for longer than it takes."""
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    leave = threading.Timer(0.01, lambda: os.close(handle))
    leave.start()
    yield
    leave.join()


def test_a_reader_does_not_keep_a_writer_out(archive: Path) -> None:
    """To ask takes a shared lock for an instant; a writer that begins then tries again."""
    with asking(archive):
        FolderLock(archive).release()
