"""The log keys of an archive: read from its lines, and told to people."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from quasar.errors import Damaged
from quasar.events.note import LogKeys
from quasar.events.opening import read_opening
from quasar.events.rotation import keys_after
from quasar.log.archive_reader import ArchiveLog
from quasar.log.rotations import is_rotation


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A log key, and the checkpoints that count under it."""

    key: str
    """Public, hex."""
    first: int
    """Events under the smallest of them."""
    last: int | None
    """And under the largest; None as long as the key is in use."""
    state: Literal["in use", "rotated", "revoked"]


def rotation_lines(log: ArchiveLog, last: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Lines that replace the log key, up to event ``last``, with their numbers.

    Raises Damaged as ``ArchiveLog.lines``, and for a rotation that is too long. The lines are not
    compared with their hashes.
    """
    for seq, line in log.lines():
        if last is not None and seq > last:
            return
        if is_rotation(seq, line):
            yield seq, line


def archive_keys(log: ArchiveLog) -> LogKeys:
    """The keys as the hotkey signed them. Raises Damaged where it did not, or no line is there."""
    _, line = next(log.lines(), (0, None))
    if line is None:
        raise Damaged(1, "missing: a log starts with LogOpened")
    return keys_after(read_opening(line), rotation_lines(log))


def show_keys(keys: LogKeys) -> list[KeyShown]:
    """For people and programs."""
    return [
        KeyShown(
            key=key.public_key.hex(),
            first=key.first,
            last=key.last,
            state="in use" if key.last is None else "revoked" if key.revoked else "rotated",
        )
        for key in keys.ranges
    ]


def key_words(key: KeyShown) -> str:
    """Such as ``0a1b... signs checkpoints from 120 on``, for a line of text."""
    if key.last is None:
        return f"{key.key} signs checkpoints from {key.first} on"
    if key.last < key.first:
        return f"{key.key} {key.state}, signed no checkpoint that counts"
    return f"{key.key} {key.state}, signed checkpoints from {key.first} to {key.last}"
