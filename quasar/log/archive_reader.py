"""An archive as a log that can only be read, in bounded memory, whoever made it."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import anyio.lowlevel

from quasar.errors import CannotJudge, Damaged, UsageError
from quasar.events.blobs import Blobs
from quasar.events.envelope import MAX_EVENT_BYTES, Draft
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import MAX_NOTE_CHARS
from quasar.log import Stored
from quasar.log.blobs import FolderBlobs
from quasar.log.files import is_locked, open_regular, read_regular, refuse_ours
from quasar.log.frames import BadFrame, split, unpack
from quasar.log.manifest import (
    Manifest,
    Segment,
    parse_manifest,
    read_manifest_bytes,
    segment_name,
)
from quasar.log.tiles import read_leaf_hashes

_SIZE = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_TURN = 1024
"""Events between two chances for other tasks to run."""


class ArchiveLog:
    """The archive of a volume, opened for reading; a ``quasar.log.Log`` that ends.

    Raises UsageError for a folder that is no archive; it and all that reads raise LogError where
    this process may not read a file, which is no damage. What it shows is what the manifest listed
    when it was opened, also while a writer goes on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._newest = _read_note(folder, "checkpoint")  # before the manifest, so never ahead of it
        self.manifest_bytes = read_manifest_bytes(folder)
        self.manifest: Manifest = parse_manifest(folder, self.manifest_bytes)
        self._blobs = FolderBlobs(folder / "blobs", read_only=True)

    @property
    def blobs(self) -> Blobs:
        """Blobs beside the log; ``put`` raises UsageError."""
        return self._blobs

    async def append(self, step: Sequence[Draft]) -> list[Stored]:  # noqa: ARG002
        """Raises UsageError: an archive is read only."""
        raise UsageError(f"{self.folder} is an archive, which is read only")

    async def head(self) -> int:
        """Number of the newest event, as the manifest says."""
        return self.manifest.last

    async def read(self, after: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """Events above ``after``, then the end. Raises Damaged as ``lines``."""
        for seq, line in self.lines(after):
            if seq % _TURN == 0:
                await anyio.lowlevel.checkpoint()
            yield seq, line

    def lines(self, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """Events above ``after`` with their numbers, without waiting.

        Raises Damaged with the first event that is missing, cannot be unpacked or is no line,
        after all good ones before it. A line that was exchanged for another is not seen here:
        compare with ``leaf_hashes``, or use ``verified``.
        """
        for segment in self.segments():
            if segment.last > after:
                for seq, line in self._segment_lines(segment):
                    if seq > after:
                        yield seq, line
        self._check_no_more_segments()

    def leaf_hashes(self) -> Iterator[bytes]:
        """The recorded hash of every event, in order. Raises Damaged at the first without one."""
        return read_leaf_hashes(self.folder, self.manifest.last)

    def verified(self) -> Iterator[tuple[int, bytes]]:
        """As ``lines``, each compared with its recorded hash; Damaged names the first that differs.

        The hashes themselves are proved by ``tree().root(size)`` and a signed checkpoint.
        """
        hashes = self.leaf_hashes()
        for seq, line in self.lines():
            if next(hashes) != leaf_hash(line):
                raise Damaged(seq, "the stored line differs from its hash in tile/0")
            yield seq, line

    def tree(self) -> Tree:
        """The Merkle tree over the recorded hashes, for roots and proofs. 64 bytes an event."""
        return Tree(self.leaf_hashes())

    def checkpoint_note(self, size: int | None = None) -> str | None:
        """The newest signed note, or that of a size; None where there is none. Not verified.

        Raises CannotJudge where the file is not text.
        """
        name = "checkpoint" if size is None else f"checkpoints/{size}"
        data, reason = self._newest if size is None else _read_note(self.folder, name)
        try:
            note = None if data is None else data.decode()
        except UnicodeDecodeError:
            reason = "is not UTF-8"
        if reason:
            raise CannotJudge(f"{name} of the archive {reason}; get another copy")
        return note

    def checkpoint_sizes(self) -> list[int]:
        """Sizes of all kept checkpoints over events of this archive, ascending."""
        return sorted(size for size in self._kept_sizes() if size <= self.manifest.last)

    def checkpoint_beyond(self) -> int | None:
        """Size of a kept checkpoint over more events than there are: the log was cut.

        None where there is none, and while a writer is at work.
        """
        newest = max(self._kept_sizes(), default=0)
        return newest if newest > self.manifest.last and self.is_final() else None

    def is_final(self) -> bool:
        """No writer is at work, and none was since this was opened: its manifest would be newer.

        Until then, what lies behind the manifest is work in progress and no damage.
        """
        return (
            not is_locked(self.folder) and read_manifest_bytes(self.folder) == self.manifest_bytes
        )

    def segment_end(self, segment: Segment) -> int:
        """Offset in the segment's file behind the frame with its last event. Raises Damaged."""
        seq = segment.first - 1
        with self.open_segment(segment) as file:
            for chunk in unpack(file):
                seq += chunk.data.count(b"\n")
                if seq >= segment.last and chunk.end is not None:
                    return chunk.end
        raise Damaged(seq + 1, f"segments/{segment.name} ends before it")

    def _kept_sizes(self) -> list[int]:
        folder = self.folder / "checkpoints"
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return [int(name) for name in names if _SIZE.fullmatch(name)]

    def segments(self) -> Iterator[Segment]:
        """The segments of the manifest, which must follow one another from event 1."""
        follows = 1
        for segment in self.manifest.segments:
            if segment.first != follows or segment.last < segment.first:
                raise Damaged(follows, "it is in no segment of the manifest, or in two")
            if segment.last > self.manifest.last:
                raise Damaged(self.manifest.last + 1, "it is in a segment, and not in the manifest")
            if segment.name != segment_name(segment.first):
                raise Damaged(follows, f"its segment must be {segment_name(segment.first)}")
            yield segment
            follows = segment.last + 1
        if self.manifest.first != 1 or self.manifest.last != follows - 1:
            raise Damaged(
                min(follows, self.manifest.last + 1),
                f"the manifest's segments hold events 1 to {follows - 1}, "
                f"and it says {self.manifest.first} to {self.manifest.last}",
            )

    def _segment_lines(self, segment: Segment) -> Iterator[tuple[int, bytes]]:
        seq = segment.first
        try:
            with self.open_segment(segment) as file:
                for line in split(unpack(file), MAX_EVENT_BYTES):
                    if seq > segment.last:
                        return self._check_growing(segment)
                    _check_line(seq, line)
                    yield seq, line[:-1]
                    seq += 1
        except BadFrame as error:
            if seq > segment.last:
                return self._check_growing(segment)
            raise Damaged(seq, f"segments/{segment.name}: {error}") from None
        if seq <= segment.last:
            raise Damaged(seq, f"segments/{segment.name} ends before it")
        return None

    def open_segment(self, segment: Segment) -> BinaryIO:
        """The file of a segment. Raises Damaged where it cannot be opened."""
        name = f"segments/{segment.name}"
        try:
            return open_regular(self.folder, name)
        except (FileNotFoundError, NotADirectoryError):
            raise Damaged(segment.first, f"{name} is missing") from None
        except OSError as error:
            refuse_ours(self.folder / name, error)
            raise Damaged(segment.first, f"{name} {error.strerror}") from None

    def _check_growing(self, segment: Segment) -> None:
        """What follows a segment's last event must be a live writer's work in progress."""
        if segment.last < self.manifest.last or self.is_final():
            raise Damaged(
                segment.last + 1,
                f"segments/{segment.name} goes on behind its last event in the manifest; "
                "if its writer was killed, start the validator once and it will settle this",
            )

    def _check_no_more_segments(self) -> None:
        listed = {segment.name for segment in self.manifest.segments}
        folder = self.folder / "segments"
        found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        if found - listed and self.is_final():
            name = min(found - listed)[:64]
            raise Damaged(self.manifest.last + 1, f"segments/{name} is not in the manifest")


def _read_note(folder: Path, name: str) -> tuple[bytes | None, str]:
    """The bytes of a note, None where there is none, and why it cannot be read, or nothing."""
    try:
        return read_regular(folder, name, MAX_NOTE_CHARS), ""
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except OSError as error:
        refuse_ours(folder / name, error)
        return None, error.strerror or "cannot be read"


def _check_line(seq: int, line: bytes) -> None:
    if len(line) > MAX_EVENT_BYTES + 1:
        raise Damaged(seq, f"the line is longer than {MAX_EVENT_BYTES} bytes")
    if line == b"\n":
        raise Damaged(seq, "the line is empty")
    if line[-1:] != b"\n":
        raise Damaged(seq, "the line is cut off: it lacks its newline")
