"""Invented names: many, all different, all of one length wherever they stand."""

import pytest

from quasar.benchmarks import names, tokenizer
from quasar.draw import Draw

NAMES = names.many(Draw(b"names", "test"), 600)


def test_many_names_are_different_and_drawn() -> None:
    """Six hundred of one seed; another seed gives others, the same seed the same."""
    assert len(set(NAMES)) == 600
    assert names.many(Draw(b"names", "test"), 10) == NAMES[:10]
    assert names.many(Draw(b"others", "test"), 10) != NAMES[:10]


@pytest.mark.parametrize("around", ["{}", "a {}", "a {}.", "{}, b", "{}'s b", "{}: b", "a {}; b"])
def test_a_name_has_as_many_tokens_as_any_other(around: str) -> None:
    """At the start of a line, after a blank, before punctuation."""
    assert len({tokenizer.count(around.format(name)) for name in NAMES}) == 1


def test_too_many_are_refused() -> None:
    """There is an end to the names of that length."""
    with pytest.raises(AssertionError, match="more than 5000"):
        names.many(Draw(b"names", "test"), names.MANY + 1)
