"""One connection to a JetStream server, on which every request ends in an answer or a reason.

The only file that imports nats, which runs on asyncio; its callbacks run in the same loop, so
anyio's primitives work in them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import anyio
import msgspec
from nats.aio.client import Client
from nats.errors import Error

from quasar.errors import LogError
from quasar.log.bell import Bell
from quasar.log.jetstream_api import Login as Login
from quasar.log.jetstream_api import Message, Unanswered, check_answer

Arrival = Callable[[Any], Awaitable[None]]
"""Called with each ``nats.aio.msg.Msg``."""

_REQUEST_S = 5.0
"""After this many seconds without an answer a request is asked again."""
_PAUSE_S = 0.1
_MIN_PAYLOAD = 128 * 1024


class _LoginRefused(Exception):
    """Raised when the server knows no such user."""


class _Attempt:
    """An exchange under way: a loss of the connection or a denial ends it at once."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.subjects = {m.subject.lower() for m in messages}
        self.scope = anyio.CancelScope()
        self.denied: str | None = None

    def deny(self, reason: str) -> None:
        """End it if the reason, which nats-py gives in lower case, names one of its subjects."""
        subject = reason.partition('"')[2].partition('"')[0]
        if subject in self.subjects or "subscription" in reason:
            self.denied = reason
            self.scope.cancel()


class Wire:
    """A NATS connection that comes back by itself. Make one with ``open``."""

    def __init__(self, url: str, patience: float) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.hostname}:{parts.port}"  # shows no password
        self.patience = patience
        self._client = Client()
        self._attempts: set[_Attempt] = set()
        self._losses: set[Callable[[], None]] = set()
        self._changed = Bell()
        self._trouble: Exception | None = None
        self._opening = True

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, login: Login, patience: float) -> AsyncIterator["Wire"]:
        """Connect. After ``patience`` seconds without success a call ends in LogError."""
        wire = cls(url, patience)
        try:
            await wire._connect(url, login)
            yield wire
        finally:
            with anyio.CancelScope(shield=True), suppress(Error, OSError):
                await wire._client.close()

    async def connected(self) -> None:
        """Wait until the server can be reached. Raises LogError where it never will be."""
        while not self._client.is_connected:
            if self._client.is_closed:
                raise LogError(f"the connection to {self.url} is closed: open the log again")
            await self._changed.wait()

    @contextmanager
    def on_loss(self, action: Callable[[], None]) -> Iterator[None]:
        """Call ``action`` whenever the connection is lost."""
        self._losses.add(action)
        try:
            yield
        finally:
            self._losses.discard(action)

    @asynccontextmanager
    async def inbox(self, arrival: Arrival) -> AsyncIterator[str]:
        """A subject on which messages come to ``arrival``."""
        subject = self._client.new_inbox()
        # No limits: whoever asks for messages bounds how many.
        sub = await self._client.subscribe(
            subject, cb=arrival, pending_msgs_limit=0, pending_bytes_limit=0
        )
        try:
            yield subject
        finally:
            with anyio.CancelScope(shield=True), suppress(Error, OSError):
                await sub.unsubscribe()

    async def send(self, message: Message, reply: str = "") -> None:
        """Publish without waiting for an answer. Raises Unanswered where even that fails."""
        try:
            await self._client.publish(
                message.subject,
                message.payload,
                reply=reply,
                headers=message.headers and dict(message.headers),
            )
        except (Error, OSError) as e:
            raise Unanswered(_reason(e)) from e

    async def exchange(self, messages: Sequence[Message]) -> dict[str, Any]:
        """Send a batch, or a single message, and return the answer to its last message.

        Raises Unanswered, ApiError, and LogError where this user may not do that.
        """
        await self.connected()
        attempt = _Attempt(messages)
        self._attempts.add(attempt)
        try:
            with attempt.scope:
                return check_answer(await self._converse(messages))
        finally:
            self._attempts.discard(attempt)
        if attempt.denied:
            raise LogError(f"{self.url}: {attempt.denied}: give this user that permission")
        raise Unanswered("the connection was lost")

    async def api(self, verb: str, body: object, patience: float | None = None) -> dict[str, Any]:
        """Ask JetStream's API until it answers. For requests that may be repeated.

        Raises ApiError, and LogError after ``patience`` seconds.
        """
        reason = "no connection"
        payload = b"" if body is None else msgspec.json.encode(body)
        request = Message(f"$JS.API.{verb}", payload)
        with anyio.move_on_after(self.patience if patience is None else patience):
            while True:
                try:
                    return await self.exchange([request])
                except Unanswered as e:
                    reason = str(e)
                await anyio.sleep(_PAUSE_S)
        raise self.gave_up(reason)

    def gave_up(self, reason: str) -> LogError:
        """What to raise when patience ends."""
        return LogError(
            f"the log server {self.url} does not answer ({reason}): see that it runs with "
            "JetStream, then start again; what was being stored is settled by its slots"
        )

    async def _converse(self, messages: Sequence[Message]) -> bytes:
        *before, last = messages
        for message in before[:1]:  # the answer to a batch's first message is empty, or a refusal
            if refusal := await self._ask(message):
                return refusal
        for message in before[1:]:
            await self.send(message)
        return await self._ask(last)

    async def _ask(self, message: Message) -> bytes:
        subject, payload, headers = message
        try:
            reply = await self._client.request(
                subject, payload, timeout=_REQUEST_S, headers=headers and dict(headers)
            )
        except (Error, OSError) as e:
            raise Unanswered(_reason(e)) from e
        return bytes(reply.data)

    async def _connect(self, url: str, login: Login) -> None:
        with anyio.move_on_after(self.patience), suppress(_LoginRefused):
            await self._client.connect(
                url,
                error_cb=self._on_error,
                disconnected_cb=self._on_loss,
                reconnected_cb=self._on_change,
                closed_cb=self._on_change,
                user=login.user,
                password=login.password,
                user_credentials=login.credentials,
                inbox_prefix=login.inbox,
                max_reconnect_attempts=-1,
                reconnect_time_wait=_PAUSE_S,
                ping_interval=10,
            )
        self._opening = False
        if not self._client.is_connected:
            raise LogError(
                f"cannot connect to the log server {self.url} ({_reason(self._trouble)}): "
                "check its address and the login"
            )
        if self._client.max_payload < _MIN_PAYLOAD:
            raise LogError(f"{self.url}: set max_payload to at least {_MIN_PAYLOAD} bytes")

    async def _on_error(self, error: Exception) -> None:
        self._trouble = error
        reason = str(error).removeprefix("nats: ")
        if self._opening and "authorization violation" in reason.lower():
            raise _LoginRefused  # ends connect(), which would try for ever
        if "permissions violation" in reason:
            for attempt in list(self._attempts):
                attempt.deny(reason)

    async def _on_loss(self) -> None:
        for attempt in list(self._attempts):
            attempt.scope.cancel()
        for action in list(self._losses):
            action()
        self._changed.ring()

    async def _on_change(self) -> None:
        self._changed.ring()


def _reason(error: Exception | None) -> str:
    return str(error).removeprefix("nats: ") or type(error).__name__
