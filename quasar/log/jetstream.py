"""The live log: one JetStream stream a volume, ``q.<log id>.<volume>.<slot>`` its subjects."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import islice
from secrets import token_hex
from typing import Any

import msgspec

from quasar.errors import LogError
from quasar.events.base import Kind
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft
from quasar.log import MAX_STEP, Stored
from quasar.log.jetstream_api import ApiError, Login, Message, Unanswered
from quasar.log.jetstream_reader import read
from quasar.log.jetstream_slots import JetStreamSlots
from quasar.log.jetstream_stream import check_stream, check_version, stream_config
from quasar.log.jetstream_wire import Wire
from quasar.log.settle import Clock, Entry
from quasar.log.writer import LogWriter

_NO_STREAM = 10059
_NAME_IN_USE = 10058
_NEVER = f"Nats-Expected-Last-Sequence: {2**53}\r\n"
"""A stream refuses what carries it: it will not be so long."""
_ANY_WORD = str.maketrans("*>", "xx")


class _Place(msgspec.Struct):
    key: str


_place = msgspec.json.Decoder(_Place).decode


class JetStreamLog:
    """A volume's stream. Any number of tasks may append and read. Make one with ``open``."""

    def __init__(
        self, wire: Wire, volume: str, blobs: Blobs, slots: JetStreamSlots, writer: LogWriter
    ) -> None:
        self._wire = wire
        self._subject = f"q.{volume}"
        self._stream = _stream_of(volume)
        self._slots = slots
        self._blobs = blobs
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        log_id: str,
        volume: int,
        blobs: Blobs,
        *,
        login: Login | None = None,
        replicas: int = 1,
        patience: float = 30.0,
        clock: Clock = time.time_ns,
    ) -> AsyncIterator["JetStreamLog"]:
        """The volume's log on the server at ``url``; its stream is made if absent.

        ``patience``: seconds that an append, or this, may wait for the server. Raises LogError
        where there is no server, it refuses the login, is too old, or its stream has other
        settings; Damaged where events are gone.
        """
        name = f"{log_id}.{volume}"
        subject, stream = f"q.{name}", _stream_of(name)
        async with Wire.open(url, login or Login(), patience) as wire:
            check_version(wire.url, wire.server_version)
            await _prepare_stream(wire, stream_config(stream, subject, replicas))
            slots = JetStreamSlots(wire, stream, subject)
            async with LogWriter.open(slots, patience, clock) as writer:
                yield cls(wire, name, blobs, slots, writer)

    @property
    def blobs(self) -> Blobs:
        """Long payloads, by hash."""
        return self._blobs

    @property
    def place(self) -> tuple[Wire, str, str]:
        """The connection, the stream, and how its subjects begin."""
        return self._wire, self._stream, self._subject

    def append(self, step: Sequence[Draft]) -> Coroutine[Any, Any, list[Stored]]:
        """As ``Log.append``. After LogError or a cancellation the step may still be stored.

        What many tasks append at once is stored together; beyond some thousand events an append
        waits for room.
        """
        return self._writer.append(step)

    async def check_rights(self, slots: Iterable[str]) -> None:
        """Raise LogError where this user may not write one of these slots; nothing is stored.

        ``slots``: as in ``quasar.rules.owners.SLOTS``.
        """
        for slot in slots:
            subject = f"{self._subject}.{slot.translate(_ANY_WORD)}"
            try:
                await self._wire.exchange([Message(subject, b"", _NEVER)])
            except (ApiError, Unanswered):
                continue  # it came as far as the stream

    async def restore(self, lines: Iterable[bytes]) -> int:
        """Store the lines of an archive in an empty stream, under the numbers that they had.

        Gives their count. Raises LogError where the stream is not empty or the server fails on the
        way: then begin again with another store.
        """
        stored = await self.head()
        if stored:
            raise LogError(f"{self._stream} holds {stored} events: nothing can be restored into it")
        rest = iter(lines)
        while step := list(islice(rest, MAX_STEP)):
            # What a newer program wrote is kept too: no event is judged here, so none has a kind.
            entries = [Entry(_place(line).key, line, Kind.FACT) for line in step]
            try:
                held = await self._slots.publish(self._slots.pack(entries, token_hex(16)))
            except Unanswered as lost:
                raise LogError(
                    f"{self._wire.url} was lost while {self._stream} was restored"
                ) from lost
            if held[0].seq != stored + 1:
                raise LogError(f"somebody else writes to {self._stream}: stop that first")
            stored += len(held)
        return stored

    async def read(self, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        """As ``Log.read``; goes on for ever, also over lost connections."""
        async with aclosing(self.runs(after)) as runs:
            async for first, lines in runs:
                for seq, line in enumerate(lines, first):
                    yield seq, line

    def runs(self, after: int = 0) -> AsyncGenerator[tuple[int, list[bytes]], None]:
        """As ``read``, but what comes together is given together, with the first one's number."""
        return read(self._wire, self._stream, after)

    async def head(self) -> int:
        """As ``Log.head``. Raises LogError where the server does not answer."""
        return int((await self._info())["state"]["last_seq"])

    async def _info(self) -> dict[str, Any]:
        return await _info(self._wire, self._stream)


def _stream_of(volume: str) -> str:
    return f"Q-{volume.replace('.', '-')}"


async def _info(wire: Wire, stream: str) -> dict[str, Any]:
    return await wire.api(f"STREAM.INFO.{stream}", {"deleted_details": True})


async def _prepare_stream(wire: Wire, wanted: dict[str, Any]) -> None:
    try:
        try:
            info = await _info(wire, wanted["name"])
        except ApiError as e:
            if e.code != _NO_STREAM:
                raise
            info = await _create(wire, wanted)
    except ApiError as e:
        raise LogError(f"{wire.url} cannot keep {wanted['name']}: {e}") from e
    check_stream(info, wanted)


async def _create(wire: Wire, wanted: dict[str, Any]) -> dict[str, Any]:
    try:
        return await wire.api(f"STREAM.CREATE.{wanted['name']}", wanted)
    except ApiError as e:
        if e.code != _NAME_IN_USE:  # else another process was faster
            raise
        return await _info(wire, wanted["name"])
