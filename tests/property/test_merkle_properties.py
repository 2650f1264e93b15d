"""What holds for a Merkle tree however it grew."""

from hypothesis import given
from hypothesis import strategies as st

from quasar.events.frontier import Frontier, Span
from quasar.events.merkle import (
    Tree,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

Batches = st.lists(st.integers(0, 40), max_size=8)


def grow(sizes: list[int]) -> Tree:
    """A tree that grew by batches, every other one leaf by leaf."""
    tree = Tree()
    for i, n in enumerate(sizes):
        leaves = [leaf_hash(b"%d" % k) for k in range(tree.size, tree.size + n)]
        if i % 2:
            tree.extend(leaves)
        else:
            for leaf in leaves:
                tree.append(leaf)
    return tree


@given(Batches)
def test_growth_does_not_matter(sizes: list[int]) -> None:
    """Batches of any size give the same roots as leaf after leaf."""
    mixed, plain = grow(sizes), grow([sum(sizes)])
    assert mixed.size == plain.size
    assert all(mixed.root(n) == plain.root(n) for n in range(plain.size + 1))


@given(Batches.filter(sum), st.data())
def test_proofs_verify_and_bind(sizes: list[int], data: st.DataObject) -> None:
    """A proof of any leaf at any size verifies, and for no other leaf."""
    tree = grow(sizes)
    size = data.draw(st.integers(1, tree.size))
    index = data.draw(st.integers(0, size - 1))
    proof, root = tree.inclusion(index, size), tree.root(size)
    assert verify_inclusion(leaf_hash(b"%d" % index), index, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)


@given(Batches, st.data())
def test_an_older_tree_is_a_prefix(sizes: list[int], data: st.DataObject) -> None:
    """Between any two sizes there is a proof, and a rewritten past has none."""
    tree = grow(sizes)
    new = data.draw(st.integers(0, tree.size))
    old = data.draw(st.integers(0, new))
    proof = tree.consistency(old, new)
    assert verify_consistency(old, new, proof, tree.root(old), tree.root(new))
    if old:
        rewritten = Tree([leaf_hash(b"other"), *[bytes(32)] * (old - 1)])
        assert not verify_consistency(old, new, proof, rewritten.root(), tree.root(new))


@given(Batches)
def test_parts_hashed_apart_make_the_whole(sizes: list[int]) -> None:
    """Spans of any lengths, folded in order, give the root of the tree that grew by batches."""
    tree, frontier = grow([sum(sizes)]), Frontier()
    for n in sizes:
        span = Span(frontier.size, tree.leaves(frontier.size, frontier.size + n))
        frontier.extend(span.end, span.nodes(span.end))
    assert (frontier.size, frontier.root()) == (tree.size, tree.root())
