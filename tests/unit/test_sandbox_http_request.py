"""What a request to upstream's code runner means: its arguments, its code, its function."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.errors import UsageError
from quasar.events.json_value import same_json
from quasar.sandbox.entry import ENTRY, with_entry
from quasar.sandbox.http_request import arguments_of, call_of, parse_request

ADD = "def add(a, b): return a + b"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner, max_size=1),
    max_leaves=5,
)  # fmt: skip


@given(JSON)
def test_any_value_can_be_an_argument(value: object) -> None:
    """As a JSON text: alone it is the only argument, in a list one of several."""
    assert same_json(arguments_of(json.dumps([value, value])), [value, value])
    alone = value if isinstance(value, list) else [value]
    assert same_json(arguments_of(json.dumps(value)), alone)


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        (None, []),
        ([1, [2]], [1, [2]]),
        ({"a": 1}, [{"a": 1}]),
        (5, [5]),
        ("5", [5]),
        ("hello", ["hello"]),
        ("", [""]),
        ("NaN", ["NaN"]),
        ("null", [None]),
        ('"[text"', ["[text"]),
        ("{no json", ["{no json"]),
    ],
    ids=repr,
)
def test_arguments(given: object, arguments: list[object]) -> None:
    """A value may come as it is, as a JSON text, or as a text that is none."""
    assert same_json(arguments_of(given), arguments)


@pytest.mark.parametrize("text", ["[1, 2", " [NaN]", "[" * 200 + "]" * 200], ids=len)
def test_half_a_list_is_no_text(text: str) -> None:
    """It is a slip of the pen far more often than an argument; the error says how to pass it."""
    with pytest.raises(UsageError, match="quotation marks"):
        arguments_of(text)


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_body_is_a_call_or_a_usage_error(body: bytes) -> None:
    """Whatever is sent."""
    try:
        call = parse_request(body)
    except UsageError as error:
        said = str(error)
    else:
        said = call.function_name
    assert "\n" not in said


def test_a_fenced_program_is_unwrapped() -> None:
    """As a round does with an answer."""
    assert call_of(f"Here:\n```python\n{ADD}\n```\nDone.", "add", None).code.strip() == ADD
    assert call_of(ADD, "add", None) == (ADD, "add", [])


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("def zeta(x): return 'z'\ndef solve(x): return x", 5),
        ("def main(x): return x\ndef another(x): return 'a'", 5),
        ("def b(x): return 'b'\ndef a(x): return x", 5),
        ("def _a(x): return 'a'\nclass A:\n  pass\ndef b(x): return x", 5),
        ("from json import dumps\nimport math\ndef only(x): return x", 5),
        ("class Other:\n  pass\nclass Solution:\n  def _no(s): 0\n  def go(self, x): return x", 5),
        ("class Any:\n  def solve(self, x): return x\n  def a(self, x): return 'a'", 5),
        ("from functools import cache\n@cache\ndef f(x): return x", 5),
    ],
)
def test_the_function_that_is_meant(code: str, value: object) -> None:
    """By name, else the first; of the code's own; else a method. This code is the test's own."""
    names: dict[str, Any] = {"__name__": "submission"}
    exec(with_entry(code), names)
    assert names[ENTRY](value) == value


@pytest.mark.parametrize("code", ["", "x = 1", "from json import dumps", "class A: pass"])
def test_no_function_to_call(code: str) -> None:
    """The program fails, and says why."""
    names: dict[str, Any] = {"__name__": "submission"}
    exec(with_entry(code), names)
    with pytest.raises(NameError, match="defines no function"):
        names[ENTRY](1)
