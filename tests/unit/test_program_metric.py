"""What code_pass@1 counts, and what is taken for code."""

import pytest

from quasar.events.json_value import Tolerance
from quasar.metrics.program import extract_code, pass_rate


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"1", 1),
        (b' [1, ["a"]] ', [1, ["a"]]),
        (b"1.0", 1.0),
        (b"-0.0", -0.0),
        (b"true", True),
        (b"null", None),
        (b'{"b": 1, "a": [2]}', {"a": [2], "b": 1}),
        (b'"\\u00e9"', "\u00e9"),
        (b"12345678901234567890", 12345678901234567890),
    ],
)
def test_equal(output: bytes, expected: object) -> None:
    """Spelling does not matter, values do."""
    assert pass_rate([output], [expected]) == 1.0


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (None, None),
        (b"", None),
        (b"1.0", 1),
        (b"1", 1.0),
        (b"true", 1),
        (b"1", True),
        (b"false", 0),
        (b'"1"', 1),
        (b"[1, 2]", [1]),
        (b"[1]", [1, 2]),
        (b"[true]", [1]),
        (b'{"a": 1.0}', {"a": 1}),
        (b'{"a": 1, "b": 2}', {"a": 1}),
        (b"null", False),
        (b"-0.0", 0.0),
        (b"NaN", 0.0),
        (b"1e999", 1.0),
        (b"1 1", 1),
        (b"[1,]", [1]),
        (b"\xff", "\ufffd"),
        (b"[" * 100_000, []),
        (b"9" * 10_000, 9),
    ],
)
def test_different(output: bytes | None, expected: object) -> None:
    """No type passes for another, and what is not JSON is no value."""
    assert pass_rate([output], [expected]) == 0.0


def test_share_of_cases() -> None:
    """Each case counts the same."""
    assert pass_rate([b"1", b"2", None, b"4"], [1, 3, 3, 4]) == 0.5
    assert pass_rate([], []) == 0.0


def test_a_case_may_allow_a_distance() -> None:
    """For itself alone."""
    outputs, expected = [b"0.30000000000000004", b"0.30000000000000004"], [0.3, 0.3]
    assert pass_rate(outputs, expected) == 0.0
    assert pass_rate(outputs, expected, [Tolerance("1e-9"), None]) == 0.5
    with pytest.raises(ValueError, match=r"."):
        pass_rate(outputs, expected, [None])


def test_outcomes_must_be_of_these_cases() -> None:
    """Another number of outcomes is a mistake of the caller, never a score."""
    with pytest.raises(ValueError, match="1 outcomes cannot be outcomes of 2 cases"):
        pass_rate([b"1"], [1, 2])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("x = 1", "x = 1"),
        ("```python\nx = 1\n```", "x = 1"),
        ("One:\n```\nx = 1\n```\nOr:\n ```py\nx = 2\ny = 3\n``` \nDone.", "x = 2\ny = 3"),
        ("```python\r\nx = 1\r\n```\r\n", "x = 1\r"),
        ("```python\nx = 1", "x = 1"),
        ("```\n```", ""),
        ("", ""),
        ("a ``` b", "a ``` b"),
    ],
)
def test_code_is_the_last_block(answer: str, code: str) -> None:
    """The last fence wins, an open one holds to the end, and without one all is code."""
    assert extract_code(answer.encode()) == code


def test_bytes_that_are_no_text() -> None:
    """They are replaced, so that every answer is some code."""
    assert extract_code(b"```\n\xffx\n```") == "\ufffdx"
