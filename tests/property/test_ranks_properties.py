"""Distances of weightings: what holds for all of them."""

from hypothesis import given
from hypothesis import strategies as st

from quasar.replay.ranks import kendall, l1, shares

WEIGHTS = st.lists(st.integers(0, 65535), min_size=2, max_size=12)
PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=12)


@given(PAIRS)
def test_kendall_is_symmetric_and_bounded(pairs: list[tuple[int, int]]) -> None:
    """Both ways the same, from -1 to 1, and turned around it changes its sign."""
    one, two = [a for a, _ in pairs], [b for _, b in pairs]
    found = kendall(one, two)
    assert found == kendall(two, one)
    if found is not None:
        assert -1.0 <= found <= 1.0
        assert kendall(one, [-b for b in two]) == -found


@given(WEIGHTS)
def test_an_order_agrees_with_itself(weights: list[int]) -> None:
    """1 for any rescaling of it, unless all are tied."""
    found = kendall(weights, [3 * w + 1 for w in weights])
    assert found == (1.0 if len(set(weights)) > 1 else None)


@given(PAIRS)
def test_l1_of_shares_is_from_0_to_2(pairs: list[tuple[int, int]]) -> None:
    """Shares add up to one or nothing; no two sets of them are further apart than 2."""
    one, two = (
        shares({str(place): pair[side] for place, pair in enumerate(pairs)}) for side in (0, 1)
    )
    for parts in (one, two):
        assert abs(sum(parts.values()) - any(parts.values())) < 1e-12
    assert 0.0 <= l1(one, two) <= 2.0 + 1e-12
    assert l1(one, two) == l1(two, one)
    assert l1(one, one) == 0.0
