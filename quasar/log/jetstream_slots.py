"""The slots of a stream: storing events in them, and seeing what stands there."""

from base64 import b64decode
from collections.abc import Sequence
from typing import NamedTuple

import anyio

from quasar.errors import LogError
from quasar.log import Stored
from quasar.log.jetstream_api import ApiError, Batch, Message, Taken, Unanswered
from quasar.log.jetstream_wire import Wire
from quasar.log.settle import Entry

_NO_MESSAGE = 10037
_TAKEN = (10071, 10164)
"""A slot is taken: as a single server says it, and as a cluster does."""
_LOOKUPS = 64
"""Slots that are looked up at once."""
_FREE = "Nats-Expected-Last-Subject-Sequence: 0\r\n"


class Parcel(NamedTuple):
    """Events that are ready to be sent."""

    entries: Sequence[Entry]
    messages: Sequence[Message]


class JetStreamSlots:
    """Every event is sent under a mark, which shows later who stored it."""

    def __init__(self, wire: Wire, stream: str, subject: str) -> None:
        self._wire = wire
        self._stream = stream
        self._subject = subject
        self._trouble = "no connection"
        """Why the last publish had no answer."""

    def pack(self, entries: Sequence[Entry], mark: str) -> Parcel:
        """Make ready to send. At most MAX_STEP entries, with different slots."""
        if len(entries) > 1:
            return Parcel(entries, Batch(self._batch(entries, mark)))
        [entry] = entries
        headers = f"{_FREE}Quasar-Append: {mark}\r\n"
        return Parcel(entries, [Message(f"{self._subject}.{entry.slot}", entry.line, headers)])

    async def publish(self, parcel: Parcel) -> list[Stored]:
        """Store all or none.

        Raises Taken where none is stored since a slot holds an event, Unanswered where nobody
        knows, LogError where the server refuses for another reason.
        """
        entries = parcel.entries
        try:
            ack = await self._wire.exchange(parcel.messages)
        except Unanswered as e:
            self._trouble = str(e)
            raise
        except ApiError as e:
            if e.code in _TAKEN:
                raise Taken(str(e)) from e
            raise LogError(f"{self._wire.url} refuses to store in {self._stream}: {e}") from e
        count = ack.get("count", 1)
        if count != len(entries):
            raise Unanswered(f"{count} of {len(entries)} events acknowledged")
        first = ack["seq"] - count + 1
        return [Stored(seq, e.line, True) for seq, e in enumerate(entries, start=first)]

    async def find(self, entry: Entry, marks: Sequence[str]) -> Stored | None:
        """What stands in the slot; ``new`` where it was sent under one of the marks.

        Raises Diverged where it is another decision, LogError where it cannot be seen.
        """
        body = {"last_by_subj": f"{self._subject}.{entry.slot}"}
        try:
            answer = await self._wire.api(f"STREAM.MSG.GET.{self._stream}", body)
        except ApiError as e:
            if e.code == _NO_MESSAGE:
                return None
            raise LogError(f"{self._wire.url} cannot look up {entry.slot}: {e}") from e
        message = answer["message"]
        line, headers = b64decode(message["data"]), b64decode(message.get("hdrs", "")).decode()
        if any(mark in headers for mark in marks):
            return Stored(message["seq"], line, new=True)
        return entry.settle(message["seq"], line)

    async def find_all(self, entries: Sequence[Entry], marks: Sequence[str]) -> dict[str, Stored]:
        """What stands in those of the slots that are taken. Raises as ``find``."""
        found: dict[str, Stored] = {}
        errors: list[LogError] = []

        async def look(entry: Entry) -> None:
            try:
                if stored := await self.find(entry, marks):
                    found[entry.slot] = stored
            except LogError as e:  # not through the task group, which would wrap it
                errors.append(e)

        for start in range(0, len(entries), _LOOKUPS):
            async with anyio.create_task_group() as group:
                for entry in entries[start : start + _LOOKUPS]:
                    group.start_soon(look, entry)
            if errors:
                raise errors[0]
        return found

    def gave_up(self) -> LogError:
        """What to raise when patience ends."""
        return self._wire.gave_up(self._trouble)

    def _batch(self, entries: Sequence[Entry], mark: str) -> list[Message]:
        at, head = self._subject, f"{_FREE}Nats-Batch-Id: {mark}\r\nNats-Batch-Sequence: "
        messages = [
            Message(f"{at}.{e.slot}", e.line, f"{head}{i}\r\n")
            for i, e in enumerate(entries, start=1)
        ]
        last = messages.pop()
        headers = f"{last.headers}Nats-Batch-Commit: 1\r\n"
        return [*messages, Message(last.subject, last.payload, headers)]
