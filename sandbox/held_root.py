"""Root folders in use, and which of the others stay: the few that were used last.

Whoever makes cells of a folder holds a shared lock on it. The kernel lets that go with the process,
however this ends, and in whatever container it ran. So who gets the folder for itself alone knows
that no living process uses it.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import structlog

from quasar.sandbox.errors import SandboxError
from quasar.sandbox.rootfs import RootFolder, locked, prepared, remove

KEPT = 3
"""Root folders that stay, some 70 MB each. More do where more are in use."""
FOLDER = re.compile("[0-9a-f]{64}")

logger = structlog.get_logger()


class HeldRoot(NamedTuple):
    """A root folder that no program of ours removes until ``release``."""

    folder: RootFolder
    lock: int
    """Descriptor of the folder."""

    def stands(self) -> bool:
        """Whether it is still there, and no other one in its place."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self.lock), self.folder.path.stat())
        return False

    def release(self) -> None:
        """Once, after the last cell of it ended."""
        os.close(self.lock)


def hold_root(cache: Path) -> HeldRoot:
    """The root folder of this interpreter, made where there is none, and held. Old ones go.

    Raises SandboxError where it cannot be built or written.
    """
    for _ in range(3):  # another program may remove it between the two steps
        folder = prepared(cache)
        with suppress(FileNotFoundError):
            held = HeldRoot(folder, _shared(folder.path))
            if held.stands():
                _remove_old(cache)
                return held
            held.release()
    raise SandboxError(f"the sandbox's files in {cache} are removed again and again: see by whom")


def _shared(folder: Path) -> int:
    """Its descriptor, locked. Raises FileNotFoundError where there is no such folder."""
    lock = os.open(folder, os.O_RDONLY)
    with suppress(OSError):  # a file system without locks: there nothing is ever removed
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(lock)  # the time of its last use
    return lock


def _remove_old(cache: Path) -> None:
    """Never raises: what cannot be removed stays, and is tried again at the next start."""
    with suppress(OSError), locked(cache):
        for part in cache.glob("*.part"):  # of who was killed: whoever lives waits for our lock
            remove(part)
        by_use = sorted(_folders(cache), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in by_use[KEPT:]:
            with _alone(folder) as nobody_else:
                if nobody_else:
                    remove(folder.rename(f"{folder}.part"))  # first its name, so all at once
                    logger.info("sandbox.removed-root", folder=str(folder))
        for note in cache.glob("*.layer"):
            if not (cache / note.read_text()).exists():
                note.unlink()


def _folders(cache: Path) -> list[Path]:
    """Root folders that are this user's own."""
    found = [place for place in cache.iterdir() if FOLDER.fullmatch(place.name)]
    me = os.geteuid()
    return [place for place in found if place.is_dir() and place.lstat().st_uid == me]


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no process holds the folder; none can begin to until the end of the context."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)
