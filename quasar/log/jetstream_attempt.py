"""An exchange with the server that is under way."""

from collections.abc import Sequence
from typing import Any

import anyio

from quasar.log.jetstream_api import Message

_NO_RESPONDERS = "503"


class Attempt:
    """An answer, a denial, a loss of the connection or its deadline ends it."""

    def __init__(self, messages: Sequence[Message], seconds: float) -> None:
        self.messages = messages
        self.scope = anyio.CancelScope(deadline=anyio.current_time() + seconds)
        self.over = anyio.Event()
        self.answer = b""
        self.denied = ""
        """Why this user may not do that."""
        self.reason = f"no answer in {seconds:.0f} s"
        """Why there is no answer."""

    def hear(self, message: Any) -> None:
        """Take an answer. The one to a batch's first message is empty unless it is a refusal."""
        if message.data:
            self.answer = bytes(message.data)
            self.over.set()
        elif message.headers and message.headers.get("Status") == _NO_RESPONDERS:
            self.fail("no JetStream answers there")

    def fail(self, reason: str) -> None:
        """End it without an answer."""
        self.reason = reason
        self.over.set()

    def deny(self, reason: str) -> None:
        """End it if the reason, which nats-py gives in lower case, names one of its subjects."""
        subject = reason.partition('"')[2].partition('"')[0]
        if "subscription" in reason or any(m.subject.lower() == subject for m in self.messages):
            self.denied = reason
            self.over.set()
