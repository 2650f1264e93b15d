"""The archive of a volume: a folder of static files that anyone can read, copy and check.

``manifest.json``; ``segments/``, one stored event a line, packed; ``tile/0/``, their hashes;
``checkpoint`` and ``checkpoints/<size>``, signed notes; ``blobs/``.
"""

from pathlib import Path

from quasar.errors import LogError, UsageError
from quasar.events.base import Blob
from quasar.log.archive_reader import ArchiveLog as ArchiveLog
from quasar.log.archive_writer import ArchiveWriter as ArchiveWriter
from quasar.log.blobs import FolderBlobs
from quasar.log.files import make_folder, open_regular, sync_file, sync_folder, write_atomically
from quasar.log.manifest import ArchiveIdentity as ArchiveIdentity
from quasar.log.manifest import Manifest as Manifest
from quasar.log.manifest import Segment as Segment
from quasar.log.manifest import Withheld as Withheld
from quasar.log.manifest import write_manifest
from quasar.log.tiles import write_partial_tile, write_tiles
from quasar.log.whole import is_pruned
from quasar.log.whole import refuse_unsigned as refuse_unsigned

_PIECE = 2**20


def copy_archive(source: Path, target: Path) -> ArchiveLog:
    """Copy an archive byte for byte into an empty or new folder and return the copy, verified.

    Copies the archive's own regular files and nothing else, up to the manifest's last event, also
    while a writer goes on. The manifest comes last: an interrupted copy is no archive. Raises
    UsageError for unusable folders, Damaged where lines, hashes or blobs are not what they should
    be, and LogError where the disk refuses.
    """
    archive = ArchiveLog(source)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists and is not empty; choose a new folder")
    if is_pruned(archive):
        raise UsageError(f"the events of {source} were pruned: copy the other copy of them")
    _verify(archive)
    try:
        make_folder(target)
        _copy_segments(archive, target / "segments")
        _copy_tiles(archive, target)
        _copy_checkpoints(archive, target)
        _copy_blobs(source / "blobs", target / "blobs")
        write_manifest(target, archive.manifest_bytes)
    except OSError as error:
        raise LogError(f"{source} cannot be copied to {target}: {error.strerror}") from error
    copy = ArchiveLog(target)
    _verify(copy)
    return copy


def _verify(archive: ArchiveLog) -> None:
    for _ in archive.verified():
        pass


def _copy_segments(archive: ArchiveLog, target: Path) -> None:
    make_folder(target)
    for segment in archive.manifest.segments:
        left = archive.segment_end(segment)
        with (
            open_regular(archive.folder, f"segments/{segment.name}") as packed,
            (target / segment.name).open("xb") as file,
        ):
            while piece := packed.read(min(left, _PIECE)):
                left -= file.write(piece)
            sync_file(file)
    sync_folder(target)


def _copy_tiles(archive: ArchiveLog, target: Path) -> None:
    """Made anew from the hashes: a live writer may have widened the last tile since."""
    tree = archive.tree()
    write_tiles(target, tree, 0, archive.manifest.last)
    for size in archive.checkpoint_sizes():
        write_partial_tile(target, tree, size)


def _copy_checkpoints(archive: ArchiveLog, target: Path) -> None:
    make_folder(target / "checkpoints")
    for size in archive.checkpoint_sizes():
        if note := archive.checkpoint_note(size):
            write_atomically(target / "checkpoints" / str(size), note.encode())
    if note := archive.checkpoint_note():
        write_atomically(target / "checkpoint", note.encode())


def _copy_blobs(source: Path, target: Path) -> None:
    held, copied = FolderBlobs(source, read_only=True), FolderBlobs(target)
    for name in held.names():
        length = (source / name).lstat().st_size
        copied.put(held.get(Blob(sha256=name[3:], bytes=length)))
