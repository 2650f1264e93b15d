"""A volume's archive as a whole: whether it is sealed, pruned, and all that it should be."""

from collections.abc import Sequence
from contextlib import suppress

from quasar.errors import CannotJudge, Damaged
from quasar.events import LogClosed, LogKeyRotated, LogOpened
from quasar.events.base import Blob
from quasar.events.envelope import decode, tag_of
from quasar.events.merkle import Tree
from quasar.events.note import BadSignature, open_checkpoint, parse_checkpoint
from quasar.log.archive_reader import ArchiveLog
from quasar.log.blobs import FolderBlobs
from quasar.log.manifest import Withheld

PRUNED = Withheld(what="events", why="pruned after another copy of them was verified")
"""Stands in the manifest of a volume whose segments, tiles and blobs were removed."""

UNSIGNED = Withheld(what="signatures", why="imported from lines: nobody signed this archive")
"""Stands in the manifest of an archive that no checkpoint covers."""


def is_pruned(log: ArchiveLog) -> bool:
    """Whether the events were removed on purpose: what is missing then is no damage."""
    return any(entry.what == PRUNED.what for entry in log.manifest.withheld)


def is_unsigned(log: ArchiveLog) -> bool:
    """Whether an archive says that nobody signed it."""
    return UNSIGNED in log.manifest.withheld


def refuse_unsigned(log: ArchiveLog) -> None:
    """Raises CannotJudge for an archive that there is nobody to hold to."""
    if is_unsigned(log):
        raise CannotJudge(
            f"{log.folder} is unsigned: it was imported from lines, so nothing shows whose log it "
            "is; check the archive that they came from"
        )


def is_sealed(log: ArchiveLog) -> bool:
    """Whether nothing can follow: LogClosed is the last event, under a checkpoint over all.

    Reads the newest segment alone. Raises Damaged where that cannot be read.
    """
    last = log.manifest.last
    if last == 0 or last not in log.checkpoint_sizes():
        return False
    if is_pruned(log):
        return True
    # No further than that event: what a killed writer left behind it is settled by the next one.
    _, line = next(log.lines(last - 1))
    return tag_of(line) == LogClosed.__name__  # also where a newer program wrote the rest


def verify_whole(log: ArchiveLog) -> None:
    """Compare lines with their hashes, checkpoints with lines and keys, blobs with their names.

    Any key of the log is good for any checkpoint here; which was valid when, an audit judges. Of a
    pruned volume there is nothing to read. Raises Damaged with the first event that is not what it
    was, BadSignature for a checkpoint of another log or key, CannotJudge where it is no note.
    """
    if is_pruned(log):
        return
    keys = [key for _, line in log.verified() for key in _keys(line)]
    tree = log.tree()
    for size in [*log.checkpoint_sizes(), None]:
        note = log.checkpoint_note(size)
        if note is not None:
            _verify_note(note, log.manifest.identity.origin, keys, tree)
    _verify_blobs(log)


def _keys(line: bytes) -> list[bytes]:
    """Public log keys that an event names."""
    if not line.startswith((b'{"key":"log.open"', b'{"key":"key.')):
        return []
    match decode(line).event:
        case LogOpened(log_key=key) | LogKeyRotated(log_key=key):
            return [bytes.fromhex(key)]
    return []


def _verify_note(note: str, origin: str, keys: Sequence[bytes], tree: Tree) -> None:
    checkpoint = parse_checkpoint(note)
    if checkpoint.size > tree.size:
        raise Damaged(tree.size + 1, "a checkpoint covers it, and the archive lost it")
    if checkpoint.root != tree.root(checkpoint.size):
        raise Damaged(checkpoint.size, "the lines up to it do not give their checkpoint's root")
    for key in keys:
        with suppress(BadSignature):
            open_checkpoint(note, origin, key)
            return
    raise BadSignature(
        f"the checkpoint over {checkpoint.size} events is signed by no key of the log"
    )


def _verify_blobs(log: ArchiveLog) -> None:
    folder = log.folder / "blobs"
    held = FolderBlobs(folder, read_only=True)
    for name in held.names():
        held.get(Blob(sha256=name[3:], bytes=(folder / name).lstat().st_size))
