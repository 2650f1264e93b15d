"""One volume's archive, copied from a web server into a folder, and followed as it grows.

Parts come into a folder beside and move to their place once they are what they should be. What has
its place is not asked for again: full hash tiles, whole segments, blobs.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from quasar.events.envelope import MAX_EVENT_BYTES
from quasar.events.merkle import HASH_BYTES
from quasar.events.note import MAX_NOTE_CHARS
from quasar.log.archive_reader import ArchiveLog
from quasar.log.fetch_blobs import fetch_blobs, missing_blobs
from quasar.log.fetch_check import (
    Lines,
    check_lines,
    hashes_of,
    noted_root,
    root_of,
    starts_with,
)
from quasar.log.fetch_head import Head, NotContinued, check_goes_on, is_pruned_there, read_head
from quasar.log.fetch_mirror import Mirror, Work, move, part, read, unproved
from quasar.log.files import make_folder, sync_file, write_atomically
from quasar.log.manifest import NAME as MANIFEST
from quasar.log.manifest import Segment, write_manifest
from quasar.log.tiles import TILE_BYTES, TILE_HASHES, tile_name, tile_names
from quasar.log.whole import is_pruned

SEGMENT_BYTES = 2**31
"""More than a segment of ours ever takes; bounds what a hostile server can fill at once."""


def held(folder: Path) -> ArchiveLog | None:
    """What was fetched before."""
    return ArchiveLog(folder) if (folder / MANIFEST).exists() else None


def fetch_volume(mirror: Mirror) -> bool:
    """Copy what is new; False where there is no such volume.

    Raises NotContinued, and LogError, UsageError and TryAgain as ``Site.download``. A copy that is
    damaged there is damaged here: an audit says where. It is fetched anew the next time.
    """
    if unproved(mirror).exists():
        for folder in (mirror.folder, mirror.parts):
            shutil.rmtree(folder, ignore_errors=True)
    old = held(mirror.folder)
    if old is not None and _same(mirror, old):
        return True
    head = read_head(mirror.site, mirror.prefix)
    if head is None:
        return False
    if is_pruned_there(head) or head.manifest.last == 0:
        if old is None or is_pruned(old):
            _keep_head(mirror, head)
        return True
    if old is not None and is_pruned(old):
        old = None
    if old is not None:
        check_goes_on(old, head)
    _fetch(mirror, head, old)
    return True


def _same(mirror: Mirror, old: ArchiveLog) -> bool:
    """Whether nothing was added: the note is the one that covers all that is here."""
    note = mirror.site.get(f"{mirror.prefix}checkpoint", MAX_NOTE_CHARS)
    if note is None or is_pruned(old) or missing_blobs(mirror):
        return False
    covered = noted_root(note.decode("utf-8", "replace"), old.manifest) is not None
    return covered and note == read(mirror.folder / "checkpoint")


def _fetch(mirror: Mirror, head: Head, old: ArchiveLog | None) -> None:
    last, before = head.manifest.last, old.manifest.last if old else 0
    tiles = [name for name in tile_names(last) if not (mirror.folder / name).exists()]
    segments = [s for s in head.manifest.segments if s.last > before or _torn(mirror, s)]
    work = Work(mirror, len(tiles) + len(segments))
    work.each(tiles, lambda name: _fetch_tile(mirror, name))
    _check_tail(mirror, old)
    move(mirror, tiles)
    proved = head.root is not None and root_of(mirror.folder, last) == head.root
    if not proved and old is not None:
        _put_back(mirror, tiles)
        reason = "its events do not go on from those that were shown before"
        raise NotContinued(before, reason)
    found = work.each(segments, lambda segment: _fetch_segment(mirror, segment, before))
    fetch_blobs(mirror, work, {blob for lines in found for blob in lines.blobs})
    if not proved or not all(lines.good for lines in found):
        make_folder(mirror.parts)
        unproved(mirror).touch()
    move(mirror, [f"segments/{segment.name}" for segment in segments])
    _keep_head(mirror, head)


def _fetch_tile(mirror: Mirror, name: str) -> None:
    """A partial tile may have become a full one there, of which the first hashes count."""
    full, _, width = name.partition(".p/")
    wanted = int(width or TILE_HASHES) * HASH_BYTES
    path = part(mirror, name)
    for there in dict.fromkeys((name, full)):
        path.unlink(missing_ok=True)
        if mirror.site.download(mirror.prefix + there, path, TILE_BYTES):
            with path.open("r+b") as file:
                file.truncate(min(wanted, path.stat().st_size))
            return
    path.unlink(missing_ok=True)  # an audit names the first event without a hash


def _check_tail(mirror: Mirror, old: ArchiveLog | None) -> None:
    """The tile that was growing must begin as it did. Raises NotContinued."""
    full, width = divmod(old.manifest.last if old else 0, TILE_HASHES)
    if not width:
        return
    before = read(mirror.folder / tile_name(full, width))
    for path in mirror.parts.glob(f"{tile_name(full)}*"):
        for tile in path.iterdir() if path.is_dir() else [path]:
            if not starts_with(tile, before[: tile.stat().st_size]):
                reason = "its newest events are others than those shown before"
                raise NotContinued(full * TILE_HASHES + width, reason)


def _fetch_segment(mirror: Mirror, segment: Segment, before: int) -> Lines:
    """Its lines behind event ``before`` are new. What came broken is asked for once more."""
    name = f"segments/{segment.name}"
    path, place = part(mirror, name), mirror.folder / name
    limit = min(SEGMENT_BYTES, (segment.last - segment.first + 2) * (MAX_EVENT_BYTES + 64))
    if not path.exists() and place.exists():
        shutil.copyfile(place, path)  # it grew
    for _ in range(2):
        resumed = path.exists()
        if not mirror.site.download(mirror.prefix + name, path, limit):
            path.unlink(missing_ok=True)
            return Lines(False, 0, set())
        lines = _check_segment(mirror, segment, path, before)
        if lines.good or not resumed:
            break
        path.unlink()
    if lines.good:
        with path.open("r+b") as file:
            file.truncate(lines.end)  # more may have been added since the manifest was read
            sync_file(file)
    return lines


def _check_segment(mirror: Mirror, segment: Segment, path: Path, before: int) -> Lines:
    return check_lines(path, segment, hashes_of(mirror.folder, segment), before)


def _keep_head(mirror: Mirror, head: Head) -> None:
    """The notes, then the manifest, which names nothing that is not here."""
    make_folder(mirror.folder / "checkpoints")
    if head.note is not None:
        note = head.note.encode()
        write_atomically(mirror.folder / "checkpoints" / str(head.manifest.last), note)
        write_atomically(mirror.folder / "checkpoint", note)
    write_manifest(mirror.folder, head.data)
    for path in (mirror.folder / "checkpoints").iterdir():
        if path.name != str(head.manifest.last):
            path.unlink()  # a revoked key's notes leave the archive, and count no more


def _torn(mirror: Mirror, segment: Segment) -> bool:
    return not (mirror.folder / "segments" / segment.name).exists()


def _put_back(mirror: Mirror, names: Iterable[str]) -> None:
    """Tiles of another history must not stand beside the old one."""
    for name in names:
        (mirror.folder / name).unlink(missing_ok=True)
    shutil.rmtree(mirror.parts, ignore_errors=True)
