"""What a request to upstream's code runner asks for. Pure: text in, a call out."""

from typing import Any, NamedTuple

import msgspec

from quasar.errors import UsageError
from quasar.events.json_value import read_json
from quasar.metrics.program import extract_code
from quasar.sandbox.entry import ENTRY, with_entry
from quasar.sandbox.outcome import Outcome


class Call(NamedTuple):
    """Arguments of ``Sandbox.run``, for one input."""

    code: str
    function_name: str
    arguments: list[Any]


class _Body(msgspec.Struct, frozen=True):
    """Fields that nobody knows are passed over, as upstream does."""

    code: str
    function_name: str | None = None
    test_input: Any = None


def parse_request(body: bytes) -> Call:
    """The call that the body of POST /execute asks for. Raises UsageError, one line."""
    try:
        asked = msgspec.convert(read_json(body), _Body)
    except msgspec.ValidationError as error:
        raise UsageError(f"the body is no such request: {error}") from None
    except ValueError as error:
        raise UsageError(f"the body is not JSON: {error}") from None
    return call_of(asked.code, asked.function_name, asked.test_input)


def call_of(text: str, function_name: str | None, test_input: object) -> Call:
    """``text`` is a program, or an answer with one in a fenced block: the last, as in a round.

    Without a name, ``quasar.sandbox.entry`` says which function is called. Raises UsageError.
    """
    code = extract_code(text.encode())
    arguments = arguments_of(test_input)
    if function_name:
        return Call(code, function_name, arguments)
    return Call(with_entry(code), ENTRY, arguments)


def arguments_of(test_input: object) -> list[Any]:
    """A list holds the arguments; any other value is the only one; null is none at all.

    A text is read as JSON first, and where it is no JSON, it is the argument itself.

    Raises UsageError for a text that begins like a list and is none.
    """
    if test_input is None:
        return []
    if isinstance(test_input, str):
        test_input = _read(test_input)
    return test_input if isinstance(test_input, list) else [test_input]


def _read(text: str) -> object:
    try:
        return read_json(text.encode())
    except ValueError as error:
        if text.lstrip().startswith("["):
            raise UsageError(
                f"the input begins like a list and is not JSON ({error}); a text that begins so "
                "is given as a JSON text, in quotation marks"
            ) from None
        return text


def answer_of(outcome: Outcome) -> dict[str, Any]:
    """The body that answers POST /execute. An error says its status first: ``timeout: ...``."""
    error = outcome.error
    if error is not None and outcome.status != "error":
        error = f"{outcome.status}: {error}"
    return {
        "success": outcome.success,
        "output": outcome.output,
        "error": error,
        "execution_time_ms": outcome.execution_time_ms,
    }
