"""A log in one file, for one process: the miner's own.

Each line is a stored event. One that is not the last of its step has a space before its newline:
JSON readers skip it, and a step that a crash cut short shows, for its end is missing.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import anyio.to_thread
import msgspec

from quasar.errors import Damaged, LogError, TryAgain
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft
from quasar.log import Stored
from quasar.log.files import sync_folder
from quasar.log.memory import MemoryLog
from quasar.log.settle import Clock

_MORE = b" \n"
_END = b"}\n"


class _Place(msgspec.Struct, frozen=True):
    key: str


_place = msgspec.json.Decoder(_Place).decode


class FileLog(MemoryLog):
    """Appends to a file, with one fsync a step, and serves its readers from memory."""

    def __init__(self, file: int, path: Path, blobs: Blobs, clock: Clock) -> None:
        super().__init__(blobs, clock)
        self._file = file
        self._path = path
        self._broken = False

    @classmethod
    @contextmanager
    def open(cls, path: Path, blobs: Blobs, clock: Clock = time.time_ns) -> Iterator[Self]:
        """The log at ``path``, made if absent. A step that a crash cut short is removed.

        Raises TryAgain where another process has it open, Damaged where a line is not an event
        or its slot is taken twice, and LogError where the file cannot be opened.
        """
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as e:
            raise LogError(f"cannot open the log {path}: {e.strerror}; free the path") from e
        log = cls(file, path, blobs, clock)
        try:
            _lock(file, path)
            log._load()
            yield log
        finally:
            log._broken = True
            os.close(file)

    async def append(self, step: Sequence[Draft]) -> list[Stored]:
        """As ``Log.append``."""
        if self._broken:
            raise LogError(f"the log {self._path} is closed after a failed write: open it again")
        return await super().append(step)

    async def _persist(self, lines: list[bytes]) -> None:
        self._broken = True  # until the write is known to be whole, whatever interrupts it
        data = _MORE.join(lines) + b"\n"
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_write, self._file, data)
        except OSError as e:
            raise LogError(
                f"cannot write the log {self._path}: {e.strerror}; free space, then start again"
            ) from e
        self._broken = False

    def _load(self) -> None:
        data = self._path.read_bytes()
        whole = _whole(data)
        if whole < len(data):
            os.ftruncate(self._file, whole)
        for line in data[:whole].split(b"\n")[:-1]:
            self._restore(line.removesuffix(b" "))
        os.fsync(self._file)
        sync_folder(self._path.parent)

    def _restore(self, line: bytes) -> None:
        seq = len(self._lines) + 1
        try:
            slot = _place(line).key
        except msgspec.DecodeError as e:
            raise Damaged(seq, f"{self._path} does not hold an event here: {e}") from e
        if slot in self._seqs:
            raise Damaged(seq, f"slot {slot} was taken by event {self._seqs[slot]}")
        self._lines.append(line)
        self._seqs[slot] = seq


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TryAgain(f"another process writes the log {path}: stop it first") from None


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
    os.fsync(file)


def _whole(data: bytes) -> int:
    """Length of the steps that were written whole.

    A power cut may also leave the last step with holes; they read as zeros, which JSON never has.
    """
    end = _end_before(data, len(data))
    start = _end_before(data, max(end - len(_END), 0))
    return start if b"\0" in data[start:end] else end


def _end_before(data: bytes, limit: int) -> int:
    """Where the last step that ends before ``limit`` ends; 0 for none."""
    at = data.rfind(_END, 0, limit)
    return 0 if at < 0 else at + len(_END)
