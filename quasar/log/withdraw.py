"""Takes signed notes out of an archive that count no more, since their key was revoked."""

from pathlib import Path

from quasar.events.note import LogKeys, parse_checkpoint
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import sync_folder, write_atomically


def withdraw_notes(folder: Path, keys: LogKeys) -> int:
    """Remove the kept checkpoints over sizes that no key may sign; returns how many.

    The newest one that still counts becomes ``checkpoint``. To be called by the archive's only
    writer, before the event that revokes the key is copied there: so a reader sees the archive
    before the revocation, or what of it is still signed. A crash at any step is mended by the next
    call. Raises OSError where the disk refuses.
    """
    log = ArchiveLog(folder)
    sizes = log.checkpoint_sizes()
    gone = [size for size in sizes if not _counts(keys, size)]
    newest = log.checkpoint_note()
    if newest is not None and not _counts(keys, parse_checkpoint(newest).size):
        _put_back(log, [size for size in sizes if size not in gone])
    for size in gone:
        (folder / "checkpoints" / str(size)).unlink()
    if gone:
        sync_folder(folder / "checkpoints")
    return len(gone)


def _put_back(log: ArchiveLog, good: list[int]) -> None:
    """An older note is the newest again; without one, none is."""
    note = log.checkpoint_note(good[-1]) if good else None
    if note is not None:
        write_atomically(log.folder / "checkpoint", note.encode())
    else:
        (log.folder / "checkpoint").unlink()
        sync_folder(log.folder)


def _counts(keys: LogKeys, size: int) -> bool:
    return any(key.covers(size) for key in keys.ranges)
