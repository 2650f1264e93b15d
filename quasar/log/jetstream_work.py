"""Work on JetStream: a durable consumer ``work-<actor>`` of the volume's stream, which all workers
of that actor share. A lease is what NATS calls a delivery that is not acknowledged yet.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import anyio
import msgspec
from anyio.lowlevel import checkpoint

from quasar.errors import LogError, UsageError
from quasar.log import Log
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import ApiError, Message, Unanswered
from quasar.log.jetstream_wire import Wire
from quasar.log.work import LEASE_S, Lease, Word

_PULL_S = 3.0
"""How long the server holds a request for work that does not exist yet."""
_MARGIN_S = 2.0
"""So much later a request counts as lost."""
_PAUSE_S = 0.1
_GATHER_S = 0.2
"""Renewals that fall due within so long go together."""
_BUSY = b"+WPI"
_PENDING = 1000
_NS = 1_000_000_000
_NO_CONSUMER = 10014
_HEARD = "heard"
"""Stands for an answer that has no status."""
_NOBODY = "503"
"""Status where there is no such consumer."""
_NOTHING_YET = ("404", "408", _HEARD)


def open_work(
    log: Log,
    actor: str,
    slots: Sequence[str],
    *,
    owner: Log | None = None,
    pending: int = _PENDING,
    lease_s: float = LEASE_S,
) -> "JetStreamWork":
    """The actor's work on a log, over the log's own connection; ``slots``: which events are work.

    ``owner``: the same log under a login that may make consumers, for its one owner. Raises
    UsageError for a log that is not on JetStream.
    """
    if not isinstance(log, JetStreamLog) or not isinstance(owner, JetStreamLog | None):
        raise UsageError("only a log on JetStream shares its work between processes")
    wire, stream, subject = log.place
    return JetStreamWork(
        wire,
        stream,
        actor,
        [f"{subject}.{slot}" for slot in slots],
        owner=owner.place[0] if owner else None,
        pending=pending,
        lease_s=lease_s,
    )


class _Call:
    """A message to the server, and what came for it."""

    def __init__(self, pulls: bool) -> None:
        self.pulls = pulls
        """Whether it asks for work."""
        self.over = anyio.Event()
        self.status = ""
        """Empty while nothing came."""
        self.lease: Lease | None = None

    def hear(self, status: str, lease: Lease | None = None) -> None:
        """Take the answer."""
        self.status, self.lease = status, lease
        self.over.set()


class _Renewal:
    """Leases that are renewed together."""

    def __init__(self, seqs: list[int]) -> None:
        self.seqs = seqs
        self.over = anyio.Event()
        self.heard = False


class _Held(NamedTuple):
    """What this worker has of an event."""

    subject: str
    """Of its newest delivery: where words about it go."""
    lease: Lease


class JetStreamWork:
    """One worker's access, on a connection that may do other things too."""

    def __init__(
        self,
        wire: Wire,
        stream: str,
        actor: str,
        subjects: Sequence[str],
        *,
        owner: Wire | None = None,
        pending: int = _PENDING,
        lease_s: float = LEASE_S,
    ) -> None:
        """``subjects``: which events are work. ``pending``: leases that may be held at a time, by
        all workers together. ``owner``: a connection that may make consumers, for the one worker
        that owns the log; the others wait for what it made.
        """
        self._wire = wire
        self._stream = stream
        self._name = f"work-{actor}"
        self._owner = owner
        self._lease_s = lease_s
        self._config = {
            "durable_name": self._name,
            "filter_subjects": list(subjects),
            "ack_policy": "explicit",
            "ack_wait": int(lease_s * _NS),
            "max_deliver": -1,
            "max_ack_pending": pending,
            "deliver_policy": "by_start_sequence",
            "replay_policy": "instant",
        }
        self._after: int | None = None
        self._calls: dict[str, _Call] = {}
        self._tokens = count(1)
        self._held: dict[int, _Held] = {}
        self._unsent: list[Message] = []
        self._renewing: _Renewal | None = None

    async def begin(self, after: int) -> None:
        """As ``WorkQueue.begin``. Raises LogError where the consumer cannot be made."""
        if self._owner is None or self._after is not None:
            return
        try:
            await self._owner.api(f"CONSUMER.DELETE.{self._stream}.{self._name}", None)
        except ApiError as e:
            if e.code != _NO_CONSUMER:
                raise
        self._after = after
        await self._make(self._owner, after)

    async def take(self) -> Lease:
        """As ``WorkQueue.take``. Raises LogError where the server long gives no sign of it."""
        heard = anyio.current_time()
        while True:
            await self._wire.connected()
            call = await self._ask(self._next, self._request)
            if call.lease is not None:
                return call.lease
            if call.status == _NOBODY and self._owner is not None and self._after is not None:
                await self._make(self._owner, self._after)
            if call.status not in ("", _NOBODY):
                heard = anyio.current_time()
            elif anyio.current_time() - heard > self._wire.patience:
                raise self._silent()
            if call.status not in _NOTHING_YET:
                await anyio.sleep(_PAUSE_S)

    @property
    def _next(self) -> str:
        return f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"

    @property
    def _request(self) -> bytes:
        return msgspec.json.encode({"batch": 1, "expires": int(_PULL_S * _NS)})

    async def _make(self, owner: Wire, after: int) -> None:
        config = self._config | {"opt_start_seq": after + 1}
        body = {"stream_name": self._stream, "config": config}
        await owner.api(f"CONSUMER.CREATE.{self._stream}.{self._name}", body)

    def _silent(self) -> LogError:
        return LogError(
            f"{self._wire.url} gives no work of {self._name} on {self._stream}: see that the "
            "validator of this log runs, and that this user may pull from that consumer"
        )

    async def _ask(self, subject: str, payload: bytes) -> _Call:
        """Send, and wait for what comes back; nothing may come. What is not taken goes back."""
        token, call = str(next(self._tokens)), _Call(subject == self._next)
        self._calls[token] = call
        try:
            inbox = await self._wire.inbox(self._arrived)
            await self._wire.send(Message(subject, payload), f"{inbox}.{token}")
            with anyio.move_on_after(_PULL_S + _MARGIN_S):
                await call.over.wait()
        except Unanswered:
            pass
        except BaseException:
            if call.lease is not None:
                with anyio.CancelScope(shield=True):
                    await call.lease.give_back()
            raise
        finally:
            del self._calls[token]
        return call

    async def _arrived(self, message: Any) -> None:
        """Called by the wire. Work comes under its own subject, so whoever waits longest has it."""
        if message.data:
            lease = self._leased(message)
            call = next((c for c in self._calls.values() if c.pulls and not c.over.is_set()), None)
            if call is not None:
                call.hear(_HEARD, lease)
            elif lease is not None:
                await lease.give_back()
        elif call := self._calls.get(message.subject.rpartition(".")[2]):
            call.hear((message.headers or {}).get("Status", _HEARD))

    def _leased(self, message: Any) -> Lease | None:
        """A new lease; None where the event is ours already and came again."""
        seq = int(message.metadata.sequence.stream)
        before = self._held.get(seq)
        again = before is not None and not before.lease.lapsed
        lease = Lease(seq, bytes(message.data), self._lease_s, self._tell)
        self._held[seq] = _Held(message.reply, before.lease if before and again else lease)
        return None if again else lease

    async def _tell(self, seq: int, word: Word, after_s: float) -> bool:
        """Only that more time is needed must be known to be heard: the rest mends itself."""
        if seq not in self._held:
            return False
        if word is Word.BUSY:
            return await self._renew(seq)
        payload = b"+ACK" if word is Word.DONE else b"-NAK"
        if after_s:
            payload += b" " + msgspec.json.encode({"delay": int(after_s * _NS)})
        self._unsent.append(Message(self._held.pop(seq).subject, payload))
        await checkpoint()  # what others say in this moment goes along
        messages, self._unsent = self._unsent, []
        try:
            await self._send(messages)
        except Unanswered:
            return False
        return True

    async def _renew(self, seq: int) -> bool:
        """Together with all that are due now: a worker may hold thousands of leases."""
        if (call := self._renewing) is not None:
            call.seqs.append(seq)
            await call.over.wait()
            return call.heard
        self._renewing = call = _Renewal([seq])
        try:
            await anyio.sleep(min(_GATHER_S, self._lease_s / 30))
            self._renewing = None
            if subjects := [self._held[s].subject for s in call.seqs if s in self._held]:
                await self._send([Message(subject, _BUSY) for subject in subjects[:-1]])
                # The server takes them in order: its answer to the last is one to all.
                call.heard = (await self._ask(subjects[-1], _BUSY)).status == _HEARD
        except Unanswered:
            pass
        finally:
            if self._renewing is call:
                self._renewing = None
            call.over.set()
        return call.heard

    async def _send(self, messages: Sequence[Message]) -> None:
        if messages:
            await self._wire.send_all(messages)
