"""A moment of a log, as a person names it, and the volume that it lies in."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile

import msgspec

from quasar.errors import Damaged, UsageError
from quasar.events import BlockObserved
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.state import Until
from quasar.rules.machine import Recorded

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[0-9]{1,16}", re.ASCII)


def parse_moment(text: str | None) -> Until:
    """``1234``: after that event. ``block:123`` or ``#123``: at that block. Else a time, UTC.

    Raises UsageError for anything else.
    """
    if text is None:
        return Until()
    number = text.removeprefix("block:").removeprefix("#")
    if _NUMBER.fullmatch(number):
        return Until(seq=int(number)) if number == text else Until(block=int(number))
    return Until(at=_nanoseconds(text))


def _nanoseconds(text: str) -> int:
    """Unix time; one without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no moment: give the number of an event, block:N, or a time in UTC like "
            "2026-11-22T14:40:00"
        ) from None
    since = moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def volume_at(volumes: Sequence[ArchiveLog], to: Until) -> ArchiveLog:
    """The last volume that has begun by then. A number is one of the newest volume's events."""
    if to.block is None and to.at is None:
        return volumes[-1]
    begun = takewhile(lambda log: not _begins_after(log, to), volumes[1:])
    return [volumes[0], *begun][-1]


def _begins_after(log: ArchiveLog, to: Until) -> bool:
    """Whether even the volume's first event, or its first block, comes later."""
    for seq, line in log.verified():
        try:
            seen = Recorded(seq, line)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise Damaged(seq, f"not an event: {problem}") from None
        if to.at is not None or isinstance(seen.event, BlockObserved):
            return to.excludes(seen)
    return True
