"""Is the server's log still what it was? To be asked before anything is appended.

JetStream leaves out what it finds damaged, without a word, and gives the numbers of a lost end out
again. So the highest number that was ever acknowledged is kept beside the log, and the archive is
the second copy that its events are compared with.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from zlib import crc32

import anyio

from quasar.errors import Damaged
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft
from quasar.events.merkle import Tree, leaf_hash
from quasar.log import InRuns, Log, Stored
from quasar.log.archive_writer import ArchiveWriter
from quasar.log.files import make_folder


class Acknowledged:
    """The highest acknowledged number of a volume, in a file of 30 bytes.

    It survives this program, and costs no fsync: after a power cut an older number may stand there,
    or none that can be read, which counts as 0. So it never claims too much.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.seq = _parse(os.pread(self._file, 64, 0))

    def raise_to(self, seq: int) -> None:
        """Keep a number, if it is a higher one."""
        if seq > self.seq:
            self._write(seq)

    def forget(self) -> None:
        """Begin again: the store was given up, and what it alone held with it."""
        self._write(0)

    def close(self) -> None:
        """Let the number reach the disk."""
        os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> "Acknowledged":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, seq: int) -> None:
        os.pwrite(self._file, _line(seq), 0)
        self.seq = seq


class KeptLog:
    """A log whose acknowledgements are kept before anybody acts on them."""

    def __init__(self, log: Log, acknowledged: Acknowledged) -> None:
        self._log = log
        self._acknowledged = acknowledged
        self.read = log.read
        self.head = log.head
        if isinstance(log, InRuns):
            self.runs = log.runs

    @property
    def blobs(self) -> Blobs:
        """As of the log."""
        return self._log.blobs

    async def append(self, step: Sequence[Draft]) -> list[Stored]:
        """As ``Log.append``."""
        stored = await self._log.append(step)
        if stored:
            self._acknowledged.raise_to(max(s.seq for s in stored))
        return stored


async def compare(
    log: Log, writer: ArchiveWriter, acknowledged: Acknowledged, *, silence_s: float = 30.0
) -> None:
    """Read all of the log, and raise Damaged unless every event that must be there is.

    Named is the first that is missing, or differs from the archive's. ``silence_s``: how long an
    event is waited for that the server counts; of a lost last one it never says anything.
    """
    head, held, known = await log.head(), writer.size, acknowledged.seq
    if head < held:
        raise Damaged(head + 1, f"the archive holds {held} events but the server only {head}")
    if head < known:
        raise Damaged(head + 1, f"the server acknowledged {known} events and holds only {head}")
    reader = log.read()
    assert isinstance(reader, AsyncGenerator)
    async with aclosing(reader):
        await _compare_events(reader, writer.tree, head, silence_s)


async def _compare_events(
    reader: AsyncIterator[tuple[int, bytes]], tree: Tree, head: int, silence_s: float
) -> None:
    seq = 0
    try:
        while seq < head:
            with anyio.fail_after(silence_s):
                seq, line = await anext(reader)
            if seq <= tree.size and leaf_hash(line) != tree.leaves(seq - 1, seq):
                raise Damaged(seq, "the server and the archive hold different events")
    except TimeoutError:
        raise Damaged(seq + 1, f"the server counts {head} events and does not give it") from None


def _line(seq: int) -> bytes:
    number = b"%020d" % seq
    return b"%s %08x\n" % (number, crc32(number))


def _parse(data: bytes) -> int:
    number = data[:20]
    if not number.isdigit() or data != _line(int(number)):
        return 0
    return int(number)
