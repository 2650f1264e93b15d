"""What a web server says of a volume: its manifest, and the checkpoint over it."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from quasar.errors import CannotJudge, LogError, UsageError
from quasar.events.note import MAX_NOTE_CHARS, parse_checkpoint
from quasar.log.archive_reader import ArchiveLog
from quasar.log.fetch_check import check_manifest, noted_root, root_of
from quasar.log.fetch_http import Site
from quasar.log.manifest import NAME as MANIFEST
from quasar.log.manifest import Manifest, parse_manifest

MANIFEST_BYTES = 4 * 2**20
_LOOKS = 3


class NotContinued(Exception):
    """What is served does not go on from what was fetched before."""

    def __init__(self, seq: int, reason: str) -> None:
        """``seq``: of the first event that is known to differ, or to be missing."""
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


@dataclass(frozen=True)
class Head:
    """What a volume says of itself there."""

    data: bytes
    """The manifest's bytes."""
    manifest: Manifest
    note: str | None
    root: bytes | None
    """That the note states over these events."""


def read_head(site: Site, prefix: str) -> Head | None:
    """Manifest and the note over its events: another look where both changed in between.

    Of a folder that is being written, and served as it is, the newest events are not signed yet:
    then the part of it that is. None where there is no such volume. Raises UsageError and LogError
    for what is no manifest.
    """
    url = f"{site.url}/{prefix}".rstrip("/")
    found: Head | None = None
    signed: Head | None = None
    for _ in range(_LOOKS):
        data = site.get(f"{prefix}{MANIFEST}", MANIFEST_BYTES)
        if data is None:
            return None
        manifest = _parsed(url, data)
        check_manifest(url, manifest)
        for name in ("checkpoint", f"checkpoints/{manifest.last}"):
            note = site.get(prefix + name, MAX_NOTE_CHARS)
            text = None if note is None else note.decode("utf-8", "replace")
            root = noted_root(text, manifest)
            found = Head(data, manifest, text, root)
            if root is not None:
                return found
            signed = _signed(manifest, text) or signed
    return signed or found


def is_pruned_there(head: Head) -> bool:
    """Whether the events were removed on purpose."""
    return any(entry.what == "events" for entry in head.manifest.withheld)


def check_goes_on(old: ArchiveLog, head: Head) -> None:
    """Raises NotContinued where the manifest alone shows that it does not."""
    before, now = old.manifest, head.manifest
    if before.identity != now.identity:
        raise NotContinued(1, f"it is {now.identity.origin}, and was {before.identity.origin}")
    if now.last >= before.last:
        return
    if head.root is not None and root_of(old.folder, now.last) == head.root:
        reason = f"it ends with event {now.last}, and {before.last} were shown before"
        raise NotContinued(now.last + 1, reason)
    reason = f"its {now.last} events are not the first of the {before.last} before"
    raise NotContinued(now.last, reason)


def _signed(manifest: Manifest, note: str | None) -> Head | None:
    """As if the volume ended where the note does. A frame ends there, as the writer signs."""
    try:
        size = parse_checkpoint(note or "").size
    except (CannotJudge, LogError):
        return None
    segments = [
        msgspec.structs.replace(segment, last=min(segment.last, size))
        for segment in manifest.segments
        if segment.first <= size
    ]
    cut = msgspec.structs.replace(manifest, last=min(size, manifest.last), segments=segments)
    root = noted_root(note, cut)
    return Head(msgspec.json.encode(cut), cut, note, root) if root is not None else None


def _parsed(url: str, data: bytes) -> Manifest:
    try:
        return parse_manifest(Path(url), data)
    except UsageError as problem:  # a Path spells a URL in its own way
        raise UsageError(str(problem).replace(str(Path(url)), url)) from None
