"""The Merkle tree against RFC 6962's recursive definition and its known roots."""

from collections.abc import Callable

import pytest

from quasar.events.frontier import Frontier, Span
from quasar.events.merkle import (
    EMPTY,
    Tree,
    leaf_hash,
    leaf_hashes,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
"""Leaf and size to the proof that Certificate Transparency's programs are tested with."""
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
"""Old and new size to the proof."""
LIMIT = 100
LEAVES = [leaf_hash(b"%d" % i) for i in range(LIMIT)]


def split(n: int) -> int:
    """The largest power of two below n, by counting up."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(root_of(leaves[:k]), root_of(leaves[k:]))


def path_of(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path_of(m, leaves[:k]), root_of(leaves[k:])]
    return [*path_of(m - k, leaves[k:]), root_of(leaves[:k])]


def proof_of(m: int, leaves: list[bytes], complete: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if m == len(leaves):
        return [] if complete else [root_of(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*proof_of(m, leaves[:k], complete), root_of(leaves[k:])]
    return [*proof_of(m - k, leaves[k:], False), root_of(leaves[:k])]


@pytest.fixture(scope="module")
def tree() -> Tree:
    """A tree of all leaves."""
    return Tree(LEAVES)


def test_known_roots() -> None:
    """The eight roots that every RFC 6962 program is tested with come out."""
    tree = Tree()
    for data, root in zip(INPUTS, ROOTS, strict=True):
        tree.append(leaf_hash(bytes.fromhex(data)))
        assert tree.root().hex() == root


KNOWN = Tree(leaf_hash(bytes.fromhex(data)) for data in INPUTS)


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_known_inclusion_proofs(index: int, size: int) -> None:
    """The published proofs come out, and are accepted."""
    proof = [bytes.fromhex(value) for value in INCLUSION[(index, size)]]
    assert KNOWN.inclusion(index, size) == proof
    leaf, root = leaf_hash(bytes.fromhex(INPUTS[index])), bytes.fromhex(ROOTS[size - 1])
    assert verify_inclusion(leaf, index, size, proof, root)


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_known_consistency_proofs(old: int, new: int) -> None:
    """The published proofs come out, and are accepted."""
    proof = [bytes.fromhex(value) for value in CONSISTENCY[(old, new)]]
    assert KNOWN.consistency(old, new) == proof
    roots = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    assert verify_consistency(old, new, proof, *roots)


def test_empty_root() -> None:
    """A tree without leaves has the hash of nothing as its root."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Tree().root().hex() == empty
    assert Tree().size == 0


def test_every_root(tree: Tree) -> None:
    """The root at each size equals the recursive definition."""
    for size in range(LIMIT + 1):
        assert tree.root(size) == root_of(LEAVES[:size])


def test_every_inclusion_proof(tree: Tree) -> None:
    """Each leaf's proof at each size is the defined one and verifies."""
    for size in range(1, LIMIT + 1):
        root = tree.root(size)
        for index in range(size):
            proof = tree.inclusion(index, size)
            assert proof == path_of(index, LEAVES[:size])
            assert verify_inclusion(LEAVES[index], index, size, proof, root)


def test_every_consistency_proof(tree: Tree) -> None:
    """The proof between any two sizes is the defined one and verifies."""
    for new in range(1, LIMIT + 1):
        root = tree.root(new)
        for old in range(1, new + 1):
            proof = tree.consistency(old, new)
            assert proof == proof_of(old, LEAVES[:new])
            assert verify_consistency(old, new, proof, tree.root(old), root)


def test_forged_inclusion_proofs(tree: Tree) -> None:
    """A changed, shortened, lengthened or misplaced inclusion proof fails."""
    for size in range(1, 35):
        root = tree.root(size)
        for index in range(size):
            leaf, proof = LEAVES[index], tree.inclusion(index, size)
            for i in range(len(proof)):
                forged = [*proof[:i], bytes(32), *proof[i + 1 :]]
                assert not verify_inclusion(leaf, index, size, forged, root)
            assert not proof or not verify_inclusion(leaf, index, size, proof[:-1], root)
            assert not proof or not verify_inclusion(leaf, index, size, proof[1:], root)
            assert not verify_inclusion(leaf, index, size, [*proof, bytes(32)], root)
            assert not verify_inclusion(leaf_hash(b"x"), index, size, proof, root)
            for other in range(-1, size + 1):
                assert other == index or not verify_inclusion(leaf, other, size, proof, root)


def test_forged_consistency_proofs(tree: Tree) -> None:
    """A changed, shortened or lengthened consistency proof fails, and so do foreign roots."""
    for new in range(2, 35):
        root = tree.root(new)
        for old in range(1, new):
            past, proof = tree.root(old), tree.consistency(old, new)
            for i in range(len(proof)):
                forged = [*proof[:i], bytes(32), *proof[i + 1 :]]
                assert not verify_consistency(old, new, forged, past, root)
            assert not verify_consistency(old, new, proof[:-1], past, root)
            assert not verify_consistency(old, new, [*proof, bytes(32)], past, root)
            assert not verify_consistency(old, new, proof, bytes(32), root)
            assert not verify_consistency(old, new, proof, past, bytes(32))
            assert not verify_consistency(new, old, proof, past, root)


def test_consistency_with_nothing(tree: Tree) -> None:
    """Every tree continues the empty one, and itself, without a proof."""
    root = tree.root(7)
    assert tree.consistency(0, 7) == tree.consistency(7, 7) == []
    assert verify_consistency(0, 7, [], EMPTY, root)
    assert verify_consistency(7, 7, [], root, root)
    assert not verify_consistency(0, 7, [], root, root)
    assert not verify_consistency(7, 7, [], EMPTY, root)
    assert not verify_consistency(0, 7, [root], EMPTY, root)


def test_hashes_of_another_length_fail(tree: Tree) -> None:
    """A proof of hashes that are not 32 bytes is refused, whatever it computes."""
    proof = tree.inclusion(3, 8)
    assert not verify_inclusion(LEAVES[3], 3, 8, [proof[0] + b"x", *proof[1:]], tree.root(8))
    assert not verify_inclusion(LEAVES[3], 3, 8, proof, tree.root(8)[:-1])


@pytest.mark.parametrize(
    "ask",
    [
        lambda tree: tree.root(LIMIT + 1),
        lambda tree: tree.root(-1),
        lambda tree: tree.inclusion(5, 5),
        lambda tree: tree.inclusion(-1, 5),
        lambda tree: tree.inclusion(5, LIMIT + 1),
        lambda tree: tree.consistency(6, 5),
        lambda tree: tree.consistency(-1, 5),
        lambda tree: tree.append(b"short"),
        lambda tree: tree.extend([bytes(31), bytes(33)]),
    ],
)
def test_what_a_tree_cannot_do(tree: Tree, ask: Callable[[Tree], object]) -> None:
    """A size or leaf that the tree does not have raises ValueError and changes nothing."""
    with pytest.raises(ValueError, match=r"tree|leaf"):
        ask(tree)
    assert tree.size == LIMIT


def test_many_leaf_hashes() -> None:
    """The quick way over many lines gives the hash of each."""
    held = [b"", b"a", b"b" * 1000]
    assert leaf_hashes(held) == [leaf_hash(line) for line in held]


def test_proofs_while_the_tree_grows() -> None:
    """Nothing that was kept for a size is wrong once there are more leaves."""
    grown = Tree()
    for size in range(1, LIMIT + 1):
        grown.append(LEAVES[size - 1])
        for older in (size, size // 2, size):
            assert grown.root(older) == root_of(LEAVES[:older])


@pytest.mark.parametrize("step", [1, 3, 7, 32, 33, LIMIT])
def test_spans_give_a_frontier_every_root(step: int) -> None:
    """A tree hashed in parts has the root of the whole one, at each size on the way."""
    frontier = Frontier()
    for start in range(0, LIMIT, step):
        end = min(start + step, LIMIT)
        span = Span(start, b"".join(LEAVES[start:end]))
        for size in range(start, end + 1):
            assert frontier.root_with(size, span.nodes(size)) == root_of(LEAVES[:size])
        frontier.extend(end, span.nodes(end))
        assert (frontier.size, frontier.root()) == (end, root_of(LEAVES[:end]))


def test_what_a_span_cannot_do() -> None:
    """Half a hash, leaves it does not have, and nodes that do not fit raise ValueError."""
    span, frontier = Span(3, b"".join(LEAVES[3:9])), Frontier()
    for size in (2, 10):
        with pytest.raises(ValueError, match="do not reach"):
            span.nodes(size)
    with pytest.raises(ValueError, match="32 bytes"):
        Span(0, bytes(33))
    with pytest.raises(ValueError, match="zip"):
        frontier.extend(9, span.nodes(9))


def test_leaves(tree: Tree) -> None:
    """The joined leaf hashes of a range are what tiles are made of."""
    assert tree.leaves(2, 5) == b"".join(LEAVES[2:5])
