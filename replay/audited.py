"""Verdicts on closed volumes, kept: a volume that was audited before is not read again.

A kept verdict counts only for the same program, levels and pinned hotkey, on a volume whose
manifest and signed checkpoint still say what they said. What was altered behind an unaltered
checkpoint since then is found by reading it again, or by anyone who never kept a verdict.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from quasar.config import code_digest, versions
from quasar.errors import CannotJudge, LogError, QuasarError
from quasar.events import LogOpened
from quasar.events.note import Checkpoint, KeyRange, LogKeys, parse_checkpoint
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.audit import Sealed
from quasar.replay.finding import Report
from quasar.replay.proved import Counts

_LIMIT = 2**22


class Verdict(Struct, frozen=True, kw_only=True):
    """What is kept of an audit: all that the next volume's audit and the report need."""

    report: Report
    counts: Counts
    opened: LogOpened
    keys: list[KeyRange]
    sealed: Sealed

    @property
    def log_keys(self) -> LogKeys:
        """The keys that sign its checkpoints."""
        return LogKeys(self.keys)


class Kept:
    """Verdicts in a folder, a file each, named by what they are good for."""

    def __init__(
        self, folder: Path, *, levels: Sequence[str], hotkey: str | None, fresh: bool = False
    ) -> None:
        """``folder`` may not exist yet. ``fresh``: nothing is found, and all is kept anew."""
        self._fresh = fresh
        self._folder = folder
        self._for = [code_digest(), *sorted(versions().items()), hotkey, *levels]

    def find(self, log: ArchiveLog) -> Verdict | None:
        """A verdict on exactly this volume; damaged and foreign files are passed over."""
        note = _note(log)
        if note is None or self._fresh:
            return None
        data = _read(self._path(note))
        digest, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return None
        with suppress(msgspec.MsgspecError, QuasarError, ValueError):
            verdict = msgspec.json.decode(body, type=Verdict)
            return verdict if _stands(log, note, verdict) else None
        return None

    def keep(self, log: ArchiveLog, verdict: Verdict) -> None:
        """For the next time. One that cannot be written is not kept."""
        note = _note(log)
        if note is None or not _stands(log, note, verdict):
            return
        body = msgspec.json.encode(verdict)
        path = self._path(note)
        temporary = path.with_suffix(".tmp")
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            temporary.replace(path)

    def _path(self, note: Checkpoint) -> Path:
        named = [note.origin, note.size, note.root.hex(), *self._for]
        return self._folder / f"{hashlib.sha256(msgspec.json.encode(named)).hexdigest()}.json"


def _note(log: ArchiveLog) -> Checkpoint | None:
    """The checkpoint over all that the manifest counts, as it says; who signed it is not asked."""
    try:
        note = parse_checkpoint(log.checkpoint_note() or "")
    except (CannotJudge, LogError):
        return None
    whole = (log.manifest.identity.origin, log.manifest.last)
    return note if (note.origin, note.size) == whole else None


def _stands(log: ArchiveLog, note: Checkpoint, verdict: Verdict) -> bool:
    """Whether the checkpoint is signed over what was audited, and the manifest agrees."""
    opened, claimed = verdict.opened, log.manifest.identity
    if any(getattr(opened, name) != getattr(claimed, name) for name in claimed.__struct_fields__):
        return False
    if (note.size, note.root) != (verdict.sealed.size, verdict.sealed.root):
        return False
    signed = verdict.log_keys.open(log.checkpoint_note() or "", note.origin)
    return signed == note and verdict.report.result == "clean" and not log.checkpoint_beyond()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError:
        return b""
    return data if len(data) <= _LIMIT else b""
