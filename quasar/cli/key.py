"""``quasar key``: the keys that sign a validator's log, and how one replaces another."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from cyclopts import Parameter

from quasar.cli.identity import MASTER, first_log_key
from quasar.cli.output import err, say_json
from quasar.cli.output import out as stdout
from quasar.cli.source import volumes_of
from quasar.cli.stopped import home_named, stopped
from quasar.errors import UsageError
from quasar.events.note import LogKeys, parse_checkpoint
from quasar.events.signing import Signer
from quasar.log.archive_reader import ArchiveLog
from quasar.log.log_keys import archive_keys, key_words, show_keys
from quasar.log.whole import is_pruned
from quasar.supervisor.log_keys import Ending, ReplacedKey, add_key, kept_keys

Json = Annotated[bool, Parameter(negative="")]
State = Annotated[Path | None, Parameter()]


class _Kept(NamedTuple):
    """A validator's folders, and the keys in them."""

    home: Path
    volumes: Sequence[ArchiveLog]
    newest: Signer
    replaced: Sequence[ReplacedKey]
    keys: LogKeys | None
    """That the newest volume of the archive names."""

    @property
    def pending(self) -> bool:
        """Whether the log has still to learn of the newest key."""
        return bool(self.replaced) and (
            self.keys is None or self.keys.current.public_key != self.newest.public_key
        )

    @property
    def volume(self) -> int:
        """Number of the newest volume; 0 for none."""
        return self.volumes[-1].manifest.volume if self.volumes else 0


def show(state: State = None, /, *, out: Path | None = None, json: Json = False) -> int:
    """List a validator's log keys, volume by volume, with the sizes that each may sign.

    Parameters
    ----------
    state
        The validator's --state; by default the only validator of this user.
    out
        The validator's --out, where that is not in its state folder.
    json
        Print one JSON object.
    """
    kept = _read(*_folders(state, out))
    volumes = [log for log in kept.volumes if log.manifest.last and not is_pruned(log)]
    named = {log.manifest.volume: show_keys(archive_keys(log)) for log in volumes}
    newest, pending = kept.newest.public_key.hex(), kept.pending
    if json:
        listed = [{"volume": n, "keys": msgspec.to_builtins(keys)} for n, keys in named.items()]
        say_json({"volumes": listed, "newest": newest, "pending": pending})
        return 0
    for number, keys in named.items():
        for key in keys:
            stdout.print(f"volume {number:<4} {key_words(key)}", markup=False)
    if pending or not named:
        stdout.print(f"{newest} signs from the validator's next start on", markup=False)
    return 0


def rotate(state: State = None, /, *, out: Path | None = None, json: Json = False) -> int:
    """Make a new log key for a stopped validator; it signs from the next start on.

    The key before stays, and what it signed still counts. Called again before that start, it
    changes nothing. Make a new backup afterwards.

    Parameters
    ----------
    state
        The validator's --state; by default the only validator of this user.
    out
        The validator's --out, where that is not in its state folder.
    json
        Print one JSON object.
    """
    with _held(state, out) as kept:
        if kept.pending:
            return _say(kept.newest, kept.replaced[-1].ending, json, made=False)
        ending = Ending(volume=kept.volume)
        return _say(add_key(kept.home, ending), ending, json, made=True)


def revoke(
    state: State = None, /, *, since: str, out: Path | None = None, json: Json = False
) -> int:
    """Replace a log key that others came to know, on a stopped validator.

    At the next start the log says up to where the old key counts, and the new key signs
    everything. If others know master.key too, they can foretell your tasks: then a new log key
    does not help, and the validator needs another hotkey.

    Parameters
    ----------
    state
        The validator's --state; by default the only validator of this user.
    since
        Events of the newest volume under the last checkpoint that surely is yours: a number, 0 for
        none, or ``checkpoint`` for the newest in the archive.
    out
        The validator's --out, where that is not in its state folder.
    json
        Print one JSON object.
    """
    with _held(state, out) as kept:
        ending = Ending(reason="revoked", volume=kept.volume, until=_until(kept, since))
        if kept.pending and kept.replaced[-1].ending == ending:
            return _say(kept.newest, ending, json, made=False)
        return _say(add_key(kept.home, ending), ending, json, made=True)


def _folders(state: Path | None, out: Path | None) -> tuple[Path, Sequence[ArchiveLog]]:
    """The state folder, and the volumes of the archive."""
    home = home_named(state)
    if not (home / MASTER).exists():
        raise UsageError(
            f"{home} holds no {MASTER}: name the --state of a validator with a wallet; those with "
            "--seed have public keys"
        )
    volumes = volumes_of(out or home / "archive")
    if not volumes and (out is not None or (home / "contexts").exists()):  # it ran before
        where = out or home / "archive"
        raise UsageError(f"{where} holds no archive: name the validator's --out")
    return home, volumes


@contextmanager
def _held(state: Path | None, out: Path | None) -> Iterator[_Kept]:
    """What a validator keeps, while nobody else changes it."""
    home, volumes = _folders(state, out)
    with stopped(home, volumes, "change its log key"):
        yield _read(home, volumes)


def _read(home: Path, volumes: Sequence[ArchiveLog]) -> _Kept:
    newest, replaced = kept_keys(home, first_log_key(home))
    written = volumes and volumes[-1].manifest.last > 0 and not is_pruned(volumes[-1])
    keys = archive_keys(volumes[-1]) if written else None
    return _Kept(home, volumes, newest, replaced, keys)


def _until(kept: _Kept, since: str) -> int:
    """Events that the old key counts for. Raises UsageError for more than the archive holds."""
    log = kept.volumes[-1] if kept.volumes else None
    if since == "checkpoint":
        note = log.checkpoint_note() if log else None
        return parse_checkpoint(note).size if note else 0
    if not since.isdecimal() or not since.isascii():
        raise UsageError(f"--since {since!r} is neither a number of events nor `checkpoint`")
    held = log.manifest.last if log else 0
    if int(since) > held:
        raise UsageError(f"--since {since}: the newest volume's archive holds {held} events")
    return int(since)


def _say(key: Signer, before: Ending, json: bool, *, made: bool) -> int:
    public = key.public_key.hex()
    if json:
        facts: dict[str, Any] = {"key": public, "made": made, "before": before}
        say_json(facts)
        return 0
    stdout.print(f"log key {public}", markup=False)
    if not made:
        err.print("It was made before, and waits for the validator's next start.")
    elif before.reason == "revoked":
        err.print(
            f"At its next start the validator signs volume {before.volume} with it, unless that is "
            f"closed; the old key's checkpoints over more than {before.until} events count no "
            "more. Make a new backup."
        )
    else:
        err.print("It signs from the validator's next start on. Make a new backup.")
    return 0
