"""``quasar restore``: a backup becomes a validator's folders again, whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quasar.cli.output import err, say_json
from quasar.cli.output import out as stdout
from quasar.cli.source import volumes_of
from quasar.config import state_folder
from quasar.errors import LogError, TryAgain, UsageError
from quasar.log.backup import Contents, check_backup, unpack_backup
from quasar.log.files import FolderLock, make_folder, sync_folder
from quasar.log.manifest import ArchiveIdentity
from quasar.log.whole import verify_whole

PRIVATE = ("nats", "contexts", "log-keys")


def restore(
    file: Path,
    /,
    *,
    state: Path | None = None,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Put a backup into empty folders. Everything in it is checked first.

    The log goes on from where the backup was made. If the validator ran anywhere since, do not
    start this copy: two histories under one key are proof of a fork.

    Parameters
    ----------
    file
        What `quasar backup` wrote.
    state
        New --state of the validator; by default the one that `quasar validate` looks for.
    out
        New --out; by default `archive` in the state folder.
    json
        Print one JSON object.
    """
    contents = check_backup(file)
    home = (state or home_of(contents.log)).absolute()
    archive = out.absolute() if out else home / "archive"
    if archive == home or archive in home.parents:
        raise UsageError("--out must not be the state folder, nor hold it")
    inside = home in archive.parents
    for folder in [home] if inside else [home, archive]:
        _check_empty(folder)
    with _appearing(home, 0o700) as made:
        if inside:
            _unpack(file, contents, made, made / archive.relative_to(home))
        else:
            # The state comes last: without its keys no validator starts on half a restore.
            with _appearing(archive, 0o777) as copied:
                _unpack(file, contents, made, copied)
    _say(contents, home, archive, json)
    return 0


def home_of(log: ArchiveIdentity) -> Path:
    """Where a validator keeps its state unless told otherwise: a folder of this log's own."""
    return state_folder() / "validator" / f"{log.netuid}-{log.hotkey[:8]}-{log.log_id}"


def _check_empty(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise UsageError(f"{folder} is not empty: nothing is written over, name another folder")


@contextmanager
def _appearing(folder: Path, mode: int) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its name once all is in it."""
    partial = folder.with_name(f".{folder.name}.restoring")
    try:
        make_folder(folder.parent)
        lock = _claim(partial, mode)
        try:
            yield partial
            _sync_all(partial)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            lock.release()
        sync_folder(folder.parent)
    except OSError as error:
        raise LogError(f"{folder} cannot be made: {error.strerror or error}") from error


def _claim(partial: Path, mode: int) -> FolderLock:
    """Empty, and ours alone; what a crash left of an earlier restore is removed."""
    with suppress(FileExistsError):
        partial.mkdir(mode)
    try:
        lock = FolderLock(partial)
    except TryAgain:
        raise TryAgain(f"another restore writes {partial}: wait for it") from None
    for left in list(partial.iterdir()):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
    return lock


def _unpack(file: Path, contents: Contents, state: Path, archive: Path) -> None:
    unpack_backup(file, contents, {"state": state, "archive": archive})
    for name in PRIVATE:
        if (state / name).is_dir():
            (state / name).chmod(0o700)
    for log in volumes_of(archive):
        verify_whole(log)


def _sync_all(folder: Path) -> None:
    for at, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(at))


def _say(contents: Contents, state: Path, archive: Path, json: bool) -> None:
    if json:
        counts = {"events": contents.events, "volumes": contents.volumes}
        places = {"state": str(state), "archive": str(archive), "hotkey": contents.log.hotkey}
        say_json(places | counts)
        return
    held = f"{contents.events} events in {contents.volumes} volumes"
    stdout.print(
        f"{held}, checked and restored: quasar validate ... --state {state} --out {archive}",
        markup=False,
    )
    err.print(
        "Start it only if this validator ran nowhere since the backup, and never in two places.",
        markup=False,
    )
