"""What an archive says it holds. Nothing is verified."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events.envelope import decode
from quasar.events.note import parse_checkpoint
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import is_locked
from quasar.log.log_keys import KeyShown, archive_keys, show_keys


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """An archive in numbers."""

    origin: str
    genesis: str
    events: int
    first_at: str | None
    """UTC, as the event says; None where it cannot be read."""
    last_at: str | None
    segments: int
    segment_bytes: int
    """Packed."""
    blobs: int
    blob_bytes: int
    checkpoints: int
    """Kept ones; their signatures are not checked."""
    newest_checkpoint: int | None
    """Events that it covers."""
    keys: list[KeyShown]
    """Log keys, and the sizes of checkpoints that count under each; none if they cannot be read."""
    withheld: list[str]
    being_written: bool


def describe(log: ArchiveLog) -> Description:
    """Read the manifest, the sizes of files, the first and the last line, and the log's keys."""
    packed = _sizes((log.folder / "segments").glob("*.zst"))
    blobs = _sizes((log.folder / "blobs").glob("[0-9a-f][0-9a-f]/*"))
    return Description(
        origin=log.manifest.identity.origin,
        genesis=log.manifest.genesis,
        events=log.manifest.last,
        first_at=_at(log, 1),
        last_at=_at(log, log.manifest.last),
        segments=len(log.manifest.segments),
        segment_bytes=sum(packed),
        blobs=len(blobs),
        blob_bytes=sum(blobs),
        checkpoints=len(log.checkpoint_sizes()),
        newest_checkpoint=_newest(log),
        keys=_keys(log),
        withheld=[f"{entry.what} ({entry.why})" for entry in log.manifest.withheld],
        being_written=is_locked(log.folder),
    )


def _sizes(paths: Iterable[Path]) -> list[int]:
    return [path.lstat().st_size for path in paths]


def _at(log: ArchiveLog, seq: int) -> str | None:
    try:
        _, line = next(log.lines(seq - 1))
        seconds = decode(line).at // 1_000_000_000
    except (StopIteration, Damaged, CannotJudge, msgspec.DecodeError):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _newest(log: ArchiveLog) -> int | None:
    try:
        note = log.checkpoint_note()
        return None if note is None else parse_checkpoint(note).size
    except CannotJudge:
        return None


def _keys(log: ArchiveLog) -> list[KeyShown]:
    try:
        return show_keys(archive_keys(log))
    except (Damaged, CannotJudge):
        return []
