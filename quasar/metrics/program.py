"""Metric ``code_pass@1``: the share of hidden cases that a program got right.

The code itself ran elsewhere; here are only recorded outcomes, compared as typed JSON.
"""

from collections.abc import Sequence

import msgspec

_FENCE = "```"
_BLANKS = " \t\r"


def extract_code(answer: bytes) -> str:
    """The last fenced block of an answer, without its fences; else the whole text. Never raises.

    A fence that is not closed holds until the end: the answer may have been cut to its limit.
    """
    lines = answer.decode("utf-8", "replace").split("\n")
    found: list[str] | None = None
    inside = False
    for line in lines:
        mark = line.strip(_BLANKS)
        if inside and mark == _FENCE:
            inside = False
        elif not inside and mark.startswith(_FENCE):
            found, inside = [], True
        elif inside and found is not None:
            found.append(line)
    return "\n".join(lines if found is None else found)


def pass_rate(outputs: Sequence[bytes | None], expected: Sequence[object]) -> float:
    """The share of cases whose output is the expected value. Never raises for any output.

    ``outputs`` has one element a case: the returned value as JSON, or None for every outcome that
    is not a value. Types count: 1, 1.0 and true are three values.
    """
    passed = passed_cases(outputs, expected)
    return passed.count(True) / len(passed) if passed else 0.0


def passed_cases(outputs: Sequence[bytes | None], expected: Sequence[object]) -> list[bool]:
    """Whether each output is the expected value. Raises ValueError for another number of them."""
    if len(outputs) != len(expected):
        raise ValueError(f"{len(outputs)} outcomes cannot be outcomes of {len(expected)} cases")
    return [_is_value(found, value) for found, value in zip(outputs, expected, strict=True)]


def _is_value(output: bytes | None, expected: object) -> bool:
    if output is None:
        return False
    try:
        return _same(msgspec.json.decode(output), expected)
    except (ValueError, RecursionError):  # not JSON, or nested beyond reason
        return False


def _same(found: object, expected: object) -> bool:
    """Equality of JSON values that never takes one type for another."""
    if type(found) is not type(expected):
        return False
    if isinstance(found, list) and isinstance(expected, list):
        pairs = zip(found, expected, strict=False)
        return len(found) == len(expected) and all(_same(a, b) for a, b in pairs)
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(_same(found[k], expected[k]) for k in found)
    return found == expected
