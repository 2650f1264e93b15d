"""A Merkle tree made in parts: each part hashed on its own, the root from what is left of them."""

from collections.abc import Iterable, Iterator

from quasar.events.merkle import EMPTY, HASH_BYTES, node_hash, parent_hashes


class Frontier:
    """A tree that keeps the roots of its complete subtrees only: 32 bytes for each doubling.

    It gives the root at its present size, and grows by leaves or by the nodes of a ``Span``.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def extend(self, end: int, nodes: Iterable[bytes]) -> None:
        """Grow to ``end`` leaves. Raises ValueError unless nodes cover exactly those between."""
        for k, node in zip(_cover(self.size, end), nodes, strict=True):
            self.size += 1 << k
            while self._peaks and self._peaks[-1][0] == k:
                node, k = node_hash(self._peaks.pop()[1], node), k + 1
            self._peaks.append((k, node))

    def root(self) -> bytes:
        """Root over all leaves so far."""
        return self.root_with(self.size, ())

    def root_with(self, end: int, nodes: Iterable[bytes]) -> bytes:
        """What ``root`` would be after ``extend``. Raises ValueError as that."""
        grown = Frontier()
        grown.size, grown._peaks = self.size, self._peaks.copy()
        grown.extend(end, nodes)
        if not grown._peaks:
            return EMPTY
        *left, (_, root) = grown._peaks
        for _, peak in reversed(left):
            root = node_hash(peak, root)
        return root


class Span:
    """Leaves [start, end) of a larger tree, hashed on their own, so that processes can share one.

    ``nodes`` gives a ``Frontier`` of ``start`` leaves what it needs to grow by them.
    """

    __slots__ = ("_levels", "_start", "end")

    def __init__(self, start: int, leaves: bytes) -> None:
        """``leaves`` are the joined hashes. Raises ValueError for half a hash."""
        if len(leaves) % HASH_BYTES:
            raise ValueError(f"every leaf hash must be {HASH_BYTES} bytes")
        self._start = start
        self.end = start + len(leaves) // HASH_BYTES
        self._levels = [(start, leaves)]
        while len(leaves) >= 2 * HASH_BYTES:
            odd = start & 1  # its left sibling stands before this span
            start, leaves = (start + odd) // 2, parent_hashes(leaves, odd * HASH_BYTES)
            self._levels.append((start, leaves))

    def nodes(self, end: int) -> list[bytes]:
        """The fewest complete subtrees that make up [start, end), left to right."""
        if not self._start <= end <= self.end:
            raise ValueError(f"leaves {self._start} to {self.end} do not reach {end}")
        at, nodes = self._start, []
        for k in _cover(self._start, end):
            first, level = self._levels[k]
            i = ((at >> k) - first) * HASH_BYTES
            nodes.append(level[i : i + HASH_BYTES])
            at += 1 << k
        return nodes


def _cover(start: int, end: int) -> Iterator[int]:
    """Levels of the fewest complete subtrees over the leaves [start, end), left to right."""
    while start < end:
        k = (end - start).bit_length() - 1
        if start:
            k = min(k, (start & -start).bit_length() - 1)
        yield k
        start += 1 << k
