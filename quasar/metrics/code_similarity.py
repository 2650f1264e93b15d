"""Metrics ``code_sim@1`` and ``code_sim_indel@1``: how alike an answer's line of code is.

Both take the first line that holds no comment or fence, and give hundredths. ``code_sim@1`` equals
LongBench's ``code_sim_score`` with the packages that LongBench asks for: fuzzywuzzy on difflib.
``code_sim_indel@1`` equals what fuzzywuzzy gives where python-Levenshtein is installed, and so
thefuzz and rapidfuzz: insertions and deletions. It lies near the other, and is order-aware and
without its jump at 200 characters.
"""

from collections.abc import Callable, Sequence

from quasar.errors import UsageError
from quasar.metrics.alignment import common_length
from quasar.metrics.blocks import shared

_NOT_CODE = ("`", "#", "//")


def code_sim(prediction: str, answers: Sequence[str], variant: str = "difflib") -> float:
    """0.0 to 1.0 in hundredths. ``variant``: difflib, or rapidfuzz for ``code_sim_indel``.

    Raises UsageError for another variant, and never for a prediction.
    """
    if variant not in _VARIANTS:
        raise UsageError(f"no variant {variant!r} of code_sim: take difflib or rapidfuzz")
    line = first_code_line(prediction)
    alike = _VARIANTS[variant]
    return max((_percent(line, answer, alike) / 100 for answer in answers), default=0.0)


def code_sim_indel(prediction: str, answers: Sequence[str]) -> float:
    """0.0 to 1.0 in hundredths. Never raises."""
    return code_sim(prediction, answers, "rapidfuzz")


def first_code_line(prediction: str) -> str:
    """The line that is compared; it may be blank. Empty where each line is no code."""
    for line in prediction.lstrip("\n").split("\n"):
        if not any(mark in line for mark in _NOT_CODE):
            return line
    return ""


def _percent(one: str, two: str, alike: Callable[[str, str], float]) -> int:
    if one == two:
        return 100
    return round(alike(one, two)) if one and two else 0


def _difflib(one: str, two: str) -> float:
    return 100 * (2.0 * shared(one, two) / (len(one) + len(two)))


def _indel(one: str, two: str) -> float:
    length = len(one) + len(two)
    return (1.0 - (length - 2 * common_length(one, two)) / length) * 100


_VARIANTS: dict[str, Callable[[str, str], float]] = {"difflib": _difflib, "rapidfuzz": _indel}
