"""InferenceActor: the miner's. Takes requests at the door, answers them in order."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict, TypeVar

import anyio
import anyio.to_thread
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from quasar.actors.actor import recorded
from quasar.door import Answer
from quasar.door.contexts import Contexts
from quasar.errors import Refused
from quasar.events import AnswerProduced, AnyEvent, OutcomeProved, RequestAccepted
from quasar.events.envelope import Draft, decode
from quasar.events.receipt import (
    Acceptance,
    QuotedBlock,
    Receipt,
    Refusal,
    SignedCheckpoint,
    TaskRequest,
    digest,
    request_body,
    statement_bytes,
)
from quasar.events.signing import Signer
from quasar.inference import Answered, Engine, respond
from quasar.log import Log, Stored

S = TypeVar("S", Acceptance, Refusal)

ACTOR = "inference"

MAX_UNACKNOWLEDGED = 16

Sender = MemoryObjectSendStream[RequestAccepted]
Receiver = MemoryObjectReceiveStream[RequestAccepted]

Owns = Callable[[str, str], bool]
"""Whether a validator's hotkey owns a log id."""

Key = tuple[str, int, int]
"""Log id, round, task."""

logger = structlog.get_logger()


@dataclass
class MinerState:
    """The fold of the miner's own log."""

    accepted: dict[Key, RequestAccepted] = field(default_factory=dict)
    produced: dict[Key, AnswerProduced] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    """Log id to the digest of the last receipt given in it."""
    unacknowledged: dict[str, dict[Key, str]] = field(default_factory=dict)
    """Log id to receipts whose outcome is not proved yet."""

    def evolve(self, event: AnyEvent) -> None:
        """Fold one event."""
        match event:
            case RequestAccepted(request=r):
                self.accepted[(r.log_id, r.round, r.task)] = event
            case AnswerProduced(receipt=receipt):
                key = (receipt.log_id, receipt.round, receipt.task)
                self.produced[key] = event
                self.newest[receipt.log_id] = digest(receipt)
                self.unacknowledged.setdefault(receipt.log_id, {})[key] = digest(receipt)
            case OutcomeProved(log_id=log_id, round=r, task=t, agrees=True):
                self.unacknowledged.get(log_id, {}).pop((log_id, r, t), None)


class InferenceActor:
    """The desk behind the miner's door."""

    name = ACTOR

    def __init__(
        self, signer: Signer, log: Log, contexts: Contexts, engine: Engine, owns: Owns
    ) -> None:
        self.log = log
        self._owns = owns
        self.block: QuotedBlock | None = None
        """The miner's own newest finalised block; set by whoever follows the chain."""
        self._signer = signer
        self._contexts = contexts
        self._engine = engine
        self._state = MinerState()
        self._turned = anyio.Event()
        """Set and renewed whenever the fold has moved."""
        self._folded = 0

    async def run(self) -> None:
        """Answer for ever; what a crash left unanswered comes first."""
        self._state, self._folded = MinerState(), 0
        send, receive = anyio.create_memory_object_stream[RequestAccepted](math.inf)
        with send, receive:
            await self._run(send, receive)

    async def _run(self, send: Sender, receive: Receiver) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._fold, send)
            async for accepted in receive:
                request = accepted.request
                if (request.log_id, request.round, request.task) not in self._state.produced:
                    await self._answer(accepted)

    async def accept(
        self,
        validator: str,
        request: TaskRequest,
        checkpoint: SignedCheckpoint | None,
        block: QuotedBlock | None,  # noqa: ARG002 - the desk's signature
    ) -> tuple[Acceptance | Refusal, str]:
        """Sign for a request; the same request gives the same statement, however often it comes."""
        if not self._owns(validator, request.log_id):
            # Else a stranger could take the places of a validator's requests before it asks.
            raise Refused("wrong-log", "this log is not the caller's")
        named = _named(request)
        if request.hotkey != self._signer.ss58_address:
            return self._signed(Refusal(**named, reason="this is not my hotkey"))
        acceptance, signature = self._signed(Acceptance(**named))
        event = RequestAccepted(
            validator=validator,
            request=request,
            checkpoint=checkpoint,
            acceptance=acceptance,
            signature=signature,
        )
        stored = decode((await self._append(event)).line).event
        if (request.log_id, request.round, request.task) in self._state.produced:
            self._discard(request.context.sha256)  # sent again, and not needed again
        if isinstance(stored, RequestAccepted) and stored.acceptance == acceptance:
            return stored.acceptance, stored.signature
        return self._signed(Refusal(**named, reason="another request had this place before"))

    async def answer(self, validator: str, log_id: str, round: int, task: int) -> Answer:  # noqa: A002 - the field's name
        """Wait for the answer of an accepted request."""
        key = (log_id, round, task)
        head = await self.log.head()  # what was accepted before this call is in the log
        while True:
            turned = self._turned
            accepted = self._state.accepted.get(key)
            produced = self._state.produced.get(key)
            if accepted is not None and accepted.validator != validator:
                raise Refused("unknown", "another validator asked this")
            if produced is not None:
                data = self.log.blobs.get(produced.answer)
                return Answer(data, produced.receipt, produced.signature)
            if accepted is None and self._folded >= head:
                raise Refused("unknown", "nothing was asked under this number")
            await turned.wait()

    async def outcome(self, validator: str, event: str, proof: str) -> None:  # noqa: ARG002
        """Keep what a validator proves about one of our answers."""
        claimed = decode(event.encode()).event
        r, t = getattr(claimed, "round", None), getattr(claimed, "task", None)
        found = [k for k in self._state.produced if k[1:] == (r, t)]
        if not found:
            raise Refused("unknown", "this outcome is of no answer of mine")
        key = found[-1]
        produced = self._state.produced[key]
        agrees = getattr(claimed, "receipt", None) == produced.receipt
        blob = self.log.blobs.put(f"{event}\n{proof}".encode())
        await self._append(
            OutcomeProved(log_id=key[0], round=key[1], task=key[2], proof=blob, agrees=agrees)
        )
        if not agrees:
            logger.warning("inference.outcome-disagrees", log=key[0], round=r, task=t)

    async def _fold(self, send: Sender) -> None:
        async for seen in recorded(self.log):
            self._state.evolve(seen.event)
            self._folded = seen.seq
            if isinstance(seen.event, RequestAccepted):
                send.send_nowait(seen.event)
            self._turned.set()
            self._turned = anyio.Event()

    async def _answer(self, accepted: RequestAccepted) -> None:
        """Read, think, sign, store."""
        request, started = accepted.request, time.monotonic()
        answered = await anyio.to_thread.run_sync(self._think, request)
        data = answered.text.encode("utf-8", "replace")[: request.answer_bytes]
        receipt = self._receipt(accepted, data)
        event = AnswerProduced(
            receipt=receipt,
            signature=self._signer.sign(statement_bytes(receipt)).hex(),
            answer=self.log.blobs.put(data),
            engine=self._engine.name,
            elapsed_ms=int((time.monotonic() - started) * 1000),
        )
        await self._append(event)  # a receipt is given to nobody before it is durable
        self._state.evolve(event)
        self._discard(request.context.sha256)
        logger.info(
            "inference.answered",
            round=request.round,
            task=request.task,
            bucket=request.bucket,
            ms=event.elapsed_ms,
            read=answered.kept,
            of=answered.tokens,
        )

    def _discard(self, sha256: str) -> None:
        """Free a context, unless another open request needs it too."""
        state = self._state
        waiting = (a.request for key, a in state.accepted.items() if key not in state.produced)
        if all(request.context.sha256 != sha256 for request in waiting):
            self._contexts.discard(sha256)

    def _think(self, request: TaskRequest) -> Answered:
        """The engine's answer; nothing where it fails, for one bad task must not end the miner."""
        question = "\n".join(part.text for part in request.question)
        try:
            context = self._contexts.path(request.context.sha256).read_text("utf-8", "replace")
            return respond(self._engine, context, question, request.answer_bytes)
        except Exception:
            logger.exception("inference.failed", round=request.round, task=request.task)
            return Answered("", 0, 0)

    def _receipt(self, accepted: RequestAccepted, data: bytes) -> Receipt:
        log_id = accepted.request.log_id
        waiting = list(self._state.unacknowledged.get(log_id, {}).values())
        return Receipt(
            **_named(accepted.request),
            answer=hashlib.sha256(data).hexdigest(),
            checkpoint=accepted.checkpoint,
            block=self.block,
            previous=self._state.newest.get(log_id),
            unacknowledged=waiting[-MAX_UNACKNOWLEDGED:],
        )

    def _signed(self, statement: S) -> tuple[S, str]:
        return statement, self._signer.sign(statement_bytes(statement)).hex()

    async def _append(self, event: AnyEvent) -> Stored:
        return (await self.log.append([Draft(actor=ACTOR, cause=0, event=event)]))[0]


class _Named(TypedDict):
    log_id: str
    round: int
    task: int
    hotkey: str
    n: int
    request: str


def _named(request: TaskRequest) -> _Named:
    """What every statement about a request says."""
    return _Named(
        log_id=request.log_id,
        round=request.round,
        task=request.task,
        hotkey=request.hotkey,
        n=request.n,
        request=hashlib.sha256(request_body(request)).hexdigest(),
    )
