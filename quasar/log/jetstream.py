"""The live log: one JetStream stream a volume, ``q.<log id>.<volume>.<slot>`` its subjects."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from secrets import token_hex
from typing import Any

from quasar.errors import LogError
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft, decode
from quasar.log import MAX_STEP, Stored
from quasar.log.jetstream_api import ApiError, Login, Unanswered
from quasar.log.jetstream_reader import read
from quasar.log.jetstream_slots import JetStreamSlots
from quasar.log.jetstream_stream import check_stream, check_version, stream_config
from quasar.log.jetstream_wire import Wire
from quasar.log.settle import Clock, Entry
from quasar.log.writer import LogWriter

_NO_STREAM = 10059
_NAME_IN_USE = 10058


class JetStreamLog:
    """A volume's stream. Any number of tasks may append and read. Make one with ``open``."""

    def __init__(
        self, wire: Wire, stream: str, blobs: Blobs, slots: JetStreamSlots, writer: LogWriter
    ) -> None:
        self._wire = wire
        self._stream = stream
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
        subject, stream = f"q.{log_id}.{volume}", f"Q-{log_id}-{volume}"
        async with Wire.open(url, login or Login(), patience) as wire:
            check_version(wire.url, wire.server_version)
            await _prepare_stream(wire, stream_config(stream, subject, replicas))
            slots = JetStreamSlots(wire, stream, subject)
            async with LogWriter.open(slots, patience, clock) as writer:
                yield cls(wire, stream, blobs, slots, writer)

    @property
    def blobs(self) -> Blobs:
        """Long payloads, by hash."""
        return self._blobs

    def append(self, step: Sequence[Draft]) -> Coroutine[Any, Any, list[Stored]]:
        """As ``Log.append``. After LogError or a cancellation the step may still be stored.

        What many tasks append at once is stored together; beyond some thousand events an append
        waits for room.
        """
        return self._writer.append(step)

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
            entries = [Entry(e.key, line, e.event.kind) for line in step if (e := decode(line))]
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

    def read(self, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        """As ``Log.read``; goes on for ever, also over lost connections."""
        return read(self._wire, self._stream, after)

    async def head(self) -> int:
        """As ``Log.head``. Raises LogError where the server does not answer."""
        return int((await self._info())["state"]["last_seq"])

    async def _info(self) -> dict[str, Any]:
        return await _info(self._wire, self._stream)


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
