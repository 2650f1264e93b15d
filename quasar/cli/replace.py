"""Makes room for a demo's archive. Only an older demo is ever removed."""

import shutil
from pathlib import Path

import msgspec

from quasar.errors import Damaged, QuasarError, TryAgain, UsageError
from quasar.events import RunStarted
from quasar.events.envelope import decode
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import is_locked

PARTS = frozenset({"manifest.json", "segments", "blobs", "tile", "checkpoint", "checkpoints"})
"""What an archive consists of."""


def make_room(folder: Path) -> Path:
    """An empty folder for an archive, where an older demo's is removed.

    Raises UsageError where the folder holds anything else, TryAgain where a demo still runs.
    """
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if names:
            _check_demo(folder, names)
            _remove(folder, names)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be the archive ({error.strerror}): name another --out"
        ) from None
    return folder


def _check_demo(folder: Path, names: set[str]) -> None:
    if is_locked(folder):
        raise TryAgain(f"another demo writes {folder}: wait for it, or name another --out")
    if not names <= PARTS or not _is_demo(folder):
        raise UsageError(f"{folder} holds something that is not a demo: name another --out")


def _is_demo(folder: Path) -> bool:
    """Whether its log says so; also after a kill, and before there is any event."""
    try:
        log = ArchiveLog(folder)
        for _, line in log.lines():
            match decode(line).event:
                case RunStarted(mode=mode):
                    return mode == "demo"
    except Damaged:  # a demo that was killed leaves a torn end
        pass
    except (QuasarError, msgspec.MsgspecError):
        return False
    return log.manifest.last == 0


def _remove(folder: Path, names: set[str]) -> None:
    """What shows that this is a demo goes last, so that a crash on the way changes little."""
    for name in sorted(names, key=_late):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _late(name: str) -> int:
    return {"segments": 1, "manifest.json": 2}.get(name, 0)
