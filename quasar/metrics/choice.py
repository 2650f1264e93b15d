"""Metric ``choice@1``: which of four choices an answer names, as LongBench v2 reads it.

Asterisks (bold type) are removed; "The correct answer is (B)" anywhere goes before "The correct
answer is B" anywhere, and of each the first one counts.
"""

import re
from collections.abc import Sequence

_FORMS = (
    re.compile(r"The correct answer is \(([A-D])\)"),
    re.compile(r"The correct answer is ([A-D])"),
)


def choice(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the letter that is named is one of the answers, else 0.0. Never raises."""
    return float(named(prediction) in answers)


def named(prediction: str) -> str | None:
    """The letter of the choice, A to D; None where none is named in the published form."""
    text = prediction.replace("*", "")
    for form in _FORMS:
        if found := form.search(text):
            return found[1]
    return None
