"""``quasar backup``: a stopped validator in one private file."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quasar.cli.output import err, say_json
from quasar.cli.output import out as stdout
from quasar.cli.source import volumes_of
from quasar.cli.stopped import home_named, stopped
from quasar.errors import UsageError
from quasar.log.archive_reader import ArchiveLog
from quasar.log.backup import BackupWriter, Contents, check_backup
from quasar.log.parts import event_parts, files_in, kept_parts
from quasar.log.whole import is_pruned, verify_whole
from quasar.supervisor.log_keys import FOLDER as LOG_KEYS
from quasar.supervisor.log_keys import SUFFIX

KEY = "master.key"
ACCESS = "nats/access.json"
STORE = "nats/jetstream"
_LOG_KEY = re.compile(rf"{LOG_KEYS}/[1-9][0-9]*\{SUFFIX}", re.ASCII)
_CONTEXT = re.compile(r"contexts/[1-9][0-9]*/[0-9a-f]{64}\.zst", re.ASCII)

Json = Annotated[bool, Parameter(negative="")]


def backup(
    state: Path | None = None,
    /,
    *,
    to: Path,
    out: Path | None = None,
    json: Json = False,
) -> int:
    """Copy a stopped validator into one private file: secrets, log and archive.

    Every line of the archive is checked before it is copied, and the file is read back. No wallet
    is touched: the hotkey stays where it is.

    Parameters
    ----------
    state
        The validator's --state; by default the only validator of this user.
    to
        The file to write, such as quasar.tar.
    out
        The validator's --out, where that is not in its state folder.
    json
        Print one JSON object.
    """
    home = home_named(state)
    archive = out or home / "archive"
    volumes = volumes_of(archive)
    if not volumes:
        raise UsageError(f"{archive} holds no archive: name the validator's --out")
    with stopped(home, volumes, "back it up"):
        for log in volumes:
            verify_whole(log)
        _write(home, archive, volumes, to)
    _say(check_backup(to), to, json)
    return 0


def _write(home: Path, archive: Path, volumes: Sequence[ArchiveLog], to: Path) -> None:
    with BackupWriter.open(to) as writer:
        for name in _state_parts(home):
            writer.add(home, name, "state")
        for name, size in _archive_parts(archive, volumes):
            writer.add(archive, name, "archive", size)
        events = sum(log.manifest.last for log in volumes)
        writer.finish(volumes[-1].manifest.identity, len(volumes), events)


def _state_parts(home: Path) -> Iterator[str]:
    """Keys, the server's login and store, contexts of open rounds. Nothing else, ever."""
    yield from (name for name in (KEY, ACCESS) if (home / name).exists())
    yield from (name for name in files_in(home, LOG_KEYS) if _LOG_KEY.fullmatch(name))
    yield from files_in(home, STORE)
    yield from (name for name in files_in(home, "contexts") if _CONTEXT.fullmatch(name))


def _archive_parts(
    archive: Path, volumes: Sequence[ArchiveLog]
) -> Iterator[tuple[str, int | None]]:
    """Files, and how much of them. Of each volume the manifest comes last.

    A validator that was killed may have left the newest segment longer than the manifest says.
    """
    for log in volumes:
        folder = "" if log.folder == archive else f"{log.folder.name}/"
        newest = [] if is_pruned(log) else log.manifest.segments[-1:]
        ends = {f"segments/{segment.name}": segment for segment in newest}
        for name in event_parts(log):
            yield f"{folder}{name}", log.segment_end(ends[name]) if name in ends else None
        for name in reversed(list(kept_parts(log))):
            yield f"{folder}{name}", None


def _say(contents: Contents, to: Path, json: bool) -> None:
    names = [part.name for part in contents.parts]
    size = sum(part.bytes for part in contents.parts)
    keys = f"state/{KEY}" in names
    store = any(name.startswith(f"state/{STORE}/") for name in names)
    if json:
        shown = {"file": str(to), "hotkey": contents.log.hotkey, "keys": keys, "store": store}
        counts = {"events": contents.events, "volumes": contents.volumes, "bytes": size}
        say_json(shown | counts)
        return
    held = f"{contents.events} events in {contents.volumes} volumes"
    stdout.print(f"{held}, {size / 1e6:.1f} MB, checked and copied to {to}", markup=False)
    if not keys:
        err.print(f"without {KEY}: right only for a validator with --seed")
    if not store:
        err.print("without the server's store: events that the archive lacks are not in it")
    err.print(
        f"It holds secrets: keep it private. Not in it: the wallet of {contents.log.hotkey}.",
        markup=False,
    )
