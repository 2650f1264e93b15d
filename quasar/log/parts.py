"""Which files make up a volume's archive: those and no others are copied, served or removed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from quasar.log.archive_reader import ArchiveLog
from quasar.log.blobs import FolderBlobs
from quasar.log.manifest import NAME as MANIFEST

_TILE = re.compile(r"tile/0/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?", re.ASCII)


def kept_parts(log: ArchiveLog) -> Iterator[str]:
    """What stays of a pruned volume: the manifest and every signed note."""
    yield MANIFEST
    if (log.folder / "checkpoint").exists():
        yield "checkpoint"
    yield from (f"checkpoints/{size}" for size in log.checkpoint_sizes())


def event_parts(log: ArchiveLog) -> Iterator[str]:
    """Segments, hash tiles and blobs that are there, as relative names."""
    for segment in log.manifest.segments:
        if (log.folder / "segments" / segment.name).exists():
            yield f"segments/{segment.name}"
    yield from (name for name in files_in(log.folder, "tile") if _TILE.fullmatch(name))
    yield from (f"blobs/{n}" for n in FolderBlobs(log.folder / "blobs", read_only=True).names())


def files_in(root: Path, folder: str) -> Iterator[str]:
    """Everything in ``root/folder`` that is no folder, as names relative to ``root``, sorted.

    Links are named and not followed.
    """
    for at, folders, names in os.walk(root / folder):
        folders.sort()
        links = [name for name in folders if Path(at, name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(at, name).relative_to(root).as_posix()
