"""A log read for people: every line verified on the way, as an audit does it."""

from collections.abc import AsyncGenerator, Callable

from quasar.errors import CannotJudge, Damaged
from quasar.log import Log
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.archive import ArchiveCheck
from quasar.replay.leaves import LeafTree
from quasar.replay.structure import StructureCheck
from quasar.replay.versions import advised, check_versions
from quasar.rules.machine import Recorded

Progress = Callable[[int, int], None]
"""Called with events done and events in all."""


class Reading:
    """Events of a log, in order. Raises Damaged at the first that is not what was written."""

    def __init__(self, log: Log, progress: Progress | None = None) -> None:
        self._log = log
        self._progress = progress
        self._structure = StructureCheck(log.blobs, LeafTree())

    @property
    def signed(self) -> int:
        """Events under the newest checkpoint that was met and verified so far."""
        return max(self._structure.checkpoints, default=0)

    async def events(self) -> AsyncGenerator[Recorded, None]:
        """All events that the log has now. What is cut short is compared with its hashes only.

        Raises Damaged, or CannotJudge where this program lacks what the log was made with.
        """
        try:
            async for seen in self._events():
                yield seen
        except CannotJudge as missing:
            raise await advised(self._log, missing) from None

    async def _events(self) -> AsyncGenerator[Recorded, None]:
        log, structure = self._log, self._structure
        archive = ArchiveCheck(log, structure) if isinstance(log, ArchiveLog) else None
        last = await log.head()
        if last == 0 and archive is None:
            raise Damaged(1, "missing: a log starts with LogOpened")
        async for seq, line in log.read():
            seen = structure.feed(seq, line, archive.next_hash(seq) if archive else None)
            check_versions(seen, log.blobs)
            yield seen
            if self._progress is not None:
                self._progress(seq, last)
            if seq >= last and archive is None:
                return  # a live log would go on for ever
        if archive is not None:
            archive.finish()
        if doubled := structure.doubled():
            raise Damaged(doubled, "a second event in a slot that was filled long before")
