"""Lines that replace a log key, and how much of them a hostile log can make a reader hold."""

from collections.abc import Sequence

from quasar.errors import Damaged
from quasar.events.log import ROTATION_MARK

MAX_ROTATIONS = 1000
"""Of the log key, in a volume."""
MAX_ROTATION_BYTES = 1024
"""The longest line that a rotation can take, and half as much again."""


def note_rotation(rotations: list[tuple[int, bytes]], seq: int, line: bytes) -> None:
    """Keep the line if it replaces the log key. Raises Damaged for what no log writes."""
    if is_rotation(seq, line):
        rotations.append((seq, line))
        check_rotations(rotations)


def is_rotation(seq: int, line: bytes) -> bool:
    """Whether the line replaces the log key. Raises Damaged for one that is too long to."""
    if ROTATION_MARK not in line:
        return False
    if len(line) > MAX_ROTATION_BYTES:
        raise Damaged(seq, f"a rotation of the log key takes at most {MAX_ROTATION_BYTES} bytes")
    return True


def check_rotations(rotations: Sequence[tuple[int, bytes]]) -> None:
    """Raises Damaged where there are more than a volume may have."""
    if len(rotations) > MAX_ROTATIONS:
        seq, _ = rotations[MAX_ROTATIONS]
        raise Damaged(seq, f"a volume replaces its log key at most {MAX_ROTATIONS} times")
