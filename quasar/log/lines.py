"""A file of stored lines as a log that can only be read: it has no hashes and no notes beside it.

``quasar log export ARCHIVE LINES.jsonl`` writes one; it may be packed (``.jsonl.zst``).
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import anyio.lowlevel

from quasar.errors import Damaged, UsageError
from quasar.events.blobs import Blobs
from quasar.events.envelope import MAX_EVENT_BYTES, Draft
from quasar.log import Stored
from quasar.log.blobs import FolderBlobs
from quasar.log.files import open_regular
from quasar.log.frames import BadFrame, split, unpack

SUFFIXES = (".jsonl", ".jsonl.zst")
_TURN = 1024
"""Events between two chances for other tasks to run."""


def is_lines(source: str) -> bool:
    """Whether a source is such a file, by its name."""
    return source.endswith(SUFFIXES)


class LinesLog:
    """The lines of a file; a ``quasar.log.Log`` that ends. Blobs are in ``blobs`` beside it."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError for what is no file."""
        self.path = path
        self._blobs = FolderBlobs(path.with_name("blobs"), read_only=True)
        self._events: int | None = None
        try:
            open_regular(path.parent, path.name).close()
        except OSError as problem:
            reason = problem.strerror or "cannot be opened"
            raise UsageError(f"{path} cannot be read ({reason}): give a file of lines") from None

    @property
    def blobs(self) -> Blobs:
        """Blobs beside the file; ``put`` raises UsageError."""
        return self._blobs

    async def append(self, step: Sequence[Draft]) -> list[Stored]:  # noqa: ARG002
        """Raises UsageError: a file of lines is read only."""
        raise UsageError(f"{self.path} is a file of lines, which is read only")

    async def head(self) -> int:
        """How many lines there are, up to the first that is none."""
        if self._events is None:
            count = 0
            try:
                for seq, _ in self.lines():
                    count = seq
            except Damaged:
                count += 1  # who reads it meets the damage
            self._events = count
        return self._events

    async def read(self, after: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """Events above ``after``, then the end. Raises Damaged as ``lines``."""
        for seq, line in self.lines():
            if seq % _TURN == 0:
                await anyio.lowlevel.checkpoint()
            if seq > after:
                yield seq, line

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers. Raises Damaged with the first that is none."""
        seq = 0
        try:
            with open_regular(self.path.parent, self.path.name) as file:
                packed = self.path.suffix == ".zst"
                limit = MAX_EVENT_BYTES + 2
                plain = iter(lambda: file.readline(limit), b"")
                for seq, line in enumerate(split(unpack(file), limit) if packed else plain, 1):
                    if not line.endswith(b"\n") or not 1 < len(line) <= MAX_EVENT_BYTES + 1:
                        raise Damaged(seq, f"no whole line of at most {MAX_EVENT_BYTES} bytes")
                    yield seq, line[:-1]
        except (BadFrame, OSError) as problem:
            raise Damaged(seq + 1, f"{self.path.name}: {problem}") from None
