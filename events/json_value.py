"""Plain JSON values of strangers: read strictly, written in one form, compared with their types.

Everything here gives the same on every version of Python.
"""

import json
import math
from fractions import Fraction
from typing import Any, NamedTuple, NoReturn

MAX_DEPTH = 100
"""Lists and objects inside each other. Far below what any Python version's parser takes, so that
a verdict never depends on the version."""
MAX_DIGITS = 4300
"""Of an integer: what Python turns into text and back unless it is told otherwise."""


class Tolerance(NamedTuple):
    """How far a float may lie from the expected one: the wider of two bounds, which it may reach.

    Decimal texts such as ``1e-6``, so that each is exactly the number that it says.
    """

    absolute: str = "0"
    relative: str = "0"
    """Of the expected value's magnitude."""


def canonical_json(value: Any) -> bytes:
    """The one text of a value: ASCII, no blanks, keys in order of their code points.

    Floats are written as Python does, shortest first. Raises ValueError for NaN and infinities
    and for integers beyond MAX_DIGITS, TypeError for what is no plain value.
    """
    return _ENCODER.encode(value).encode("ascii")


def read_json(raw: bytes) -> Any:
    """The value of a JSON text; of two equal keys in an object the last counts.

    Raises ValueError where it is not UTF-8 or not JSON, nests deeper than MAX_DEPTH, or has a
    number that is not finite, an integer beyond MAX_DIGITS or half of a surrogate pair.
    """
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except RecursionError:
        raise ValueError("it nests too deep") from None
    _check(value)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int:
    """Python's own limit can be moved from outside; this one cannot."""
    if len(text.removeprefix("-")) > MAX_DIGITS:
        raise ValueError(f"an integer has more than {MAX_DIGITS} digits")
    return int(text)


_ENCODER = json.JSONEncoder(allow_nan=False, sort_keys=True, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_int=_integer)


def _check(value: Any) -> None:
    """Level by level, since a recursion ends and a list of depths costs: a stranger chose it."""
    level, depth = [value], 0
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str):
                item.encode("utf-8")  # UnicodeEncodeError is a ValueError
            elif isinstance(item, float):
                if not math.isfinite(item):
                    raise ValueError("a number is not finite")
            elif isinstance(item, (list, dict)):
                if depth >= MAX_DEPTH:
                    raise ValueError("it nests too deep")
                inner += item
                if isinstance(item, dict):
                    inner += item.values()
        level, depth = inner, depth + 1


def same_json(found: Any, expected: Any, tolerance: Tolerance | None = None) -> bool:
    """Whether two plain JSON values are the same value of the same type, all the way down.

    An integer is never a float (``1`` is not ``1.0``), a boolean never a number (``true`` is not
    ``1``), a string never a number. Floats are the same where their bits are: 0.1 + 0.2 is not
    0.3, and 0.0 is not -0.0. NaN equals nothing. The order of an object's keys does not count.
    In short: the same canonical text.

    With a ``tolerance``, floats may differ by so much, wherever they stand, and a zero's sign does
    not count; all else stays exact.
    """
    todo = [(found, expected)]
    while todo:
        left, right = todo.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            todo += [(left[key], right[key]) for key in left]
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            todo += zip(left, right, strict=True)
        elif isinstance(left, float):
            if not _same_float(left, right, tolerance):
                return False
        elif left != right:
            return False
    return True


def _same_float(found: float, expected: float, tolerance: Tolerance | None) -> bool:
    if found == expected and math.copysign(1, found) == math.copysign(1, expected):
        return True
    if tolerance is None or not (math.isfinite(found) and math.isfinite(expected)):
        return False
    right = Fraction(expected)
    relative = Fraction(tolerance.relative) * abs(right)
    return abs(Fraction(found) - right) <= max(Fraction(tolerance.absolute), relative)
