"""From an accuracy to a mean, and what a mean is worth."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.rules.rewards import MEANS, REWARDS, Earned, total
from quasar.rules.statistics import mean_of, standard_error, summarise


@pytest.mark.parametrize(
    ("accuracy", "multiplier", "reward"),
    [
        (0.60, 2.0, 1.0),  # the published example, at 2m
        (0.50, 2.0, 1.0),
        (0.49, 2.0, 0.98),
        (1.0, 1.0, 1.0),
        (1.0, 2.0, 1.0),
        (0.0, 2.0, 0.0),
        (0.5, 1.2, 0.6),
        (0.5, 1.8, 0.9),
    ],
)
def test_the_published_reward(accuracy: float, multiplier: float, reward: float) -> None:
    """readme-v1: min(accuracy * multiplier, 1.0)."""
    assert REWARDS["capped@1"](Earned(accuracy, multiplier)) == reward


@pytest.mark.parametrize(
    ("metric", "accuracy"),
    [
        (math.nan, 0.0),
        (-math.nan, 0.0),
        (-0.1, 0.0),
        (-math.inf, 0.0),
        (math.inf, 1.0),
        (1.5, 1.0),
        (1.0, 1.0),
        (0.25, 0.25),
        (-0.0, 0.0),
        (5e-324, 5e-324),
    ],
)
def test_any_number_becomes_an_accuracy(metric: float, accuracy: float) -> None:
    """NaN and what lies below 0 is 0; what lies above 1 is 1; never a minus zero."""
    assert repr(total(metric)) == repr(accuracy)


def test_the_capped_mean_is_over_rewards() -> None:
    """Length cannot lift a right answer above 1, and a zero counts."""
    answers = [Earned(1.0, 2.0), Earned(0.0, 2.0), Earned(1.0, 1.0)]
    assert MEANS["capped@1"](answers) == 2 / 3


def test_the_weighted_mean_pays_for_length() -> None:
    """weighted-v1: a failed long task costs more than a failed short one."""
    assert REWARDS["weighted@1"](Earned(0.6, 2.0)) == 0.6
    assert MEANS["weighted@1"]([Earned(1.0, 2.0), Earned(0.0, 1.0)]) == 2 / 3
    assert MEANS["weighted@1"]([Earned(0.0, 2.0), Earned(1.0, 1.0)]) == 1 / 3


EARNED = st.builds(Earned, st.floats(0, 1), st.floats(0.1, 10))


@pytest.mark.parametrize("name", sorted(MEANS))
@given(answers=st.lists(EARNED, min_size=1, max_size=20), data=st.data())
def test_order_changes_no_mean(name: str, answers: list[Earned], data: st.DataObject) -> None:
    """The same answers in any order give the same bits, between 0 and 1."""
    mean = MEANS[name](answers)
    assert mean == MEANS[name](data.draw(st.permutations(answers)))
    assert 0.0 <= mean <= 1.0 + 1e-12
    assert all(0.0 <= REWARDS[name](a) <= 1.0 for a in answers)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        # Newcombe 1998, table I (81/263, 15/148, 0/20, 1/29), 95 % Wilson without correction
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_wilsons_interval(right: int, n: int, low: float, high: float) -> None:
    """Exact items get Wilson's interval, equal to published values."""
    summary = summarise([1.0] * right + [0.0] * (n - right))
    assert summary is not None
    assert summary.n == n
    assert summary.mean == right / n
    assert (round(summary.low, 4), round(summary.high, 4)) == (low, high)


def test_a_graded_sample_gets_the_normal_interval() -> None:
    """mean -/+ 1.96 se, with the sample's own variance, cut to [0, 1]."""
    summary = summarise([0.2, 0.4, 0.6, 0.8])
    assert summary is not None
    se = math.sqrt((0.09 + 0.01 + 0.01 + 0.09) / 12)
    assert summary.mean == 0.5
    assert summary.se == pytest.approx(se)
    assert summary.low == pytest.approx(0.5 - 1.96 * se)
    assert summary.high == pytest.approx(0.5 + 1.96 * se)


def test_small_samples_say_so() -> None:
    """None gives nothing; one graded value could be anything; one exact value has no error."""
    assert summarise([]) is None
    one = summarise([0.5])
    assert one is not None
    assert (one.se, one.low, one.high) == (None, 0.0, 1.0)
    exact = summarise([1.0])
    assert exact is not None
    assert exact.se is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_summary_is_in_bounds(values: list[float]) -> None:
    """The interval holds the mean and stays inside [0, 1]."""
    summary = summarise(values)
    assert summary is not None
    assert summary.mean == mean_of(values)
    assert 0.0 <= summary.low <= summary.mean + 1e-12
    assert summary.mean - 1e-12 <= summary.high <= 1.0
    if len(values) > 1:
        assert summary.se == standard_error(values, summary.mean) >= 0.0
