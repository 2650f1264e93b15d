"""The tree of a log that is read once: any root that it ever had, in little memory."""

from quasar.events.merkle import EMPTY, HASH_BYTES, Tree, node_hash, parent_hashes
from quasar.replay.spilled import Scratch

CHUNK = 256
"""Leaves under one node that is kept in memory; the leaves themselves are in a file."""
_CHUNK_BYTES = CHUNK * HASH_BYTES
_REMEMBERED = 64


class LeafTree:
    """Grows by leaf hashes and gives the root at any size up to its own.

    A ``Tree`` holds 64 bytes a leaf; this holds a quarter of a byte.
    """

    def __init__(self) -> None:
        self._tail = bytearray()
        self._scratch: Scratch | None = None
        self._levels: list[bytearray] = [bytearray()]
        """Level k: nodes over 256 * 2**k leaves each, joined."""
        self._roots: dict[int, bytes] = {}
        """Those asked for of late: many receipts quote one checkpoint."""

    @property
    def size(self) -> int:
        """Number of leaves."""
        return (len(self._levels[0]) * CHUNK + len(self._tail)) // HASH_BYTES

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash, of 32 bytes."""
        self._tail += leaf
        if len(self._tail) == _CHUNK_BYTES:
            self._scratch = self._scratch or Scratch()
            self._scratch.write(bytes(self._tail))
            self._grow(_root(bytes(self._tail)))
            self._tail.clear()

    def root(self, size: int | None = None) -> bytes:
        """Root over the first ``size`` leaves, or over all. Raises ValueError for more."""
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise ValueError(f"a tree of {self.size} leaves has no root over {size}")
        if size not in self._roots:
            if len(self._roots) >= _REMEMBERED:
                self._roots.clear()
            self._roots[size] = self._root(size)
        return self._roots[size]

    def _root(self, size: int) -> bytes:
        at, rest = divmod(size, CHUNK)
        node = _root(self._leaves(at, rest)) if rest else None
        for k, level in enumerate(self._levels):
            if at >> k & 1:
                i = (at >> k) - 1
                peak = bytes(level[i * HASH_BYTES : (i + 1) * HASH_BYTES])
                node = peak if node is None else node_hash(peak, node)
        return EMPTY if node is None else node

    def _leaves(self, chunk: int, count: int) -> bytes:
        """The first leaves of a chunk."""
        if chunk * HASH_BYTES == len(self._levels[0]) or self._scratch is None:
            return bytes(self._tail[: count * HASH_BYTES])
        return self._scratch.read(chunk * _CHUNK_BYTES, count * HASH_BYTES)

    def _grow(self, node: bytes) -> None:
        """Add a node of level 0, and every parent that it completes."""
        for k, level in enumerate(self._levels):
            level += node
            if len(level) // HASH_BYTES % 2:
                return
            node = parent_hashes(level, len(level) - 2 * HASH_BYTES)
            if k + 1 == len(self._levels):
                self._levels.append(bytearray(node))
                return


def _root(leaves: bytes) -> bytes:
    """Root over at most CHUNK joined leaf hashes."""
    if len(leaves) < _CHUNK_BYTES:
        return Tree(leaves[i : i + HASH_BYTES] for i in range(0, len(leaves), HASH_BYTES)).root()
    while len(leaves) > HASH_BYTES:
        leaves = parent_hashes(leaves)
    return leaves
