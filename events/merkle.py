"""The Merkle tree over the stored lines: RFC 6962 hashes, RFC 9162 proofs. Pure, hashlib only.

Leaf i is the event with sequence number i + 1. Hashes are 32 bytes; a proof lists them from the
leaf's side up to the root's.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from struct import Struct

HASH_BYTES = 32
EMPTY = sha256(b"").digest()
"""Root of a tree without leaves."""

_PAIR = Struct(f"{2 * HASH_BYTES}s")
_leaf = sha256(b"\x00").copy
_node = sha256(b"\x01").copy
"""Copying a started hash is quicker than joining the prefix to the data."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of a stored line; the prefix keeps a line from posing as an inner node."""
    return sha256(b"\x00" + data).digest()


def leaf_hashes(lines: Iterable[bytes]) -> list[bytes]:
    """``leaf_hash`` of each line, quicker."""
    hashes = []
    for line in lines:
        started = _leaf()
        started.update(line)
        hashes.append(started.digest())
    return hashes


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def parent_hashes(nodes: bytes | bytearray, start: int = 0) -> bytes:
    """``node_hash`` of each pair among joined nodes, from an offset in bytes on; joined."""
    end = start + (len(nodes) - start) // _PAIR.size * _PAIR.size
    parents = []
    for (pair,) in _PAIR.iter_unpack(nodes[start:end]):
        started = _node()
        started.update(pair)
        parents.append(started.digest())
    return b"".join(parents)


class Tree:
    """A growing tree that gives the root and any proof at any size it ever had.

    Level k holds the hashes of all complete subtrees of 2**k leaves, 64 bytes a leaf in all.
    """

    __slots__ = ("_edge_nodes", "_edge_size", "_levels")

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels = [bytearray()]
        self._edge_size = 0
        self._edge_nodes: list[bytes] = []
        self.extend(leaves)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash. Raises ValueError unless it is 32 bytes."""
        if len(leaf) != HASH_BYTES:
            raise ValueError(f"a leaf hash was {len(leaf)} bytes, not {HASH_BYTES}")
        n, k = self.size, 0
        self._levels[0] += leaf
        while n & 1:
            parent = sha256(b"\x01" + self._levels[k][-2 * HASH_BYTES :]).digest()
            n, k = n >> 1, k + 1
            self._level(k).extend(parent)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add many leaf hashes; equal to appending each, and faster. Raises ValueError."""
        batch = list(leaves)
        if any(len(leaf) != HASH_BYTES for leaf in batch):
            raise ValueError(f"every leaf hash must be {HASH_BYTES} bytes")
        self._levels[0] += b"".join(batch)
        k = 0
        while len(self._levels[k]) >= 2 * HASH_BYTES:
            self._complete(k)
            k += 1

    def leaves(self, start: int, end: int) -> bytes:
        """The leaf hashes of [start, end), joined."""
        return bytes(self._levels[0][start * HASH_BYTES : end * HASH_BYTES])

    def root(self, size: int | None = None) -> bytes:
        """Root over the first ``size`` leaves, or over all."""
        size = self.size if size is None else size
        self._check(0, size)
        return self._edge(size)[-1] if size else EMPTY

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that leaf ``index`` stands in the tree of ``size`` leaves. Raises ValueError."""
        self._check(index + 1, size)
        if index < 0:
            raise ValueError(f"there is no leaf {index}")
        return self._path(0, index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that the tree of ``old`` leaves is a prefix of that of ``new``. Raises ValueError.

        Empty where ``old`` is 0 or ``new``: nothing needs to be shown.
        """
        self._check(old, new)
        if old in (0, new):
            return []
        k = (old & -old).bit_length() - 1  # the old tree's last complete subtree has 2**k leaves
        at = (old >> k) - 1
        path = self._path(k, at, new)
        return [self._hash(k, at), *path] if at else path  # the verifier knows the old root itself

    def _check(self, part: int, size: int) -> None:
        if not 0 <= part <= size <= self.size:
            raise ValueError(f"a tree of {self.size} leaves cannot prove {part} of {size}")

    def _level(self, k: int) -> bytearray:
        if k == len(self._levels):
            self._levels.append(bytearray())
        return self._levels[k]

    def _complete(self, k: int) -> None:
        """Hash the pairs of level k that have no parent yet."""
        parents = self._level(k + 1)
        parents += parent_hashes(self._levels[k], len(parents) * 2)

    def _path(self, k: int, at: int, size: int) -> list[bytes]:
        """The siblings that lead from node ``at`` of level k up to the root over ``size``."""
        edge = self._edge(size)
        path, last = [], (size - 1) >> k
        while last:
            sibling = at ^ 1
            if sibling < last:
                path.append(self._hash(k, sibling))
            elif sibling == last:
                path.append(edge[k])
            at, last, k = at >> 1, last >> 1, k + 1
        return path

    def _edge(self, size: int) -> list[bytes]:
        """The last node of each level of the tree over ``size`` leaves, up to its root.

        They are the only nodes that a smaller tree does not share with a larger one. Proofs come
        in runs under one checkpoint, so those of the last size asked for are kept.
        """
        if size != self._edge_size:
            last = size - 1
            edge = [self._hash(0, last)]
            for k in range(last.bit_length()):
                right = edge[k]
                edge.append(node_hash(self._hash(k, last - 1), right) if last & 1 else right)
                last >>= 1
            self._edge_size, self._edge_nodes = size, edge
        return self._edge_nodes

    def _hash(self, k: int, at: int) -> bytes:
        """A node that is complete."""
        return bytes(self._levels[k][at * HASH_BYTES : (at + 1) * HASH_BYTES])


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether the proof leads from a leaf hash to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _hashes([leaf, root, *proof]):
        return False
    at, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            computed = node_hash(sibling, computed)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and computed == root


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Whether the proof shows the old tree to be a prefix of the new one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new or not _hashes([old_root, new_root, *proof]):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    return bool(path) and _climb(old, new, path) == (old_root, new_root)


def _climb(old: int, new: int, path: list[bytes]) -> tuple[bytes, bytes] | None:
    """The old and the new root that a consistency path leads to; None if its length is wrong."""
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_root = new_root = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            old_root, new_root = node_hash(sibling, old_root), node_hash(sibling, new_root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_root = node_hash(new_root, sibling)
        at, last = at >> 1, last >> 1
    return (old_root, new_root) if last == 0 else None


def _hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
