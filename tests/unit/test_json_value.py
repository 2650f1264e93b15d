"""Values of strangers: one text each, one way to read it, and floats that may lie apart."""

import json
import math
import sys
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.events.json_value import MAX_DIGITS, Tolerance, canonical_json, read_json, same_json

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@given(JSON, JSON)
def test_one_value_one_text(one: Any, other: Any) -> None:
    """Texts are equal where values are the same, and give the value back."""
    assert same_json(read_json(canonical_json(one)), one)
    assert (canonical_json(one) == canonical_json(other)) == same_json(one, other)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [1, 1.0], "a": None}, b'{"a":null,"b":[1,1.0]}'),
        ("\u00e9\U0001f600\x00", b'"\\u00e9\\ud83d\\ude00\\u0000"'),
        ([True, -0.0, 1e22, 5e-324], b"[true,-0.0,1e+22,5e-324]"),
        (2**70, b"1180591620717411303424"),
    ],
    ids=["keys", "text", "floats", "integer"],
)
def test_the_canonical_text(value: Any, text: bytes) -> None:
    """It is in digests for ever."""
    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf]], ids=str)
def test_no_text_for_what_is_no_number(value: Any) -> None:
    """JSON has none."""
    with pytest.raises(ValueError, match=r"."):
        canonical_json(value)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """With one kind of error, and what is read has a text."""
    try:
        value = read_json(raw)
    except ValueError:
        return
    assert same_json(read_json(canonical_json(value)), value)


def test_of_two_equal_keys_the_last_counts() -> None:
    """As Python's parser has always had it."""
    assert read_json(b'{"a": 1, "b": 0, "a": 2}') == {"a": 2, "b": 0}


def test_the_longest_integer() -> None:
    """The same, however Python's own limit is set."""
    longest = b"-" + b"9" * MAX_DIGITS
    before = sys.get_int_max_str_digits()
    try:
        for limit in (before, 0):
            sys.set_int_max_str_digits(limit)
            assert canonical_json(read_json(longest)) == longest
            with pytest.raises(ValueError, match=r"digits"):
                read_json(longest + b"9")
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize(
    ("found", "expected", "tolerance", "same"),
    [
        (0.1 + 0.2, 0.3, ("1e-15", "0"), True),
        (0.1 + 0.2, 0.3, ("0", "1e-15"), True),
        (0.1 + 0.2, 0.3, ("1e-17", "1e-17"), False),
        (1.5, 1.0, ("0.5", "0"), True),
        (1.1, 1.0, ("0.1", "0"), False),  # 1.1 is a little more than it says
        (110.0, 100.0, ("0", "0.1"), True),
        (100.0, 90.0, ("0", "0.1"), False),
        (-0.0, 0.0, ("0", "0"), True),
        (1e308, -1e308, ("1e308", "0"), False),
        (5e-324, 0.0, ("5e-324", "0"), True),
        ({"a": [1.0, {"b": 2.0}]}, {"a": [1.0, {"b": 2.5}]}, ("0.5", "0"), True),
        ({"a": [1.0, {"b": 2.0}]}, {"a": [1.0, {"b": 2.6}]}, ("0.5", "0"), False),
        (1, 2, ("5", "5"), False),
        (1, 1.0, ("5", "5"), False),
        (True, 1.0, ("5", "5"), False),
        ("1.0", 1.0, ("5", "5"), False),
        ([1.0], [1.0, 1.0], ("5", "5"), False),
        (math.inf, 1.0, ("5", "5"), False),
        (math.nan, math.nan, ("5", "5"), False),
    ],
    ids=range(19),
)
def test_a_tolerance_is_for_floats(
    found: Any, expected: Any, tolerance: tuple[str, str], same: bool
) -> None:
    """Wherever they stand, by as much as its decimals say; integers, types and shapes are exact."""
    assert same_json(found, expected, Tolerance(*tolerance)) is same
    assert not same_json(found, expected)


@given(FLOATS, FLOATS, st.decimals(0, 10, places=4), st.decimals(0, 2, places=4))
def test_the_rule_in_exact_numbers(found: float, expected: float, wide: Any, share: Any) -> None:
    """No rounding on the way: the distance of the two exact values, and exact bounds."""
    bound = max(Fraction(wide), Fraction(share) * abs(Fraction(expected)))
    within = abs(Fraction(found) - Fraction(expected)) <= bound
    assert same_json(found, expected, Tolerance(str(wide), str(share))) == within


@given(JSON)
def test_every_value_is_within_any_tolerance_of_itself(value: Any) -> None:
    """Also of its text's value."""
    assert same_json(value, json.loads(json.dumps(value)), Tolerance())
