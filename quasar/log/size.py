"""How much room the archive of a volume takes, part by part."""

import stat
from collections.abc import Iterator

import msgspec

from quasar.log.archive_reader import ArchiveLog
from quasar.log.manifest import NAME as MANIFEST
from quasar.log.parts import files_in

PARTS = ("segments", "tile", "blobs", "checkpoints")


class PartSize(msgspec.Struct, kw_only=True):
    """Files of one kind."""

    files: int = 0
    bytes: int = 0
    disk: int = 0
    """Bytes with the rest of each file's last block, as the file system counts them."""

    def add(self, other: "PartSize") -> None:
        """Count the other's files too."""
        self.files += other.files
        self.bytes += other.bytes
        self.disk += other.disk


def part_sizes(log: ArchiveLog) -> dict[str, PartSize]:
    """Sizes of segments, hash tiles, blobs, checkpoints, and the manifest."""
    found = {part: PartSize() for part in (*PARTS, "manifest")}
    for part, name in _files(log):
        try:
            status = (log.folder / name).lstat()
        except FileNotFoundError:  # a live writer replaces partial tiles
            continue
        if stat.S_ISREG(status.st_mode):
            found[part].add(PartSize(files=1, bytes=status.st_size, disk=status.st_blocks * 512))
    return found


def _files(log: ArchiveLog) -> Iterator[tuple[str, str]]:
    yield "manifest", MANIFEST
    yield "checkpoints", "checkpoint"
    for part in PARTS:
        yield from ((part, name) for name in files_in(log.folder, part))
