"""Whose turn it is: a rotation in which everyone present takes part equally often.

The order is fixed before the beacon: by how long one has waited, then, for those who come new, by
a hash over the block that opens the round. So nobody can choose a hotkey that is drawn at will,
and a validator cannot choose whom it asks.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import NamedTuple


class Waiting(NamedTuple):
    """One who is present."""

    hotkey: str
    rounds: int
    """Opened rounds of its presence since its last turn."""


class Turn(NamedTuple):
    """One round's."""

    chosen: list[str]
    """Sorted."""
    after: list[Waiting]
    """Everyone present, by who is next."""


def take_turn(
    queue: Sequence[Waiting], present: Collection[str], block_hash: str, rounds: int
) -> Turn:
    """Choose a ``rounds``-th of those present, rounded up, and whoever else could wait no longer.

    In a subnet where nobody comes or goes, the numbers of turns of two hotkeys in any span differ
    by one at most.
    """
    line = [waiting for waiting in queue if waiting.hotkey in present]
    known = {waiting.hotkey for waiting in line}
    new = sorted((_lot(hotkey, block_hash), hotkey) for hotkey in present if hotkey not in known)
    line += [Waiting(hotkey, 0) for _, hotkey in new]
    share = -(-len(line) // rounds)
    chosen, left = list[str](), list[Waiting]()
    for place, waiting in enumerate(line):
        if place < share or waiting.rounds + 1 >= rounds:
            chosen.append(waiting.hotkey)
        else:
            left.append(Waiting(waiting.hotkey, waiting.rounds + 1))
    return Turn(sorted(chosen), [*left, *(Waiting(hotkey, 0) for hotkey in chosen)])


def _lot(hotkey: str, block_hash: str) -> bytes:
    return hashlib.sha256(f"{block_hash} {hotkey}".encode()).digest()
