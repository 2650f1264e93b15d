"""Makes room for a demo's or mock's archive. Only an older one of its kind is ever removed."""

import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from quasar.errors import Damaged, QuasarError, TryAgain, UsageError
from quasar.events import RunStarted
from quasar.events.envelope import decode
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import FolderLock, is_locked

PARTS = frozenset({"manifest.json", "segments", "blobs", "tile", "checkpoint", "checkpoints"})
"""What an archive consists of."""


Mode = Literal["demo", "mock"]

HELD = "segments"
"""A demo holds this part from before its first process starts; the archive's writer holds the
folder itself, and that only once it writes."""


@contextmanager
def room(folder: Path, mode: Mode = "demo") -> Iterator[None]:
    """An empty folder for an archive, held until the end; an older one of that mode is removed.

    A folder in which nothing was played is gone afterwards. Raises UsageError where the folder
    holds anything else, TryAgain where another demo has it.
    """
    lock = _make_room(folder, mode)
    try:
        yield
    finally:
        lock.release()
        if not was_played(folder):
            with suppress(OSError):
                _remove(folder, PARTS & {path.name for path in folder.iterdir()})
                folder.rmdir()  # refused where there is anything else


def was_played(folder: Path) -> bool:
    """Whether there is an archive with events."""
    try:
        return ArchiveLog(folder).manifest.last > 0
    except QuasarError:
        return False


def _make_room(folder: Path, mode: Mode) -> FolderLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder, folder)
        try:
            names = {path.name for path in folder.iterdir()}
            if names:
                _check_played(folder, names, mode)
                _remove(folder, names)
            (folder / HELD).mkdir()
            return _lock(folder / HELD, folder)
        finally:
            lock.release()
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be the archive ({error.strerror}): name another --out"
        ) from None


def _lock(part: Path, folder: Path) -> FolderLock:
    try:
        return FolderLock(part)
    except TryAgain:
        raise _taken(folder) from None


def _taken(folder: Path) -> TryAgain:
    return TryAgain(f"another demo writes {folder}: wait for it, or name another --out")


def _check_played(folder: Path, names: set[str], mode: Mode) -> None:
    if HELD in names and (folder / HELD).is_dir() and is_locked(folder / HELD):
        raise _taken(folder)
    if names == {HELD} and not any((folder / HELD).iterdir()):
        return  # a demo that was killed while it started
    if not names <= PARTS or not _is_of(folder, mode):
        raise UsageError(f"{folder} holds something that is not a {mode}: name another --out")


def _is_of(folder: Path, mode: Mode) -> bool:
    """Whether its log says so, and that its keys are public; also after a kill."""
    try:
        log = ArchiveLog(folder)
        for _, line in log.lines():
            match decode(line).event:
                case RunStarted() as started:
                    return (started.mode, started.freshness) == (mode, "none")
    except Damaged:  # a demo that was killed leaves a torn end
        pass
    except (QuasarError, msgspec.MsgspecError):
        return False
    return log.manifest.last == 0


def _remove(folder: Path, names: Set[str]) -> None:
    """What shows that this is a demo goes last, so that a crash on the way changes little."""
    for name in sorted(names, key=_late):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _late(name: str) -> int:
    return {"segments": 1, "manifest.json": 2}.get(name, 0)
