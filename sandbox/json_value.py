"""JSON values of strangers: read strictly, compared with their types."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

MAX_DEPTH = 100
"""Lists and objects inside each other. Far below what any Python version's parser takes, so that
a verdict never depends on the version."""


def read_json(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises ValueError where it is not UTF-8 or not JSON, nests deeper than MAX_DEPTH, or has a
    number that is not finite, an integer of more than 4300 digits or half of a surrogate pair.
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it nests too deep") from None
    for depth, item in _walk(value):
        if isinstance(item, (list, dict)) and depth >= MAX_DEPTH:
            raise ValueError("it nests too deep")
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError("a number is not finite")
        if isinstance(item, str):
            item.encode("utf-8")  # UnicodeEncodeError is a ValueError
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _walk(value: Any) -> Iterator[tuple[int, Any]]:
    """Every value and key, with the number of containers around it. Does not recurse."""
    todo = [(0, value)]
    while todo:
        depth, item = todo.pop()
        yield depth, item
        if isinstance(item, dict):
            todo += [(depth + 1, part) for pair in item.items() for part in pair]
        elif isinstance(item, list):
            todo += [(depth + 1, part) for part in item]


def same_json(a: Any, b: Any) -> bool:
    """Whether two plain JSON values are the same value of the same type, all the way down.

    An integer is never a float (``1`` is not ``1.0``), a boolean never a number (``true`` is not
    ``1``), a string never a number. Floats are the same where their bits are: 0.1 + 0.2 is not
    0.3, and 0.0 is not -0.0. NaN equals nothing. The order of an object's keys does not count.
    In short: the same text once both are written as JSON with sorted keys.
    """
    todo = [(a, b)]
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
        elif left != right or _negative_zero(left) != _negative_zero(right):
            return False
    return True


def _negative_zero(value: Any) -> bool:
    return isinstance(value, float) and value == 0 and math.copysign(1, value) < 0
