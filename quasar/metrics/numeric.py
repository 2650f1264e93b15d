"""Metric ``numeric@1``: is the number that an answer states the expected one, exactly?

Numbers are compared by value, as decimal text and not as floats: 7, 07, 7.0 and +7 are one number,
and 0.1 is not 0.1000000000000000055. ASCII digits only; commas may group digits by threes.
"""

import re
from collections.abc import Sequence

from quasar.metrics.exact import stated

_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?")


def numeric(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the stated number is that of one of the answers, else 0.0. Never raises.

    The last ``ANSWER:`` line may hold words beside the number, but no second number; without such
    a line the last number of the text counts. A reference is read in the same way.
    """
    said = stated_number(prediction)
    return float(said is not None and said in map(stated_number, answers))


def stated_number(text: str) -> str | None:
    """The number in its shortest form; None where none is stated, or several are on the line."""
    statement = stated(text)
    found = [_shortest(n) for n in _NUMBER.findall(text if statement is None else statement)]
    if not found or (statement is not None and found != found[:1] * len(found)):
        return None
    return found[-1]


def _shortest(number: str) -> str:
    digits = number.lstrip("+-").replace(",", "")
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    value = (whole.lstrip("0") or "0") + ("." + fraction if fraction else "")
    return "-" + value if number.startswith("-") and value != "0" else value
