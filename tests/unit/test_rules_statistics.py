"""Errors, differences and ranks: their formulas, on samples small enough to do by hand."""

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.rules import ranks
from quasar.rules.ranks import Contexts, Place
from quasar.rules.statistics import (
    Difference,
    Summary,
    clustered_error,
    difference,
    mean_of,
    standard_error,
    summarise,
)

SCORES = st.floats(0.0, 1.0, allow_nan=False)
CLUSTERED = st.lists(st.tuples(SCORES, st.integers(0, 4)), min_size=2, max_size=20)


def by_definition(values: Sequence[float], clusters: Sequence[int]) -> float:
    """Miller's double sum, written out."""
    n, mean = len(values), mean_of(values)
    extra = [
        (values[i] - mean) * (values[j] - mean)
        for i in range(n)
        for j in range(n)
        if i != j and clusters[i] == clusters[j]
    ]
    plain = standard_error(values, mean)
    return math.sqrt(max(0.0, plain * plain + math.fsum(extra) / n / n))


@given(CLUSTERED)
def test_the_clustered_error_is_millers(sample: list[tuple[float, int]]) -> None:
    """The linear form gives what the double sum gives; one cluster tells nothing."""
    values, clusters = [v for v, _ in sample], [c for _, c in sample]
    found = clustered_error(values, clusters, mean_of(values))
    if len(set(clusters)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(by_definition(values, clusters), abs=1e-7)


def test_answers_of_one_context_count_as_less_than_as_many() -> None:
    """Ten contexts asked twice, always with equal outcome: nearly the error of ten answers."""
    once = [1.0, 0.0] * 5
    twice, contexts = [*once, *once], [*range(10), *range(10)]
    alone, clustered = summarise(twice), summarise(twice, contexts)
    assert alone is not None
    assert clustered is not None
    assert alone.se is not None
    assert clustered.se == pytest.approx(math.sqrt(0.25 / 19 + 0.25 / 20))
    assert clustered.high - clustered.low > alone.high - alone.low
    assert summarise(once, range(10)) == summarise(once)


def test_a_single_context_has_no_error() -> None:
    """However often it is asked: the interval is all there is."""
    assert summarise([1.0, 1.0, 0.0], ["a"] * 3) == Summary(3, 2 / 3, None, 0.0, 1.0)


def test_paired_differences_cancel_what_is_hard_for_both() -> None:
    """Only shared contexts count; a constant lead has no error at all."""
    one = {context: context / 10 for context in range(8)}
    two = {context: context / 10 - 0.0625 for context in range(2, 20)}
    found = difference(one, two)
    assert found is not None
    assert found.n == 6
    assert found.mean == pytest.approx(0.0625)
    assert found.se == pytest.approx(0.0, abs=1e-12)
    assert difference(one, {99: 1.0}) is None
    assert difference({1: 1.0}, {1: 0.5}) == Difference(1, 0.5, None, -1.0, 1.0)


def contexts(rows: Mapping[str, Sequence[float]]) -> Contexts:
    """Scores by miner, of contexts 0, 1, ..."""
    found = Contexts()
    for name, scores in rows.items():
        for context, score in enumerate(scores):
            found.add(name, context, score)
    return found


def test_clear_ranks_are_sure() -> None:
    """Who is always better is always first, and of five the last is never among three."""
    rows = {name: [step / 5] * 40 for step, name in enumerate("edcba", 1)}
    places = contexts(rows).places()
    assert places["a"] == Place(1, 1, 1.0)
    assert places["c"] == Place(3, 3, 1.0)
    assert places["e"] == Place(5, 5, 0.0)


def test_equals_share_their_ranks() -> None:
    """The same scores give the same place, from the best rank to the worst of them."""
    places = contexts({"a": [1.0, 0.0] * 9, "b": [1.0, 0.0] * 9, "c": [0.0] * 18}).places()
    assert places["a"] == places["b"] == Place(1, 2, 1.0)
    assert places["c"].high == 3


def test_unsure_ranks_say_so() -> None:
    """One answer of forty apart, on other contexts: either may be first."""
    one, two = [1.0] * 21 + [0.0] * 19, [0.0] * 20 + [1.0] * 20
    places = contexts({"a": one, "b": two}).places()
    assert (places["a"].low, places["a"].high) == (1, 2)
    assert (places["b"].low, places["b"].high) == (1, 2)


def test_what_is_hard_for_all_moves_no_rank() -> None:
    """Always the same small step behind, on contexts that differ widely: the ranks are sure."""
    hard = [context % 10 / 10 for context in range(40)]
    places = contexts({"a": [h + 0.01 for h in hard], "b": hard}).places()
    assert (places["a"], places["b"]) == (Place(1, 1, 1.0), Place(2, 2, 1.0))


def test_many_contexts_are_drawn_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays, sums stay, and who came late has no score in the groups before."""
    monkeypatch.setattr(ranks, "GROUPS", 8)
    found = contexts({"a": [1.0, 0.0, 0.5] * 11})
    found.add("b", 32, 1.0)
    assert found._sums["a"] == [4.0, 4.5, 3.5, 4.0, 0.5]
    assert found._counts["a"] == [8, 8, 8, 8, 1]


def test_places_are_the_same_everywhere() -> None:
    """The draws are fixed: these numbers change only with the seed's name, in no order of names."""
    rows = {
        name: [float((3 * i + step) % 7 < 4) for i in range(30)] for step, name in enumerate("abcd")
    }
    places = contexts(rows).places()
    assert [places[name].top for name in "abcd"] == [0.817, 0.811, 0.855, 0.72]
    assert contexts(dict(reversed(rows.items()))).places() == places


def test_nobody_has_no_place() -> None:
    """Before the first score."""
    assert Contexts().places() == {}
