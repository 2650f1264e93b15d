"""From a runner's report and a stranger's bytes to an outcome."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.sandbox import SandboxError, read_json, same_json
from quasar.sandbox.verdict import MAX_LINE, Report, one_line, outcome_of, report_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


def report(**changes: Any) -> Report:
    """A case that sent a whole result, but for the changes."""
    fields = {"verdict": None, "whole": True, "exit": 0, "oom": False, "ms": 7, "cpu_ms": 5}
    return Report(**(fields | {"result_bytes": 0} | changes))


@pytest.mark.parametrize(
    ("changes", "result", "status"),
    [
        ({}, b'["ok",null]\0[1,2]', "ok"),
        ({}, b'["error","ValueError: no"]\0', "error"),
        ({}, b'["ok",null]\0', "error"),
        ({}, b'["ok",null]', "error"),
        ({}, b'["fine",null]\x001', "crashed"),
        ({}, b'["ok",null,1]\x001', "crashed"),
        ({}, b"[" * 100_000, "crashed"),
        ({}, b"\xff\xfe", "crashed"),
        ({}, b'["timeout","slow"]\0', "crashed"),
        ({}, b'["crashed",null]\0', "crashed"),
        ({}, b'["oom","MemoryError"]\0', "oom"),
        ({}, b'["forbidden","line 1"]\0', "forbidden"),
        ({}, b'["ok",null]\0{"a":1,"a":2}', "ok"),
        ({}, b'["ok",null]\0\r[1,\r2]\r', "ok"),
        ({}, b'["ok",null]\0"\\ud800"', "error"),
        ({}, b'["ok",null]\0"\xc3"', "error"),
        ({}, b'["ok",null]\0-Infinity', "error"),
        ({}, b'["ok",null]\0' + b"7" * 4301, "error"),
        ({}, b'["ok",null]\0' + b"[" * 10**6, "error"),
        ({"verdict": "timeout"}, b'["ok",null]\x001', "timeout"),
        ({"verdict": "overdue"}, b'["ok",null]\x001', "timeout"),
        ({"verdict": "output_limit", "whole": False, "exit": -9}, b"", "output_limit"),
        ({"whole": False, "exit": -9, "oom": True}, b"", "oom"),
        ({"whole": False, "exit": -9}, b"", "crashed"),
        ({"whole": False, "exit": -11, "oom": True}, b"", "crashed"),
        ({"whole": False, "exit": -24}, b"", "crashed"),
        ({"whole": False, "exit": -200}, b"", "crashed"),
        ({"whole": False, "exit": 0}, b"", "crashed"),
    ],
)
def test_the_status_of_a_case(changes: dict[str, Any], result: bytes, status: str) -> None:
    """The runner's word stands above the child's."""
    outcome = outcome_of(report(**changes), result, b"said\n")
    assert outcome.status == status
    assert outcome.success == (status == "ok")
    assert (outcome.error is None) == outcome.success
    assert (outcome.execution_time_ms, outcome.cpu_time_ms) == (7, 5)
    assert outcome.stdout == "said\n"


def test_words_that_no_runner_says_are_the_sandbox_s_fault() -> None:
    """They are never an outcome, which a miner would be scored for."""
    with pytest.raises(SandboxError, match="no report"):
        report_of({"kind": "result", "verdict": "perfect"})


@given(result=st.binary(max_size=80), prints=st.binary(max_size=20))
def test_no_bytes_of_a_stranger_raise(result: bytes, prints: bytes) -> None:
    """Whatever stands in a result, there is an outcome."""
    for body in (result, b'["ok",null]\0' + result, b'["error","' + result):
        outcome = outcome_of(report(), body, prints)
        assert outcome.success or outcome.output is None
        outcome.stdout.encode("utf-8")


@given(JSON, st.text(max_size=9))
def test_an_honest_childs_words_come_through(value: Any, reason: str) -> None:
    """Value and reason are those that the child wrote, but for what no JSON holds."""
    text = json.dumps(value).encode()
    outcome = outcome_of(report(), b'["ok",null]\0' + text, b"")
    assert outcome.success == ("Infinity" not in text.decode())
    assert not outcome.success or same_json(outcome.output, value)
    failed = outcome_of(report(), json.dumps(["error", reason]).encode() + b"\0", b"")
    assert (failed.status, failed.output) == ("error", None)


@given(JSON)
def test_a_value_survives_its_text(value: Any) -> None:
    """What was written is read, type by type."""
    if "Infinity" in json.dumps(value):
        with pytest.raises(ValueError, match="not JSON"):
            read_json(json.dumps(value).encode())
    else:
        assert same_json(read_json(json.dumps(value).encode()), value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "NaN",
            "-Infinity",
            "[1e999]",
            '{"a": -1e999}',
            '"\\ud800"',
            '{"\\udfff": 1}',
            "[1,]",
        ),
        *("[" * 101 + "]" * 101, '{"a":' * 101 + "1" + "}" * 101, "[" * 10**6, "9" * 5000, "1 2"),
    ],
    ids=range(13),
)
def test_what_is_no_json_is_refused(text: str) -> None:
    """Also what Python's parser would take, or would die of."""
    with pytest.raises(ValueError, match=r"."):
        read_json(text.encode())


def test_bytes_that_are_no_utf8_are_refused() -> None:
    """Python's parser would guess an encoding."""
    with pytest.raises(ValueError, match="utf-8"):
        read_json('"a"'.encode("utf-16"))


def test_a_hundred_levels_are_read() -> None:
    """The limit itself is allowed."""
    assert read_json(b"[" * 100 + b"]" * 100) is not None


DIFFERENT: list[tuple[Any, Any]] = [
    *((1, True), (0, False), (1, 1.0), ("1", 1), (0.0, -0.0), (0.1 + 0.2, 0.3), (None, False)),
    *(
        ([], {}),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 1, "b": 1}),
        ({"a": 1}, {"b": 1}),
    ),
    *((2**53, 2**53 + 1), (2**53, float(2**53)), ([[1]], [[True]]), (math.nan, math.nan)),
    *(("é", "e\u0301"), ({"a": [0]}, {"a": [False]})),
]


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_values_that_only_look_alike_differ(left: Any, right: Any) -> None:
    """In both directions."""
    assert not same_json(left, right)
    assert not same_json(right, left)


@given(JSON, JSON)
def test_the_same_value_is_the_same_text(left: Any, right: Any) -> None:
    """same_json says what the texts with sorted keys say."""
    texts = [json.dumps(value, sort_keys=True) for value in (left, right)]
    assert same_json(left, right) == (texts[0] == texts[1])
    assert same_json(left, left)


def test_depth_does_not_end_the_comparison() -> None:
    """Values deeper than Python's stack are compared too."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert same_json(deep, deep)


@given(st.text())
def test_a_reason_is_one_printable_line(text: str) -> None:
    """No escape, no line break, no more than fits."""
    line = one_line(text + "\n\x1b[2J" + text * 50)
    assert line.isprintable()
    assert len(line) <= MAX_LINE
