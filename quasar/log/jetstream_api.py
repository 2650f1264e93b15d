"""What goes over the wire to JetStream, and what its answers mean."""

import ssl
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from quasar.errors import LogError

_LATER = (429, 503)
"""Codes, as in HTTP, of refusals that pass."""
_HEADERS = "NATS/1.0\r\n"
_INCOMPLETE = 10176
"""A part of a batch was lost with a connection."""
_NO_PEERS = 10005
"""A cluster that has just come up: each server learns late of the others."""


class Login(NamedTuple):
    """How a client shows who it is, and whom it believes."""

    user: str | None = None
    password: str | Callable[[], str] | None = None
    """A function is asked at every connection, so that a password may change meanwhile."""
    credentials: str | None = None
    """Path of a ``.creds`` file, or of one with an nkey's seed; read at every connection."""
    inbox: str = "_INBOX"
    """Where this user may read answers."""
    tls: ssl.SSLContext | None = None
    """Whose certificates are good; with it nothing is said to a server that does not encrypt."""
    seed: Callable[[], str] | None = None
    """Gives an nkey's seed; asked at every connection."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """What is sent."""

    subject: str
    """Without spaces or line ends."""
    payload: bytes
    headers: str = ""
    """Lines ``Name: value``, each ended by CRLF."""


class Batch(list[Message]):
    """Messages that are framed ahead, but for the first and the last: these need an address."""

    def __init__(self, messages: Sequence[Message]) -> None:
        super().__init__(messages)
        self.middle = _frame(messages[1:-1])


def frame(messages: Sequence[Message], reply: str = "") -> bytes:
    """The commands that publish them. Answers to the first and to the last come to ``reply``."""
    if len(messages) == 1:
        return _frame(messages, reply)
    middle = messages.middle if isinstance(messages, Batch) else _frame(messages[1:-1])
    return b"".join((_frame(messages[:1], reply), middle, _frame(messages[-1:], reply)))


def _frame(messages: Sequence[Message], reply: str = "") -> bytes:
    to = f" {reply}" if reply else ""
    parts: list[bytes] = []
    for message in messages:
        payload, headers = message.payload, message.headers
        if headers:
            size = len(_HEADERS) + len(headers) + 2  # they are ASCII
            block = f"{_HEADERS}{headers}\r\n"
            command = f"HPUB {message.subject}{to} {size} {size + len(payload)}\r\n{block}"
        else:
            command = f"PUB {message.subject}{to} {len(payload)}\r\n"
        parts += (command.encode(), payload, b"\r\n")
    return b"".join(parts)


class Unanswered(Exception):
    """Raised when a request may or may not have been carried out; says why."""


class Taken(Unanswered):
    """Raised when nothing was stored because a slot holds an event already."""


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
    if error.get("code") in _LATER or code in (_INCOMPLETE, _NO_PEERS):
        raise Unanswered(description)
    raise ApiError(code, description)
