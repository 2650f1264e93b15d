"""Writes the archive of a volume so that a crash at any moment leaves a prefix of the log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from quasar.errors import CannotJudge, LogError, UsageError
from quasar.events.base import Blob
from quasar.events.envelope import MAX_EVENT_BYTES
from quasar.events.merkle import leaf_hash
from quasar.events.note import parse_checkpoint
from quasar.log.archive_recovery import prepare, recover
from quasar.log.blobs import FolderBlobs
from quasar.log.files import FolderLock, make_folder, sync_file, sync_folder, write_atomically
from quasar.log.frames import batches, pack
from quasar.log.manifest import (
    ArchiveIdentity,
    Withheld,
    new_manifest,
    segment_name,
    write_manifest,
)
from quasar.log.tiles import write_partial_tile, write_tiles

SEGMENT_EVENTS = 100_000


class ArchiveWriter:
    """The only writer of an archive. ``append`` collects lines, ``flush`` makes them durable.

    Closing drops what was not flushed, as a crash would. After LogError it refuses all work until
    it is opened anew, since nobody knows then what the disk holds.
    """

    def __init__(
        self, folder: Path, identity: ArchiveIdentity, lock: FolderLock, segment_events: int
    ) -> None:
        """Use ``open``."""
        self.folder = folder
        self.identity = identity
        self.blobs = FolderBlobs(folder / "blobs")
        self._lock = lock
        self._segment_events = segment_events
        self._pending: list[bytes] = []
        self._failure = ""
        self._resume()

    @classmethod
    def open(
        cls, folder: Path, identity: ArchiveIdentity, *, segment_events: int = SEGMENT_EVENTS
    ) -> Self:
        """Create an archive, or go on with one: a torn end is cut off, the rest is verified.

        ``segment_events`` belongs to the format; tests make it small.
        Raises TryAgain while another process writes it, UsageError where the folder is something
        else or another log's, Damaged where durable events were lost or altered, and LogError
        where the disk refuses.
        """
        try:
            make_folder(folder)
            lock = FolderLock(folder)
        except OSError as error:
            raise LogError(f"{folder} cannot be an archive: {error.strerror}") from error
        try:
            return cls(folder, identity, lock, segment_events)
        except OSError as error:
            lock.release()
            raise LogError(f"{folder} cannot be opened: {error.strerror}") from error
        except BaseException:
            lock.release()
            raise

    def _resume(self) -> None:
        prepare(self.folder, self.identity)
        self.tree, listed, self._withheld = recover(
            self.folder, self.identity, self._segment_events
        )
        if self.size > listed:
            self._publish_lines(listed)

    @property
    def size(self) -> int:
        """Number of durable events."""
        return self.tree.size

    @property
    def pending(self) -> int:
        """Number of lines that the next ``flush`` makes durable."""
        return len(self._pending)

    def append(self, lines: Sequence[bytes]) -> None:
        """Take the log's next stored lines, without newlines. Raises UsageError for no line."""
        self._check_usable()
        for seq, line in enumerate(lines, self.size + self.pending + 1):
            if not 0 < len(line) <= MAX_EVENT_BYTES or b"\n" in line:
                raise UsageError(
                    f"event {seq} cannot be stored: it must be one line of 1 to "
                    f"{MAX_EVENT_BYTES} bytes, and is {len(line)} bytes"
                )
        self._pending += lines

    def flush(self) -> int:
        """Make the collected lines durable and return ``size``. Raises LogError, see above."""
        self._check_usable()
        old = self.size
        try:
            while self._pending:
                self._flush_segment()
            if self.size > old:
                self._publish_lines(old)
        except OSError as error:
            self._failure = error.strerror or str(error)
            self._check_usable()
        return self.size

    def publish(self, note: str, size: int) -> None:
        """Keep a signed checkpoint, as the newest one unless there is one over more events.

        Raises UsageError unless it is a checkpoint of this log over ``size`` durable events.
        """
        self._check_usable()
        self._check_checkpoint(note, size)
        try:
            write_partial_tile(self.folder, self.tree, size)
            make_folder(self.folder / "checkpoints")
            write_atomically(self.folder / "checkpoints" / str(size), note.encode())
            if size >= self._published():
                write_atomically(self.folder / "checkpoint", note.encode())
        except OSError as error:
            self._failure = error.strerror or str(error)
            self._check_usable()

    def put_blob(self, data: bytes) -> Blob:
        """Store a blob durably. Raises as ``FolderBlobs.put``."""
        self._check_usable()
        return self.blobs.put(data)

    def withhold(self, what: str, why: str) -> None:
        """Say in the manifest what events name and the archive leaves out."""
        self._check_usable()
        entry = Withheld(what=what, why=why)
        if entry not in self._withheld:
            self._withheld.append(entry)
            self._write_manifest()

    def close(self) -> None:
        """Let another writer in."""
        self._failure = self._failure or "it was closed"
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush_segment(self) -> None:
        """Append to the newest segment what has a place in it, a frame at a time."""
        first = self.size // self._segment_events * self._segment_events + 1
        room = first + self._segment_events - 1 - self.size
        lines, self._pending = self._pending[:room], self._pending[room:]
        path = self.folder / "segments" / segment_name(first)
        with path.open("ab") as file:
            for batch in batches(lines):
                file.write(pack(batch))
            sync_file(file)
        if self.size + 1 == first:
            sync_folder(path.parent)
        self.tree.extend(map(leaf_hash, lines))

    def _publish_lines(self, old: int) -> None:
        """Tiles, then the manifest: it never lists an event whose line or hash may be lost."""
        write_tiles(self.folder, self.tree, old, self.size)
        self._write_manifest()

    def _write_manifest(self) -> None:
        data = new_manifest(self.identity, self.size, self._segment_events, self._withheld)
        write_manifest(self.folder, data)

    def _check_checkpoint(self, note: str, size: int) -> None:
        try:
            checkpoint = parse_checkpoint(note)
        except CannotJudge as error:
            raise UsageError(f"this is not a checkpoint: {error}") from None
        if size > self.size:
            raise UsageError(f"a checkpoint over {size} events: only {self.size} are durable")
        if checkpoint != (self.identity.origin, size, self.tree.root(size)):
            raise UsageError(f"this note is not a checkpoint over the first {size} events here")

    def _published(self) -> int:
        try:
            return parse_checkpoint((self.folder / "checkpoint").read_text("utf-8")).size
        except FileNotFoundError:
            return 0

    def _check_usable(self) -> None:
        if self._failure:
            raise LogError(
                f"the archive {self.folder} cannot be written: {self._failure}; "
                "mend the cause and open it again"
            )
