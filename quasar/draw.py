"""Counter-based randomness: every number is HMAC-SHA256(seed, purpose, index).

No hidden state: a draw for one purpose never shifts another, on any machine, for ever.
"""

import hashlib
import hmac
import struct
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def derive(seed: bytes, purpose: str) -> bytes:
    """A 32-byte seed of its own for a named purpose."""
    return hmac.digest(seed, purpose.encode(), "sha256")


class Draw:
    """A sequence of draws for one purpose."""

    __slots__ = ("_index", "_prefix", "_seed")

    def __init__(self, seed: bytes, purpose: str) -> None:
        self._seed = seed
        self._prefix = purpose.encode() + b"\0"
        self._index = 0

    def below(self, n: int) -> int:
        """An integer in [0, n). 256 bits modulo n: the bias is under n / 2**256."""
        if n <= 0:
            raise ValueError(f"cannot draw below {n}")
        block = hmac.digest(self._seed, self._prefix + b"%d" % self._index, "sha256")
        self._index += 1
        return int.from_bytes(block) % n

    def choice(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in drawn order (Fisher-Yates)."""
        return self.sample(items, len(items))

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """k different items in drawn order."""
        pool = list(items)
        for i in range(k):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:k]


def bulk(seed: bytes, purpose: str, n: int, count: int) -> list[int]:
    """``count`` integers in [0, n), much faster than as many draws: for whole contexts.

    They are 64-bit words of SHAKE-256 over a seed of the purpose, modulo n: the bias is under
    n / 2**64.
    """
    if not 0 < n <= 2**32:
        raise ValueError(f"cannot draw many below {n}")
    words = hashlib.shake_256(derive(seed, purpose)).digest(8 * count)
    return [word % n for word in struct.unpack(f"<{count}Q", words)]
