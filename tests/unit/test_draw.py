"""Draws are pinned: a changed number would change every recorded task."""

import hashlib
import hmac

import pytest

from quasar.draw import Draw, derive


def test_below_is_hmac_of_purpose_and_index() -> None:
    """Each number is HMAC-SHA256(seed, purpose, 0, index) modulo n, from index 0 on."""
    blocks = [hmac.new(b"seed", b"tasks\0%d" % i, hashlib.sha256).digest() for i in range(3)]
    draw = Draw(b"seed", "tasks")
    assert [draw.below(1000) for _ in range(3)] == [int.from_bytes(b) % 1000 for b in blocks]


def test_known_draws() -> None:
    """The first numbers of a seed are these, on every machine and version."""
    draw = Draw(b"\0" * 32, "test")
    assert [draw.below(100) for _ in range(5)] == [30, 12, 7, 77, 99]


def test_purposes_are_independent() -> None:
    """Drawing for one purpose does not shift another."""
    busy, idle = Draw(b"s", "a"), Draw(b"s", "a")
    other = Draw(b"s", "b")
    first = [busy.below(10**9) for _ in range(3)]
    other.below(10**9)
    assert [idle.below(10**9) for _ in range(3)] == first
    assert Draw(b"s", "b").below(10**9) != first[0]


def test_below_refuses_an_empty_range() -> None:
    """There is no number below zero to draw."""
    with pytest.raises(ValueError, match="below 0"):
        Draw(b"s", "a").below(0)


def test_sample_takes_each_item_at_most_once() -> None:
    """A sample has k different items and leaves the sequence as it was."""
    items = list(range(50))
    sample = Draw(b"s", "a").sample(items, 20)
    assert len(set(sample)) == 20
    assert set(sample) <= set(items)
    assert items == list(range(50))


def test_shuffled_is_a_permutation() -> None:
    """A shuffle keeps every item and, for fifty of them, moves some."""
    shuffled = Draw(b"s", "a").shuffled(range(50))
    assert sorted(shuffled) == list(range(50))
    assert shuffled != list(range(50))


def test_choice_reaches_every_item() -> None:
    """All of four items turn up within a hundred draws."""
    draw = Draw(b"s", "a")
    assert {draw.choice("wxyz") for _ in range(100)} == set("wxyz")


def test_derive_names_its_purpose() -> None:
    """A derived seed is HMAC-SHA256 of the purpose under the seed."""
    assert derive(b"s", "x") == hmac.new(b"s", b"x", hashlib.sha256).digest()
    assert derive(b"s", "x") != derive(b"s", "y")
