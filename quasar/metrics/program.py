"""Metric ``code_pass@1``: the share of hidden cases that a program got right.

The code itself ran elsewhere; here are only recorded outcomes, compared as typed JSON.
"""

from collections.abc import Sequence

from quasar.events.json_value import Tolerance, read_json, same_json

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


def pass_rate(
    outputs: Sequence[bytes | None],
    expected: Sequence[object],
    tolerances: Sequence[Tolerance | None] = (),
) -> float:
    """The share of cases whose output is the expected value. Never raises for any output.

    ``outputs`` has one element a case: the returned value as JSON, or None for every outcome that
    is not a value. Values and tolerances are compared as ``same_json`` does; no ``tolerances`` at
    all, and every value has to be exact.
    """
    passed = passed_cases(outputs, expected, tolerances)
    return passed.count(True) / len(passed) if passed else 0.0


def passed_cases(
    outputs: Sequence[bytes | None],
    expected: Sequence[object],
    tolerances: Sequence[Tolerance | None] = (),
) -> list[bool]:
    """Whether each output is the expected value. Raises ValueError for another number of them."""
    if len(outputs) != len(expected):
        raise ValueError(f"{len(outputs)} outcomes cannot be outcomes of {len(expected)} cases")
    allowed = tolerances or [None] * len(expected)
    cases = zip(outputs, expected, allowed, strict=True)
    return [_is_value(found, value, tolerance) for found, value, tolerance in cases]


def _is_value(output: bytes | None, expected: object, tolerance: Tolerance | None) -> bool:
    if output is None:
        return False
    try:
        return same_json(read_json(output), expected, tolerance)
    except ValueError:  # not JSON, or nested beyond reason
        return False
