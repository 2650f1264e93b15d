"""One connection to JetStream, on which every request ends in an answer or a reason.

The only file that imports nats, which runs on asyncio; its callbacks run in the same loop, so
anyio's primitives work in them. It takes framed commands and the socket from nats-py's private
side: publish() costs ten times what a frame does, and close() waits for ever on a dead peer.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any
from urllib.parse import SplitResult, urlsplit

import anyio
import msgspec
from nats.aio.client import Client
from nats.errors import Error

from quasar.errors import LogError, QuasarError
from quasar.log.bell import Bell
from quasar.log.jetstream_api import Login as Login
from quasar.log.jetstream_api import Message, Unanswered, check_answer, frame
from quasar.log.jetstream_attempt import Attempt
from quasar.log.jetstream_login import connect_command

Arrival = Callable[[Any], Awaitable[None]]
"""Called with each ``nats.aio.msg.Msg``."""

_REQUEST_S = 5.0
"""After this many seconds without an answer a request is asked again."""
_PAUSE_S = 0.1
_CLOSE_S = 1.0
_PORT = 4222
_MIN_PAYLOAD = 128 * 1024
_BUFFER = 64 * 2**20
"""Bytes that may wait for the socket; what is under way is bounded elsewhere."""


class _Client(Client):  # type: ignore[misc]  # nats-py has no types
    """Logs in as the reader's own connection does."""

    login: Login

    def _connect_command(self) -> bytes:
        try:
            return connect_command(self._server_info, self._current_server.uri, self.login)
        except QuasarError as e:
            raise _Unusable(str(e)) from e


class _Unusable(Error):  # type: ignore[misc]
    """Raised when nothing can be said to a server: one of the errors that nats-py expects."""


class Wire:
    """A NATS connection that comes back by itself. Make one with ``open``."""

    def __init__(self, url: str, login: Login, patience: float) -> None:
        self._servers = url.split(",")
        self.url = ",".join(map(_shown, self._servers))
        self.patience = patience
        self.login = login
        self._client = self._new_client()
        self._answers = ""
        """Where this client gets answers, once it listens."""
        self._inboxes: dict[Arrival, str] = {}
        self._attempts: dict[str, Attempt] = {}
        self._tokens = count(1)
        self._changed = Bell()
        self._reopening = anyio.Lock()
        self._trouble: Exception | None = None
        self._deaf = ""
        """Why this user cannot hear answers."""
        self._put_off_since: float | None = None
        """Since when this server answers nothing but that it cannot now."""
        self._opening = True
        self._ended = False

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, login: Login, patience: float) -> AsyncIterator["Wire"]:
        """Connect to ``url``, or to one of several with commas between them.

        After ``patience`` seconds without success a call ends in LogError.
        """
        wire = cls(url, login, patience)
        try:
            await wire._first_connect()
            yield wire
        finally:
            wire._ended = True
            await wire._close()

    @property
    def address(self) -> SplitResult:
        """Where it is connected now: in a cluster, not always where it began."""
        first, now = urlsplit(self._servers[0]), self._client.connected_url
        if now is None:
            return first
        login, at, _ = first.netloc.rpartition("@")
        return first._replace(netloc=f"{login}{at}{now.hostname}:{now.port}")

    @property
    def tls_name(self) -> str | None:
        """The name that the certificate of that server must carry, where it is not its address."""
        server = self._client._current_server
        return getattr(server, "tls_name", None)

    @property
    def version(self) -> str:
        """Of the server, in full, such as ``2.15.1``."""
        return str(self._client._server_info.get("version", ""))

    @property
    def server_version(self) -> tuple[int, int] | None:
        """Such as (2, 15); None where the server does not say."""
        version = self._client.connected_server_version
        with suppress(ValueError):
            return version.major, version.minor
        return None

    async def connected(self) -> None:
        """Wait until the server can be reached. Raises LogError where it never will be."""
        while not self._client.is_connected:
            if self._ended:
                raise LogError(f"the connection to {self.url} is closed: open the log again")
            if self._client.is_closed:
                await self._reopen()
            else:
                await self._changed.wait()

    async def send(self, message: Message, reply: str = "") -> None:
        """Publish without waiting for an answer. Raises Unanswered where even that fails."""
        await self._write(frame([message], reply))

    async def send_all(self, messages: Sequence[Message]) -> None:
        """As ``send``, in one write."""
        await self._write(frame(messages))

    async def exchange(self, messages: Sequence[Message]) -> dict[str, Any]:
        """Send a batch, or a single message, and return the answer to its last message.

        Exchanges that start one after the other are sent in that order. Raises Unanswered,
        ApiError, and LogError where this user may not do that.
        """
        await self.connected()
        if self._deaf:
            raise self._denied(self._deaf)
        attempt, token = Attempt(messages, _REQUEST_S), str(next(self._tokens))
        heard = self._client.stats["in_msgs"]
        self._attempts[token] = attempt
        try:
            with attempt.scope:
                await self._listen()
                await self._write(frame(messages, f"{self._answers}.{token}"))
                await attempt.over.wait()
        finally:
            del self._attempts[token]
        if attempt.denied:
            raise self._denied(attempt.denied)
        if attempt.answer:
            return self._checked(attempt.answer)
        if attempt.scope.cancelled_caught and self._client.stats["in_msgs"] == heard:
            self._cut()
        raise Unanswered(attempt.reason)

    def _checked(self, data: bytes) -> dict[str, Any]:
        """The answer. A server that only puts us off is left for another one of its cluster."""
        try:
            answer = check_answer(data)
        except Unanswered:
            now = anyio.current_time()
            self._put_off_since = self._put_off_since or now
            if len(self._client.servers) > 1 and now - self._put_off_since > _REQUEST_S:
                self._cut()
            raise
        self._put_off_since = None
        return answer

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

    async def inbox(self, arrival: Arrival) -> str:
        """Messages to ``<inbox>.<word>`` go to ``arrival``. Ask before each use: it may change.

        Raises Unanswered.
        """
        if arrival not in self._inboxes:
            inbox = self._client.new_inbox()
            await self._subscribe(f"{inbox}.*", arrival)
            self._inboxes[arrival] = inbox
        return self._inboxes[arrival]

    def gave_up(self, reason: str) -> LogError:
        """What to raise when patience ends."""
        return LogError(
            f"the log server {self.url} does not answer ({reason}): see that it runs with "
            "JetStream, then start again; what was being stored is settled by its slots"
        )

    def _denied(self, reason: str) -> LogError:
        who = f" as {self.login.user}" if self.login.user else ""
        return LogError(f"{self.url}{who}: {reason}: give this user that permission")

    async def _write(self, commands: bytes) -> None:
        if not self._client.is_connected:  # else nats-py would send them after the next connect
            raise Unanswered("no connection")
        await self._client._send_command(commands)
        await self._client._flush_pending()

    async def _listen(self) -> None:
        """Subscribe to answers, once a client: nats-py does so again when it reconnects."""
        if not self._answers:
            self._answers = self._client.new_inbox()
            await self._subscribe(f"{self._answers}.*", self._on_answer)

    async def _subscribe(self, subject: str, arrival: Arrival) -> Any:
        try:  # without limits: whoever asks for messages bounds how many
            return await self._client.subscribe(
                subject, cb=arrival, pending_msgs_limit=0, pending_bytes_limit=0
            )
        except (Error, OSError) as e:
            raise Unanswered(_reason(e)) from e

    async def _first_connect(self) -> None:
        with anyio.move_on_after(self.patience):
            await self._connect()
        self._opening = False
        if not self._client.is_connected:
            raise LogError(
                f"cannot connect to the log server {self.url} ({_reason(self._trouble)}): "
                "check its address and the login"
            )
        if self._client.max_payload < _MIN_PAYLOAD:
            raise LogError(f"{self.url}: set max_payload to at least {_MIN_PAYLOAD} bytes")

    def _new_client(self) -> _Client:
        client = _Client()
        client.login = self.login
        return client

    async def _reopen(self) -> None:
        """A new client: nats-py closes one for good when the server takes a login back."""
        async with self._reopening:
            if self._ended or not self._client.is_closed:
                return
            self._client, self._answers = self._new_client(), ""
            self._inboxes = {}
            try:
                await self._connect()
            except BaseException:
                await self._close()
                raise
            self._changed.ring()

    async def _connect(self) -> None:
        await self._client.connect(
            self._servers,
            error_cb=self._on_error,
            disconnected_cb=self._on_loss,
            reconnected_cb=self._on_change,
            closed_cb=self._on_change,
            tls=self.login.tls,
            inbox_prefix=self.login.inbox,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_PAUSE_S,
            ping_interval=10,
            pending_size=_BUFFER,
        )

    def _cut(self) -> None:
        """End a connection on which nothing comes; nats-py makes another."""
        writer = getattr(self._client._transport, "_io_writer", None)
        if writer is not None:  # a websocket has none
            writer.transport.abort()

    async def _close(self) -> None:
        # After a TLS handshake that failed asyncio's streams wait for ever.
        with anyio.move_on_after(_CLOSE_S, shield=True), suppress(Error, OSError):
            if not self._client.is_connected or self._client.pending_data_size:
                self._cut()  # nobody reads what close() would wait to send
            await self._client.close()

    async def _on_answer(self, message: Any) -> None:
        if attempt := self._attempts.get(message.subject.rpartition(".")[2]):
            attempt.hear(message)

    async def _on_error(self, error: Exception) -> None:
        self._trouble = error
        reason = str(error).removeprefix("nats: ")
        if self._opening and (hopeless := self._hopeless(error, reason)):
            raise LogError(hopeless)  # ends connect(), which would try for ever
        if "permissions violation" in reason:
            if "subscription" in reason:
                self._deaf = reason
            for attempt in list(self._attempts.values()):
                attempt.deny(reason)

    def _hopeless(self, error: Exception, reason: str) -> str:
        """What to say where trying again cannot help; else nothing."""
        if "authorization violation" in reason.lower():
            return (
                f"the log server {self.url} refuses this login ({reason}): "
                "check its address and the login"
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {self.url} cannot be trusted ({error.verify_message}): "
                "name the authority that signed it, and the server as its certificate does"
            )
        if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
            return (
                f"the log server {self.url} ended the TLS handshake ({error.reason}): "
                "it wants a client's certificate that its authority signed"
            )
        return str(error) if isinstance(error, _Unusable) else ""

    async def _on_loss(self) -> None:
        self._deaf, self._put_off_since = "", None
        for attempt in list(self._attempts.values()):
            attempt.fail("the connection was lost")
        self._changed.ring()

    async def _on_change(self) -> None:
        self._changed.ring()


def _reason(error: Exception | None) -> str:
    return str(error).removeprefix("nats: ") or type(error).__name__


def _shown(url: str) -> str:
    """The address without a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORT}"
