"""A connection that hears one consumer and no more, as fast as Python can.

nats-py takes five times as long for an event as everything else here together: it parses headers
that nobody reads, and hands each message through a queue.
"""

import asyncio  # noqa: TID251 - anyio's sockets allocate and drop 256 KiB for every chunk
import ssl
from typing import Any, cast
from urllib.parse import SplitResult

import anyio
import msgspec

from quasar.errors import LogError
from quasar.log.bell import Bell
from quasar.log.jetstream_api import Login
from quasar.log.jetstream_frames import Run, parse
from quasar.log.jetstream_login import connect_command

_CHUNK = 128 * 1024
"""Bytes taken from the socket at a time: larger ones leave the processor's cache."""
_CONNECT_S = 5.0
_CLOSE_S = 1.0
_PORT = 4222
_HEARTBEAT = b"NATS/1.0 100"


class Lost(Exception):
    """Raised when a connection, or what it was asked for, is gone; says why."""


class LoginRefused(Exception):
    """Raised when the server does not let this user in; says why."""


class Socket(asyncio.BufferedProtocol):
    """Events and words as they come. Make one with ``connect``."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._buffer = bytearray(2 * _CHUNK)
        self._filled = 0
        self._transport: asyncio.Transport | None = None
        self._changed = Bell()
        self._closed = anyio.Event()
        self.runs: list[Run] = []
        """Events. Whoever takes the list puts a new one in its place."""
        self.words: list[bytes] = []
        """What else the server said: status headers, ``-ERR``, ``PONG``; no heartbeats."""

    @property
    def lost(self) -> bool:
        """Whether nothing will come any more."""
        return self._closed.is_set()

    async def changed(self) -> None:
        """Wait until something comes, a heartbeat too, or the connection ends."""
        if not self.lost:
            await self._changed.wait()

    def send(self, commands: bytes) -> None:
        """Send small commands. Raises Lost."""
        if self._transport is None or self.lost:
            raise Lost("the connection ended")
        self._transport.write(commands)

    async def word(self) -> bytes:
        """The next word. Raises Lost."""
        while not self.words:
            if self.lost:
                raise Lost("the connection ended")
            await self.changed()
        return self.words.pop(0)

    async def close(self) -> None:
        """Send what was given to ``send``, if the other side takes it, and end."""
        if self._transport is None:
            return
        with anyio.CancelScope(shield=True):
            self._transport.close()
            with anyio.move_on_after(_CLOSE_S):
                await self._closed.wait()
            self._transport.abort()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on encrypted. Raises OSError where the server's certificate does not do."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(self._transport, self, context, server_hostname=host)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop's signature
        """Called by the loop: where to put what comes, behind the frame that is not complete."""
        if len(self._buffer) - self._filled < _CHUNK:
            self._buffer = self._buffer + bytes(len(self._buffer))
        return memoryview(self._buffer)[self._filled : self._filled + _CHUNK]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the loop."""
        filled = self._filled + nbytes
        chunk = bytes(memoryview(self._buffer)[:filled])
        runs, words, used = parse(chunk, self._mark)
        self._filled = filled - used
        self._buffer[: self._filled] = chunk[used:]
        self.runs += runs
        for word in words:
            self._hear(word)
        self._changed.ring()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's signature
        """Called by the loop."""
        self._closed.set()
        self._changed.ring()

    def _hear(self, word: bytes) -> None:
        if word == b"PING":
            self.send(b"PONG\r\n")
        elif not word.startswith(_HEARTBEAT):
            self.words.append(word)


async def connect(
    url: SplitResult, login: Login, mark: bytes, tls_name: str | None = None
) -> Socket:
    """Connect and log in. ``tls_name``: in the server's certificate, where not its address.

    Raises LoginRefused, Lost where the server cannot be reached, and LogError for an address or
    credentials that cannot be used.
    """
    if url.scheme not in ("nats", "tls") or not url.hostname:
        raise LogError(f"cannot read from {url.scheme}://{url.hostname}: give nats:// or tls://")
    socket = Socket(mark)
    try:
        with anyio.fail_after(_CONNECT_S):
            await asyncio.get_running_loop().create_connection(
                lambda: socket, url.hostname, url.port or _PORT
            )
            await _log_in(socket, url, login, tls_name)
    except BaseException as e:
        await socket.close()
        if isinstance(e, ssl.SSLCertVerificationError):
            raise LogError(f"{url.hostname} is not who it should be: {e.verify_message}") from e
        if isinstance(e, OSError):  # TimeoutError too
            raise Lost(str(e) or "no answer") from e
        raise
    return socket


async def _log_in(socket: Socket, url: SplitResult, login: Login, tls_name: str | None) -> None:
    greeting = await socket.word()
    if not greeting.startswith(b"INFO {"):
        raise LogError(f"{url.hostname} does not speak NATS: check the address")
    info = msgspec.json.decode(greeting.removeprefix(b"INFO "), type=dict[str, Any])
    command = connect_command(info, url, login)
    if info.get("tls_required"):
        context = login.tls or ssl.create_default_context()
        await socket.start_tls(context, tls_name or str(url.hostname))
    socket.send(command + b"PING\r\n")
    while (word := await socket.word()) != b"PONG":
        if word.startswith(b"-ERR"):
            raise LoginRefused(word.decode(errors="replace"))
