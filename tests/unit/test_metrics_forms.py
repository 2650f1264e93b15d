"""Metrics of answers in a fixed form: sets, numbers, choices, exact match; and their names."""

import pytest

from quasar.metrics import METRICS


def test_a_bare_name_is_the_newest_version() -> None:
    """But only full names are keys: what a log names must be exact."""
    assert METRICS["qa_f1"] is METRICS["qa_f1@1"]
    assert "qa_f1" not in METRICS
    assert METRICS.get("qa_f1") is None
    assert all(name.endswith("@1") for name in METRICS)
    for unknown in ("", "qa", "qa_f1@9", "@1"):
        with pytest.raises(KeyError):
            METRICS[unknown]


@pytest.mark.parametrize(
    ("line", "exact", "f1"),
    [
        ("ANSWER: red, green, blue", 1.0, 1.0),
        ("ANSWER:Blue,RED , green.", 1.0, 1.0),
        ("ANSWER: red\nANSWER: blue, green, red", 1.0, 1.0),
        ("ANSWER: red, green", 0.0, 0.8),
        ("ANSWER: red, green, blue, grey", 0.0, 6 / 7),
        ("ANSWER: red, red, green, blue", 0.0, 6 / 7),
        ("ANSWER: red, green, blue,", 0.0, 6 / 7),
        ("ANSWER: red; green; blue", 0.0, 0.0),
        ("ANSWER: red green blue", 0.0, 0.0),
        ("ANSWER:", 0.0, 0.0),
        ("red, green, blue", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_sets(line: str, exact: float, f1: float) -> None:
    """In any order, each item once, none too many: else it costs precision, or all."""
    assert METRICS["set_exact@1"](line, ["red, green, blue"]) == exact
    assert METRICS["set_f1@1"](line, ["red, green, blue"]) == pytest.approx(f1)
    assert METRICS["set_exact@1"](line, ["x", "blue, red, green"]) == exact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ANSWER: 1234.5", 1.0),
        ("ANSWER: $1,234.50 in all", 1.0),
        ("ANSWER: 1\nANSWER: +01234.500", 1.0),
        ("First 7, so 1,234.5", 1.0),
        ("ANSWER: 1234.5 = 1,234.50", 1.0),
        ("ANSWER: 1234.5 or 7", 0.0),
        ("ANSWER: -1234.5", 0.0),
        ("ANSWER: 1234,5", 0.0),
        ("ANSWER: 1234.51", 0.0),
        ("1234.5 and 7", 0.0),
        ("ANSWER: none\n1234.5", 0.0),
        ("ANSWER: \uff11234.5", 0.0),
        ("", 0.0),
    ],
)
def test_numbers_are_compared_by_value(text: str, expected: float) -> None:
    """One number on the line, or the last one of a text without a line."""
    assert METRICS["numeric@1"](text, ["1,234.5"]) == expected


def test_zero_has_no_sign_and_no_number_is_none() -> None:
    """Two texts without a number are not equal."""
    assert METRICS["numeric@1"]("-0.0", ["0"]) == 1.0
    assert METRICS["numeric@1"]("none", ["none"]) == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The correct answer is (B)", 1.0),
        ("**The correct answer is (B)**.", 1.0),
        ("The correct answer is B", 1.0),
        ("The correct answer is A; no: The correct answer is (B)", 1.0),
        ("The correct answer is (A). The correct answer is (B)", 0.0),
        ("the correct answer is (B)", 0.0),
        ("B", 0.0),
        ("The correct answer is (E)", 0.0),
        ("", 0.0),
    ],
)
def test_choice_is_read_as_longbench_v2_reads_it(text: str, expected: float) -> None:
    """The published sentence, with brackets before without."""
    assert METRICS["choice@1"](text, ["B"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("The U.S.A.!", 1.0), ("  usa ", 1.0), ("usa today", 0.0), ("us", 0.0), ("", 0.0)],
)
def test_exact_match_is_normalised(text: str, expected: float) -> None:
    """Case, ASCII punctuation, articles and blanks do not matter."""
    assert METRICS["exact_match@1"](text, ["USA"]) == expected


def test_rouge_l_without_options_is_as_it_was() -> None:
    """A released metric stays; stems are an option."""
    rouge_l = METRICS["rouge_l@1"]
    assert rouge_l("the running cats", ["the cat runs"]) == 1 / 3
    assert rouge_l("the running cats", ["the cat runs"], stemmer=True) == 2 / 3
    assert METRICS["rouge_lsum@1"]("b\na", ["a\nb"]) == 1.0
    assert METRICS["rouge_lsum@1"]("b a", ["a b"]) == 0.5
    assert METRICS["rouge_1@1"]("b a", ["a b"]) == 1.0
    assert METRICS["rouge_2@1"]("b a", ["a b"]) == 0.0
