"""What answer_exact@1 accepts and refuses."""

import pytest

from quasar.metrics import METRICS
from quasar.metrics.unicode14 import restrict


def read(answer: bytes, expected: str) -> float:
    """What a scorer makes of it."""
    said = restrict(answer.decode("utf-8", "replace"))
    return METRICS["answer_exact@1"](said, [expected])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("ANSWER: 4812907", "4812907"),
        ("ANSWER:4812907", "4812907"),
        ("  \tANSWER: 4812907  \r\n", "4812907"),
        ("ANSWER: 4,812,907", "4812907"),
        ("ANSWER: 4_812_907.", "4812907"),
        ("ANSWER: 4 812 907", "4812907"),
        ("Let me see.\nANSWER: 1\nNo:\nANSWER: 4812907\nThat is it.", "4812907"),
        ("ANSWER: vupuVANTH.", "Vupuvanth"),
        ("\xff\n ANSWER: Vupuvanth", "Vupuvanth"),
    ],
)
def test_right(answer: str, expected: str) -> None:
    """The form may vary in case, blanks, separators and a final period."""
    assert read(answer.encode("latin-1"), expected) == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "4812907",
        "ANSWER:",
        "ANSWER: .",
        "answer: 4812907",
        "The ANSWER: 4812907",
        "ANSWER: 4812907\nANSWER: 1",
        "ANSWER: 4812907\nANSWER:",
        "ANSWER: 4812907, 4812908",
        "ANSWER: 4812907 or 4812908",
        "ANSWER: 4812907 ANSWER: 4812907",
        "ANSWER: 4812907 4812907",
        "ANSWER: 48,12,907",
        "ANSWER: 4,812_907",
        "ANSWER: 4,812,907..",
        "ANSWER: 4812907 km",
        "ANSWER: 04812907",
        "ANSWER: 4812907.0",
        "ANSWER: ٤٨١٢٩٠٧",
        "ANSWER: \uff14\uff18\uff11\uff12\uff19\uff10\uff17",
    ],
)
def test_wrong(answer: str) -> None:
    """No mark, several candidates, other forms of number and later corrections score nothing."""
    assert read(answer.encode(), "4812907") == 0.0


def test_folding_is_ascii_only() -> None:
    """The Kelvin sign is not a k, though Unicode folds it to one."""
    assert read("ANSWER: \u212ael".encode(), "kel") == 0.0


def test_new_characters_are_replaced_before_comparison() -> None:
    """A character of Unicode 15 reads as U+FFFD on every Python."""
    assert read("ANSWER: a\U0001fae8".encode(), "a\ufffd") == 1.0
