"""Blob stores: a folder of files named by their hash, and a dictionary."""

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from quasar.errors import CannotJudge, Damaged, LogError, UsageError
from quasar.events.base import Blob
from quasar.events.blobs import name_blob
from quasar.log.files import (
    make_folder,
    open_regular,
    read_regular,
    refuse_ours,
    sync_folder,
    write_atomically,
)

MAX_BLOB_BYTES = 64 * 2**20
"""More than the longest context takes; bounds what a hostile archive can make a reader hold."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"[0-9a-f]{2}")


class FolderBlobs:
    """Blobs as files ``<first 2 hex>/<sha256>``. A file has its name only when it is whole."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only

    def get(self, blob: Blob) -> bytes:
        """The bytes. Raises CannotJudge where they are missing, Damaged where they differ.

        LogError where this process may not read them.
        """
        name = f"{self.path.name}/{_relative(blob)}"
        try:
            with open_regular(self.path.parent, name) as file:
                data = file.read(min(blob.bytes, MAX_BLOB_BYTES) + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(blob) from None
        except OSError as error:
            refuse_ours(self.path.parent / name, error)
            raise Damaged(0, f"blob {blob.sha256} {error.strerror}") from None
        return _checked(blob, data)

    def put(self, data: bytes) -> Blob:
        """Store durably; storing the same bytes again changes nothing.

        Raises UsageError for a blob that is too long and LogError where the disk refuses.
        """
        blob = _named(data)
        if self._read_only:
            raise UsageError(f"{self.path} is part of an archive, which is read only")
        target = self.path / _relative(blob)
        try:
            make_folder(target.parent)
            if target.parent.is_symlink():
                raise OSError(errno.ELOOP, "its folder is a symbolic link")
            if self._holds(blob):
                sync_folder(target.parent)  # whoever wrote it may have died before doing so
            else:
                write_atomically(target, data)
        except OSError as error:
            raise LogError(f"blob {target} cannot be written: {error.strerror}") from error
        return blob

    def names(self) -> Iterator[str]:
        """Relative names of all stored blobs, ``<first 2 hex>/<sha256>``, sorted."""
        for shard in sorted(self.path.iterdir()) if self.path.is_dir() else []:
            if _SHARD.fullmatch(shard.name) and shard.is_dir():
                files = (file.name for file in shard.iterdir())
                yield from sorted(f"{shard.name}/{n}" for n in files if _SHA256.fullmatch(n))

    def _holds(self, blob: Blob) -> bool:
        """Whether the blob is there, whole. Damaged bytes are written anew."""
        try:
            name = f"{self.path.name}/{_relative(blob)}"
            return name_blob(read_regular(self.path.parent, name, blob.bytes)) == blob
        except OSError:
            return False


class MemoryBlobs:
    """Blobs in memory, for tests and simulation."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def get(self, blob: Blob) -> bytes:
        """The bytes. Raises CannotJudge where they are missing, Damaged where they differ."""
        _relative(blob)
        if blob.sha256 not in self._held:
            raise _missing(blob)
        return _checked(blob, self._held[blob.sha256])

    def put(self, data: bytes) -> Blob:
        """Keep the bytes. Raises UsageError for a blob that is too long."""
        blob = _named(data)
        self._held[blob.sha256] = bytes(data)
        return blob


def _relative(blob: Blob) -> str:
    """Where a blob stands. The name comes from the hash alone, so it cannot lead elsewhere."""
    if not _SHA256.fullmatch(blob.sha256):
        raise UsageError(f"{blob.sha256[:80]!r} is not a SHA-256 in lower-case hex")
    return f"{blob.sha256[:2]}/{blob.sha256}"


def _named(data: bytes) -> Blob:
    if len(data) > MAX_BLOB_BYTES:
        raise UsageError(
            f"a blob of {len(data)} bytes is more than {MAX_BLOB_BYTES}; store it in parts"
        )
    return name_blob(data)


def _checked(blob: Blob, data: bytes) -> bytes:
    if len(data) != blob.bytes:
        raise Damaged(0, f"blob {blob.sha256} is not {blob.bytes} bytes long")
    if name_blob(data) != blob:
        raise Damaged(0, f"blob {blob.sha256} holds other bytes than its name says")
    return data


def _missing(blob: Blob) -> CannotJudge:
    return CannotJudge(
        f"blob {blob.sha256} ({blob.bytes} bytes) is not here: it is withheld or lost; "
        "get it from the validator or from another copy of the archive"
    )
