"""Metric ``answer_exact@1``: is the answer on the last ``ANSWER:`` line the expected one?

Only ASCII is folded and only ASCII blanks are stripped, so no Python version can disagree.
"""

import re
from collections.abc import Sequence

MARK = "ANSWER:"
_BLANKS = " \t\r\v\f"
_GROUPED = re.compile(r"[0-9]{1,3}([,_ ])[0-9]{3}(?:\1[0-9]{3})*")
"""A number with one kind of separator between groups of three digits."""
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def answer_exact(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the prediction states exactly one of the answers, else 0.0. Never raises.

    Case, blanks around the statement, thousands separators and one final period do not matter; a
    second candidate on the line does, because the whole line is compared.
    """
    said = stated(prediction)
    return float(said is not None and plain(said) in map(plain, answers))


def stated(text: str) -> str | None:
    """What follows the mark on the last line that starts with it."""
    for line in reversed(text.split("\n")):
        line = line.strip(_BLANKS)
        if line.startswith(MARK):
            return line.removeprefix(MARK)
    return None


def plain(statement: str) -> str:
    """A statement without what does not matter: case, outer blanks, a period, separators."""
    text = statement.strip(_BLANKS).removesuffix(".").rstrip(_BLANKS).translate(_LOWER)
    if grouped := _GROUPED.fullmatch(text):
        return text.replace(grouped[1], "")
    return text
