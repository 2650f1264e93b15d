"""The live log: one JetStream stream a volume, ``q.<log id>.<volume>.<slot>`` its subjects."""

import time
from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import anyio

from quasar.errors import LogError
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft
from quasar.log import Stored
from quasar.log.jetstream_api import ApiError, Login, Message, Unanswered
from quasar.log.jetstream_reader import read
from quasar.log.jetstream_stream import check_stream, stream_config
from quasar.log.jetstream_wire import Wire
from quasar.log.settle import Clock, Entry, prepare

_NO_MESSAGE = 10037
_NO_STREAM = 10059
_NAME_IN_USE = 10058
_TAKEN = (10071, 10164)
"""A slot is taken: as a single server says it, and as a cluster does."""
_PAUSE_S = 0.05
_LOOKUPS = 64
"""Slots that are looked up at once."""
_MARK = "Quasar-Append"
"""Header that shows, after a loss, which append stored an event."""


class JetStreamLog:
    """A volume's stream. Steps go one by one; each is an atomic batch. Make one with ``open``.

    An answer that does not come proves nothing, so the slots are looked up and what is missing is
    sent again: the server refuses whatever arrives twice.
    """

    def __init__(self, wire: Wire, log_id: str, volume: int, blobs: Blobs, clock: Clock) -> None:
        self._wire = wire
        self._subject = f"q.{log_id}.{volume}"
        self._stream = f"Q-{log_id}-{volume}"
        self._blobs = blobs
        self._clock = clock
        self._lock = anyio.Lock()

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
        where there is no server or its stream has other settings, Damaged where events are gone.
        """
        async with Wire.open(url, login or Login(), patience) as wire:
            log = cls(wire, log_id, volume, blobs, clock)
            await log._prepare_stream(replicas)
            yield log

    @property
    def blobs(self) -> Blobs:
        """Long payloads, by hash."""
        return self._blobs

    async def append(self, step: Sequence[Draft]) -> list[Stored]:
        """As ``Log.append``. After LogError or a cancellation the step may still be stored."""
        entries = prepare(step, self._clock())
        async with self._lock:
            return await self._store(entries)

    def read(self, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        """As ``Log.read``; goes on for ever, also over lost connections."""
        return read(self._wire, self._stream, after)

    async def head(self) -> int:
        """As ``Log.head``. Raises LogError where the server does not answer."""
        return int((await self._info())["state"]["last_seq"])

    async def _store(self, entries: list[Entry]) -> list[Stored]:
        held: dict[str, Stored] = {}
        marks: list[bytes] = []
        reason = "no connection"
        with anyio.move_on_after(self._wire.patience):
            while rest := [e for e in entries if e.slot not in held]:
                mark = token_hex(16)
                marks.append(mark.encode())
                try:
                    held |= await self._publish(rest, mark)
                except Unanswered as e:
                    reason = str(e)
                    held |= await self._look_up(rest, marks)
            return [held[e.slot] for e in entries]
        raise self._wire.gave_up(reason)

    async def _publish(self, entries: list[Entry], mark: str) -> dict[str, Stored]:
        """Store all or none. Raises Unanswered where a slot is taken or nobody knows."""
        try:
            ack = await self._wire.exchange(self._messages(entries, mark))
        except ApiError as e:
            if e.code in _TAKEN:
                raise Unanswered(str(e)) from e
            raise LogError(f"{self._wire.url} refuses to store in {self._stream}: {e}") from e
        count = ack.get("count", 1)
        if count != len(entries):
            raise Unanswered(f"{count} of {len(entries)} events acknowledged")
        first = ack["seq"] - count + 1
        return {e.slot: Stored(first + i, e.line, new=True) for i, e in enumerate(entries)}

    def _messages(self, entries: list[Entry], mark: str) -> list[Message]:
        messages = []
        for i, entry in enumerate(entries, start=1):
            headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
            if len(entries) == 1:
                headers[_MARK] = mark
            else:
                headers |= {"Nats-Batch-Id": mark, "Nats-Batch-Sequence": str(i)}
            messages.append(Message(self._at(entry.slot), entry.line, headers))
        if len(entries) > 1:
            headers["Nats-Batch-Commit"] = "1"
        return messages

    async def _look_up(self, entries: list[Entry], marks: list[bytes]) -> dict[str, Stored]:
        """What stands in those of the slots that are taken. Raises Diverged."""
        found: dict[str, Stored] = {}
        errors: list[LogError] = []

        async def look(entry: Entry) -> None:
            try:
                if stored := await self._stored(entry, marks):
                    found[entry.slot] = stored
            except LogError as e:  # not through the task group, which would wrap it
                errors.append(e)

        for start in range(0, len(entries), _LOOKUPS):
            async with anyio.create_task_group() as group:
                for entry in entries[start : start + _LOOKUPS]:
                    group.start_soon(look, entry)
            if errors:
                raise errors[0]
        if not found:  # sent again at once, it would most likely meet the same obstacle
            await anyio.sleep(_PAUSE_S)
        return found

    async def _stored(self, entry: Entry, marks: list[bytes]) -> Stored | None:
        body = {"last_by_subj": self._at(entry.slot)}
        try:
            answer = await self._wire.api(f"STREAM.MSG.GET.{self._stream}", body)
        except ApiError as e:
            if e.code == _NO_MESSAGE:
                return None
            raise LogError(f"{self._wire.url} cannot look up {entry.slot}: {e}") from e
        message = answer["message"]
        line, headers = b64decode(message["data"]), b64decode(message.get("hdrs", ""))
        if any(mark in headers for mark in marks):
            return Stored(message["seq"], line, new=True)
        return entry.settle(message["seq"], line)

    def _at(self, slot: str) -> str:
        return f"{self._subject}.{slot}"

    async def _info(self) -> dict[str, Any]:
        body = {"deleted_details": True}
        return await self._wire.api(f"STREAM.INFO.{self._stream}", body)

    async def _prepare_stream(self, replicas: int) -> None:
        wanted = stream_config(self._stream, self._subject, replicas)
        try:
            try:
                info = await self._info()
            except ApiError as e:
                if e.code != _NO_STREAM:
                    raise
                info = await self._create(wanted)
        except ApiError as e:
            raise LogError(f"{self._wire.url} cannot keep {self._stream}: {e}") from e
        check_stream(info, wanted)

    async def _create(self, wanted: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._wire.api(f"STREAM.CREATE.{self._stream}", wanted)
        except ApiError as e:
            if e.code != _NAME_IN_USE:  # else another process was faster
                raise
            return await self._info()
