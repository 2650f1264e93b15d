"""Metrics are total, and form never changes a score."""

from hypothesis import given
from hypothesis import strategies as st

from quasar.metrics import METRICS
from quasar.metrics.unicode14 import is_assigned, restrict

score = METRICS["answer_exact@1"]
NUMBERS = st.integers(0, 10**12)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_every_byte_string_gets_a_number(answer: bytes, expected: str) -> None:
    """Any bytes against any reference give 0.0 or 1.0, marked or not."""
    for given_answer in (answer, b"ANSWER:" + answer, answer + b"\nANSWER: x"):
        assert score(given_answer, expected) in (0.0, 1.0)


@given(NUMBERS, st.sampled_from(",_ "), st.binary(max_size=50).filter(lambda b: b"\n" not in b))
def test_grouped_numbers_equal_plain_ones(number: int, separator: str, before: bytes) -> None:
    """Separators between groups of three do not matter, nor does what stands on earlier lines."""
    grouped = f"{number:,}".replace(",", separator)
    assert score(before + f"\nANSWER: {grouped}.".encode(), str(number)) == 1.0


@given(NUMBERS, NUMBERS)
def test_only_the_right_number_scores(stated: int, expected: int) -> None:
    """Different numbers score nothing, equal ones score one."""
    assert score(f"ANSWER: {stated:,}".encode(), str(expected)) == float(stated == expected)


@given(
    st.lists(NUMBERS, min_size=2, max_size=6), st.sampled_from([", ", "; ", " / ", " or ", "\t"])
)
def test_lists_score_nothing(numbers: list[int], joint: str) -> None:
    """A line that offers several candidates is no answer to any of them."""
    line = f"ANSWER: {joint.join(map(str, numbers))}".encode()
    assert not any(score(line, str(number)) for number in numbers)


@given(st.text(max_size=50))
def test_restrict_is_idempotent_and_keeps_length(text: str) -> None:
    """The result has only characters of Unicode 14, one for each of the text."""
    once = restrict(text)
    assert restrict(once) == once
    assert len(once) == len(text)
    assert all(is_assigned(ord(c)) for c in once)
