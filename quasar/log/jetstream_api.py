"""What goes over the wire to JetStream, and what its answers mean."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from quasar.errors import LogError

_LATER = (429, 503)
"""Codes, as in HTTP, of refusals that pass."""
_INCOMPLETE = 10176
"""A part of a batch was lost with a connection."""


class Login(NamedTuple):
    """How a client shows who it is."""

    user: str | None = None
    password: str | None = None
    credentials: str | None = None
    """Path of a ``.creds`` file."""
    inbox: str = "_INBOX"
    """Where this user may read answers."""


class Message(NamedTuple):
    """What is sent."""

    subject: str
    payload: bytes
    headers: Mapping[str, str] | None = None


class Unanswered(Exception):
    """Raised when a request may or may not have been carried out; says why."""


class ApiError(LogError):
    """Raised when JetStream refuses a request for good; ``code`` is its own."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} (JetStream error {code})")
        self.code = code


def check_answer(data: bytes) -> dict[str, Any]:
    """Decode an answer. Raises ApiError for a refusal and Unanswered for one that passes."""
    answer: dict[str, Any] = msgspec.json.decode(data)
    error = answer.get("error")
    if error is None:
        return answer
    code, description = error.get("err_code", 0), error.get("description", "no reason given")
    if error.get("code") in _LATER or code == _INCOMPLETE:
        raise Unanswered(description)
    raise ApiError(code, description)
