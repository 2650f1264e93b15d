"""Reading a stream: a consumer that keeps no state worth keeping, asked for batches.

The reader knows where it stands; when the consumer or the connection goes, it makes another one.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import anyio
import msgspec
from anyio.lowlevel import checkpoint

from quasar.errors import Damaged
from quasar.log.bell import Bell
from quasar.log.jetstream_api import Message, Unanswered
from quasar.log.jetstream_wire import Wire

_BATCH = 1000
"""Events asked for at a time."""
_BATCH_BYTES = 8 * 2**20
_PULL_S = 30
"""How long the server holds a request for events that do not exist yet."""
_HEARTBEAT_S = 5
"""The server says that often that it still holds the request."""
_IDLE_S = 60
"""The server drops a consumer that asked for nothing for so long."""
_PAUSE_S = 0.1
_NS = 1_000_000_000
_NOT_OVER = ("Message Size Exceeds MaxBytes", "Batch Completed")
"""Endings of one request that say nothing about the consumer."""


class _Lost(Exception):
    """Raised when a feed gives nothing any more."""


async def read(wire: Wire, stream: str, after: int) -> AsyncGenerator[tuple[int, bytes], None]:
    """Events above ``after``, for ever. Raises Damaged where one is missing."""
    seq = after
    while True:
        await wire.connected()
        try:
            if seq > after:
                await _check_head(wire, stream, seq)
            async with _Feed.open(wire, stream, seq + 1) as feed:
                while True:
                    for number, line in await feed.take():
                        if number <= seq:  # the server begins at its end, if that comes earlier
                            continue
                        if number > seq + 1:
                            raise Damaged(seq + 1, f"missing; the next in {stream} is {number}")
                        seq = number
                        yield number, line
        except (_Lost, Unanswered):
            await anyio.sleep(_PAUSE_S)


async def _check_head(wire: Wire, stream: str, seq: int) -> None:
    """After a loss: does the server still have what this reader saw?"""
    info = await wire.api(f"STREAM.INFO.{stream}", None, patience=float("inf"))
    head = info["state"]["last_seq"]
    if head < seq:
        raise Damaged(head + 1, f"{stream} held it before and ends at {head} now")


class _Feed:
    """One ephemeral consumer. At most 1.5 batches are asked for or held."""

    def __init__(self, wire: Wire, stream: str) -> None:
        self._wire = wire
        self._stream = stream
        self._name = token_hex(16)
        self._inbox = ""
        self._arrived: list[Any] = []
        self._asked = 0
        """Events that were asked for and not yet taken."""
        self._next = 1
        """The consumer's own number of its next delivery."""
        self._lost = False
        self._bell = Bell()

    @classmethod
    @asynccontextmanager
    async def open(cls, wire: Wire, stream: str, start: int) -> AsyncIterator["_Feed"]:
        feed = cls(wire, stream)
        with wire.on_loss(feed._lose):
            async with wire.inbox(feed._arrive) as feed._inbox:
                await feed._create(start)
                try:
                    yield feed
                finally:
                    await feed._delete()

    async def take(self) -> list[tuple[int, bytes]]:
        """Number and bytes of the events that came; waits for at least one."""
        await checkpoint()
        while True:
            if self._asked <= _BATCH // 2:
                await self._pull()
            while not self._arrived:
                await self._wait()
            arrived, self._arrived = self._arrived, []
            if events := [e for m in arrived if (e := self._event(m))]:
                return events

    def _event(self, message: Any) -> tuple[int, bytes] | None:
        if not message.reply:
            self._note(message.headers or {})
            return None
        tokens = message.reply.split(".")
        at = 5 if len(tokens) == 9 else 7  # the longer form also names domain and account
        if int(tokens[at + 1]) != self._next:
            raise _Lost
        self._next += 1
        self._asked -= 1
        return int(tokens[at]), message.data

    def _note(self, headers: dict[str, str]) -> None:
        """A word of the server about a request."""
        status, why = headers.get("Status"), headers.get("Description", "")
        if status == "100":
            return
        if status not in ("404", "408") and why not in _NOT_OVER:
            raise _Lost
        self._asked -= int(headers.get("Nats-Pending-Messages", self._asked))

    async def _wait(self) -> None:
        if not self._lost:
            with anyio.move_on_after(2.5 * _HEARTBEAT_S) as silence:
                await self._bell.wait()
            self._lost |= silence.cancelled_caught
        if self._lost:
            raise _Lost

    async def _arrive(self, message: Any) -> None:
        self._arrived.append(message)
        self._bell.ring()

    def _lose(self) -> None:
        self._lost = True
        self._bell.ring()

    async def _pull(self) -> None:
        want = {
            "batch": _BATCH,
            "max_bytes": _BATCH_BYTES,
            "expires": _PULL_S * _NS,
            "idle_heartbeat": _HEARTBEAT_S * _NS,
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._wire.send(Message(subject, msgspec.json.encode(want)), reply=self._inbox)
        self._asked += _BATCH

    async def _create(self, start: int) -> None:
        config = {
            "name": self._name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": _IDLE_S * _NS,
            "mem_storage": True,
            "num_replicas": 1,
        }
        await self._wire.api(
            f"CONSUMER.CREATE.{self._stream}.{self._name}",
            {"stream_name": self._stream, "config": config},
            patience=float("inf"),
        )

    async def _delete(self) -> None:
        """Politeness: it would go by itself."""
        if self._lost:
            return
        subject = f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}"
        with anyio.CancelScope(shield=True):
            await self._wire.send(Message(subject, b""))
