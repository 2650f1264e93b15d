"""What grows with a log, kept in a temporary file, so that memory does not grow with it."""

import os
import tempfile
import weakref
from collections.abc import Iterator

_DIGEST = 16
_RECORD = _DIGEST + 8
_BUCKETS = 64
PENDING = 65_536
"""Records in memory; a log with fewer never touches the disk."""


class Scratch:
    """A file without a name, which is gone with this object or its process."""

    def __init__(self) -> None:
        self._fd, path = tempfile.mkstemp(prefix="quasar-")
        os.unlink(path)  # noqa: PTH108 - there is no Path here
        weakref.finalize(self, os.close, self._fd)
        self.size = 0

    def write(self, data: bytes) -> int:
        """Append; returns the offset. Raises OSError where the disk is full."""
        offset, view = self.size, memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, self.size)
            self.size, view = self.size + written, view[written:]
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """Bytes that were written."""
        return os.pread(self._fd, length, offset)


class Records:
    """Digests with a number each, as many as there are; those of one digest come out together.

    Digests are cut to 16 bytes: whoever could make two of them meet would only accuse himself.
    """

    def __init__(self, pending: int = PENDING) -> None:
        self._limit = pending
        self._pending: list[tuple[bytes, int]] = []
        self._scratch: Scratch | None = None
        self._extents: list[list[int]] = []
        """For each time that records were written: the offset of each bucket, and the end."""

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._pending)

    def add(self, digest: bytes, number: int) -> bool:
        """Keep a record. True where memory was emptied into the file for it."""
        self._pending.append((digest[:_DIGEST], number))
        if len(self._pending) < self._limit:
            return False
        self._spill()
        return True

    def buckets(self) -> Iterator[list[tuple[bytes, int]]]:
        """All records in small lists; one digest's are in one list, in the order of ``add``."""
        if self._scratch is None:
            yield self._pending
            return
        self._spill()
        for bucket in range(_BUCKETS):
            found: list[tuple[bytes, int]] = []
            for offsets in self._extents:
                start, end = offsets[bucket], offsets[bucket + 1]
                found += _unpacked(self._scratch.read(start, end - start))
            yield found

    def _spill(self) -> None:
        self._scratch = self._scratch or Scratch()
        buckets = [bytearray() for _ in range(_BUCKETS)]
        for digest, number in self._pending:
            buckets[digest[0] % _BUCKETS] += digest + number.to_bytes(8)
        at = self._scratch.write(b"".join(buckets))
        offsets = [at]
        for bucket in buckets:
            at += len(bucket)
            offsets.append(at)
        self._extents.append(offsets)
        self._pending = []


def _unpacked(data: bytes) -> list[tuple[bytes, int]]:
    return [
        (data[i : i + _DIGEST], int.from_bytes(data[i + _DIGEST : i + _RECORD]))
        for i in range(0, len(data), _RECORD)
    ]
