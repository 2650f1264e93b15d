"""A log with its index, so that single events can be read: kept beside an archive, or made now."""

from contextlib import aclosing
from typing import Protocol

from quasar.errors import CannotJudge, Damaged
from quasar.events.base import Blob
from quasar.events.blobs import Blobs
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import parse_checkpoint
from quasar.log import Log
from quasar.log.archive import ArchiveLog, refuse_unsigned
from quasar.log.archive_beside import Beside
from quasar.replay.index import Index, decode_index, encode_index
from quasar.replay.index_growth import Noting, Progress, grow
from quasar.replay.index_proved import ProvedLog as ProvedLog
from quasar.replay.index_proved import blob_of, decoded
from quasar.replay.structure import StructureCheck
from quasar.replay.versions import check_versions
from quasar.rules.machine import Recorded

FILE = "why.index"
"""Beside the archive."""
KEPT_FROM = 20_000
"""Events; below, an index is made quicker than anyone notices."""


class IndexedLog(Protocol):
    """A log whose events can be read one by one."""

    index: Index
    blobs: Blobs
    root: bytes
    """Over ``index.size`` events."""

    async def recorded(self, seq: int) -> Recorded:
        """An event. Raises Damaged where it is not what the log holds there."""
        ...

    def blob(self, seq: int, blob: Blob) -> bytes:
        """What an event names. Raises Damaged as an event that is not what it was."""
        ...

    def inclusion(self, seq: int) -> list[bytes]:
        """From the event's hash up to the root."""
        ...


async def indexed(log: Log, progress: Progress | None = None) -> IndexedLog:
    """The log with its index: as kept beside an archive, made larger, or made anew.

    Raises Damaged for a log that is not what was signed, CannotJudge for one that nobody signed.
    """
    if isinstance(log, ArchiveLog):
        return proved_log(log, progress)
    return await _read_whole(log)


class ReadLog:
    """A log of another kind, which was read whole and verified."""

    def __init__(self, log: Log, index: Index, tree: Tree) -> None:
        self.index, self.blobs, self.root = index, log.blobs, tree.root()
        self._log, self._tree = log, tree

    async def recorded(self, seq: int) -> Recorded:
        """As ``IndexedLog``."""
        async with aclosing(self._log.read(seq - 1)) as lines:  # type: ignore[type-var]
            async for found, line in lines:
                if found == seq and leaf_hash(line) == self._tree.leaves(seq - 1, seq):
                    return decoded(seq, line)
                break
        raise Damaged(seq, "the log gives another line for it than before")

    def blob(self, seq: int, blob: Blob) -> bytes:
        """As ``IndexedLog``."""
        return blob_of(self.blobs, seq, blob)

    def inclusion(self, seq: int) -> list[bytes]:
        """As ``IndexedLog``."""
        return self._tree.inclusion(seq - 1, self._tree.size)


def proved_log(log: ArchiveLog, progress: Progress | None = None) -> ProvedLog:
    """The archive with its index, which is kept where the archive is long."""
    refuse_unsigned(log)
    note, size = _newest(log)
    beside = Beside(log, FILE)
    for index in filter(None, map(decode_index, beside.found())):
        if index.origin == log.manifest.identity.origin and index.size <= size:
            try:
                return _grown(log, index, note, size, beside, progress)
            except Damaged:
                continue  # of another history, or the archive is damaged: the lines will tell
    return _grown(log, Index(origin=log.manifest.identity.origin), note, size, beside, progress)


def _grown(
    log: ArchiveLog, index: Index, note: str, size: int, beside: Beside, progress: Progress | None
) -> ProvedLog:
    before = index.size
    if before < size:
        grow(index, log, size, progress)
    found = ProvedLog(log, index, note)
    if before < size >= KEPT_FROM:
        beside.keep(encode_index(index))
    return found


def _newest(log: ArchiveLog) -> tuple[str, int]:
    last = log.manifest.last
    note = log.checkpoint_note()
    if note is None:
        raise Damaged(last, "the checkpoint is missing; get another copy of the archive")
    try:
        size = parse_checkpoint(note).size
    except CannotJudge as problem:
        raise Damaged(last, f"the checkpoint does not verify: {problem}") from None
    if size > last:
        raise Damaged(last + 1, f"missing: the checkpoint covers {size} events")
    return note, size


async def _read_whole(log: Log) -> ReadLog:
    structure, index = StructureCheck(log.blobs), Index(origin="")
    noting = Noting(index)
    head = await log.head()
    async with aclosing(log.read()) as lines:  # type: ignore[type-var]
        while index.size < head:  # a live log would go on for ever
            seq, line = await anext(lines, (0, b""))
            check_versions(structure.feed(seq, line, None), log.blobs)
            noting.note(seq, [line])
            index.size = seq
    noting.finish()
    if doubled := structure.doubled():
        raise Damaged(doubled, "a second event in its slot")
    return ReadLog(log, index, structure.tree)
