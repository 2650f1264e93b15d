"""Files that survive a crash, and reads that follow no links."""

import errno
import os
import stat
import threading
import time
from pathlib import Path
from typing import BinaryIO

from quasar.errors import LogError, TryAgain, UsageError

try:
    import fcntl
except ImportError:  # Windows can read archives, not write them
    fcntl = None  # type: ignore[assignment]

_PAUSES_S = (0.001, 0.01, 0.1, 0.0)
"""Between tries for a lock: a reader that asks whether there is one holds it for an instant."""

_OURS = frozenset({errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.EIO})
"""Errors of whoever reads, or of its disk."""


def make_folder(folder: Path) -> None:
    """Create a folder and its parents durably."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file durably: after a crash it holds the old bytes or the new ones."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            sync_file(file)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(file: BinaryIO) -> None:
    """Wait until what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until names created in the folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_regular(root: Path, name: str) -> BinaryIO:
    """Open ``root/name`` for reading, where no part of ``name`` is a link.

    Raises FileNotFoundError, or another OSError whose ``strerror`` says why not.
    """
    path, mode = root, 0
    for part in name.split("/"):
        path = path / part
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, "is or lies behind a symbolic link")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is not a regular file")
    return path.open("rb")


def read_regular(root: Path, name: str, limit: int) -> bytes:
    """The bytes of a small file, opened as by ``open_regular``; longer ones raise OSError."""
    with open_regular(root, name) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"is longer than {limit} bytes")
    return data


def refuse_ours(path: Path, error: OSError) -> None:
    """Raises LogError where this process is what cannot read: that says nothing about the log."""
    if error.errno in _OURS:
        raise LogError(
            f"{path} cannot be read by this process ({error.strerror}), so nothing is judged: "
            "see to that, then repeat the command"
        ) from None


class FolderLock:
    """The one writer's exclusive hold on a folder. It leaves no file: the folder is locked."""

    def __init__(self, folder: Path) -> None:
        if fcntl is None:
            raise UsageError("archives can be written on Linux and macOS only")
        self._handle = os.open(folder, os.O_RDONLY)
        for pause_s in _PAUSES_S:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(pause_s)
        os.close(self._handle)
        raise TryAgain(f"{folder} is being written by another process; stop it or wait for it")

    def release(self) -> None:
        """Let another writer in. Does nothing the second time."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def is_locked(folder: Path) -> bool:
    """Whether a writer holds the folder right now."""
    if fcntl is None:
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
