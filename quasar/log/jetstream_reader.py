"""Reading a stream: a consumer that keeps no state worth keeping, asked for batches.

The reader knows where it stands; when the consumer or the connection goes, it makes another one.
It hears its consumer on a connection of its own, and asks JetStream's API over the wire.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

import anyio
import msgspec
from anyio.lowlevel import checkpoint

from quasar.errors import Damaged, LogError
from quasar.log.jetstream_api import Message, Unanswered, frame
from quasar.log.jetstream_frames import Run, mark_of
from quasar.log.jetstream_socket import LoginRefused, Lost, Socket, connect
from quasar.log.jetstream_wire import Wire

_BATCH = 10_000
"""Events asked for at a time; at most three times as many are in memory."""
_BATCH_BYTES = 8 * 2**20
"""A request ends early where its events are that long; at most four such are in memory."""
_PULL_S = 30.0
"""How long the server holds a request for events that do not exist yet."""
_HEARTBEAT_S = 5.0
"""The server says that often that it still holds the request."""
_IDLE_S = 60.0
"""The server drops a consumer that asked for nothing for so long."""
_PAUSE_S = 0.1
_NS = 1_000_000_000
_PASSING = (b"404", b"408")
"""Statuses that say nothing about the consumer; so do the descriptions below."""
_NOT_OVER = ("Message Size Exceeds MaxBytes", "Batch Completed")


async def read(wire: Wire, stream: str, after: int) -> AsyncGenerator[Run, None]:
    """Events above ``after``, for ever, as they come: the first one's number, and the lines.

    Raises Damaged where one is missing.
    """
    seq = after
    while True:
        await wire.connected()
        try:
            if seq > after:
                await _check_head(wire, stream, seq)
            start = seq + 1
            async with _Feed.open(wire, stream, start) as feed:
                while True:
                    for first, lines in await feed.take():
                        if first > seq + 1:
                            if seq >= start:  # lost on the way, or in the stream: ask again
                                raise Lost(f"event {seq + 1} did not come")
                            raise Damaged(start, f"missing; the next in {stream} is {first}")
                        if new := lines[seq + 1 - first :]:  # it may begin before what is asked
                            yield seq + 1, new
                            seq += len(new)
        except (Lost, Unanswered):
            await anyio.sleep(_PAUSE_S)


async def _check_head(wire: Wire, stream: str, seq: int) -> None:
    """After a loss: does the server still have what this reader saw?"""
    info = await wire.api(f"STREAM.INFO.{stream}", None, patience=float("inf"))
    head = info["state"]["last_seq"]
    if head < seq:
        raise Damaged(head + 1, f"{stream} held it before and ends at {head} now")


class _Feed:
    """One ephemeral consumer and the connection that hears it."""

    def __init__(self, wire: Wire, stream: str, consumer: str, socket: Socket) -> None:
        self._wire = wire
        self._socket = socket
        self._inbox = f"{wire.login.inbox}.{consumer}"
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._asked = 0
        """Events that were asked for and not yet taken."""

    @classmethod
    @asynccontextmanager
    async def open(cls, wire: Wire, stream: str, start: int) -> AsyncIterator["_Feed"]:
        consumer = token_hex(16)
        socket = await _dial(wire, mark_of(stream, consumer))
        try:
            feed = cls(wire, stream, consumer, socket)
            socket.send(f"SUB {feed._inbox} 1\r\n".encode())
            await _create(wire, stream, consumer, start)
            yield feed
        finally:
            if not socket.lost:  # politeness: the consumer would go by itself
                drop = Message(f"$JS.API.CONSUMER.DELETE.{stream}.{consumer}", b"")
                socket.send(frame([drop]))
            await socket.close()

    async def take(self) -> list[Run]:
        """Events that came; waits for at least one. Raises Lost."""
        await checkpoint()
        socket = self._socket
        while True:
            while socket.words:
                self._note(socket.words.pop(0))
            runs, socket.runs = socket.runs, []
            self._asked -= sum(len(lines) for _, lines in runs)
            if self._asked <= _BATCH // 2:
                self._pull()
            if runs:
                return runs
            await self._wait()

    async def _wait(self) -> None:
        if self._socket.lost:
            raise Lost("the connection ended")
        with anyio.move_on_after(2.5 * _HEARTBEAT_S) as silence:
            await self._socket.changed()
        if silence.cancelled_caught:
            raise Lost("the server is silent")

    def _note(self, word: bytes) -> None:
        """A word of the server, most often about a request."""
        if word.startswith(b"-ERR"):
            reason = word.decode(errors="replace").removeprefix("-ERR ").strip("'")
            if "Permissions Violation" in reason:
                raise LogError(f"{self._wire.url}: {reason}: give this user that permission")
            raise Lost(reason)
        if not word.startswith(b"NATS/1.0"):
            return
        status, _, rest = word.removeprefix(b"NATS/1.0 ").partition(b"\r\n")
        code, _, why = status.partition(b" ")
        if code not in _PASSING and why.decode() not in _NOT_OVER:
            raise Lost(why.decode())
        self._asked -= _pending(rest, self._asked)

    def _pull(self) -> None:
        want = {
            "batch": _BATCH,
            "max_bytes": _BATCH_BYTES,
            "expires": int(_PULL_S * _NS),
            "idle_heartbeat": int(_HEARTBEAT_S * _NS),
        }
        self._socket.send(frame([Message(self._next, msgspec.json.encode(want))], self._inbox))
        self._asked += _BATCH


async def _dial(wire: Wire, mark: bytes) -> Socket:
    """Connect as the wire did. Raises Lost, and LogError where it stays refused."""
    refused = False
    with anyio.move_on_after(wire.patience):
        while True:
            try:
                return await connect(wire.address, wire.login, mark, wire.tls_name)
            except LoginRefused as e:  # a password may change between a login and the next
                reason, refused = str(e), True
            await anyio.sleep(_PAUSE_S)
    if refused:
        raise LogError(f"{wire.url} refuses a second connection ({reason}): check the login")
    raise Lost("no connection")


async def _create(wire: Wire, stream: str, consumer: str, start: int) -> None:
    config = {
        "name": consumer,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": start,
        "ack_policy": "none",
        "replay_policy": "instant",
        "inactive_threshold": int(_IDLE_S * _NS),
        "mem_storage": True,
        "num_replicas": 1,
    }
    await wire.api(
        f"CONSUMER.CREATE.{stream}.{consumer}",
        {"stream_name": stream, "config": config},
        patience=float("inf"),
    )


def _pending(headers: bytes, all_of_them: int) -> int:
    """How many events a request that ended will not bring."""
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"Nats-Pending-Messages":
            return int(value)
    return all_of_them
