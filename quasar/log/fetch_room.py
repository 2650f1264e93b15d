"""Room for fetched copies: those that nobody reads leave, the longest unused first.

A copy with evidence against its validator stays. A server whose copy left is believed anew: what it
showed before is nowhere any more.
"""

import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path

from quasar.errors import TryAgain
from quasar.log.files import FolderLock

try:
    import fcntl
except ImportError:  # Windows can read archives, not fetch them
    fcntl = None  # type: ignore[assignment]

MOST_BYTES = 20 * 2**30
"""What all copies take together; more where they are all in use."""
USED = "used"
"""A file in each copy: changed when it was used last, locked while somebody reads."""
EVIDENCE = "fork.json"
_LEAVING = ".leaving-"

_reading: dict[Path, int] = {}


def hold(place: Path) -> None:
    """Keep a copy from leaving for as long as this process lives."""
    mark = place / USED
    if place not in _reading or not mark.exists():
        handle = os.open(mark, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _reading[place] = handle
    os.utime(mark)


def make_room(archives: Path, most_bytes: int = MOST_BYTES) -> list[Path]:
    """Remove unused copies until the rest takes no more than that; gives those that left."""
    left, copies = [], list[Path]()
    for path in archives.iterdir():
        if path.name.startswith(_LEAVING):  # a removal was interrupted
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_dir():
            copies.append(path)
    sizes = {path: _bytes_in(path) for path in copies}
    total = sum(sizes.values())
    for path in sorted(copies, key=_last_used):
        if total <= most_bytes:
            break
        if _removed(path):
            total -= sizes[path]
            left.append(path)
    return left


def _removed(place: Path) -> bool:
    """Under another name first: half a copy must not stand where a whole one is looked for."""
    if (place / EVIDENCE).exists():
        return False
    mark = place / USED
    try:
        with ExitStack() as locks:
            locks.callback(FolderLock(place).release)
            mark.touch(mode=0o600)
            locks.callback(FolderLock(mark).release)
            leaving = place.rename(place.with_name(_LEAVING + place.name))
            shutil.rmtree(leaving, ignore_errors=True)
    except (TryAgain, OSError):  # it is used, or another process removes it
        return False
    return True


def _last_used(place: Path) -> float:
    mark = place / USED
    with suppress(OSError):
        return (mark if mark.exists() else place).stat().st_mtime
    return 0.0


def _bytes_in(folder: Path) -> int:
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it is being fetched
                size += (Path(root) / name).lstat().st_size
    return size
