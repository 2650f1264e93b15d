"""Of an archive that is being written: what its newest checkpoint covers."""

import msgspec

from quasar.errors import CannotJudge, LogError
from quasar.events.note import parse_checkpoint
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import is_locked
from quasar.log.manifest import Segment


class SignedPart(ArchiveLog):
    """The beginning of an archive. What follows is being written, or was until now."""

    def __init__(self, log: ArchiveLog, size: int) -> None:
        """``log`` with its first ``size`` events, over which its checkpoint is."""
        self.__dict__.update(log.__dict__)
        segments = [
            msgspec.structs.replace(segment, last=min(segment.last, size))
            for segment in log.manifest.segments
            if segment.first <= size
        ]
        self.manifest = msgspec.structs.replace(log.manifest, last=size, segments=segments)

    def checkpoint_beyond(self) -> int | None:
        """None: that the log goes on is known."""
        return None

    def _check_growing(self, segment: Segment) -> None:
        """Lines behind the last are no damage."""

    def _check_no_more_segments(self) -> None:
        """Nor are further segments."""


def signed_part(log: ArchiveLog) -> ArchiveLog:
    """The same log, ending with the newest signed event while its writer is at work.

    The lines behind are not signed yet, which is no damage. One that nobody writes is left as it
    is: there, what nobody signed is for an audit to name.
    """
    size = _covered(log)
    if size >= log.manifest.last:
        return log
    if is_locked(log.folder):
        return SignedPart(log, size)
    again = ArchiveLog(log.folder)  # the writer may have finished since
    return again if _covered(again) > size else log


def _covered(log: ArchiveLog) -> int:
    """Events under the newest checkpoint, as it says."""
    try:
        return parse_checkpoint(log.checkpoint_note() or "").size
    except (CannotJudge, LogError):
        return 0
