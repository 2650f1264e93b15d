"""MinerProxy: the only door to miners. Delivers assignments, records what came back."""

import math
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial

import anyio
import anyio.to_thread
import structlog
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream

from quasar.actors.actor import recorded
from quasar.door.client import MinerDoor
from quasar.door.desk import Answer
from quasar.door.failure import DoorError
from quasar.door.outbox import Outbox
from quasar.door.packing import Packed
from quasar.errors import Refused
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    AnyEvent,
    CheckpointSigned,
    DeliveryTried,
    Evidence,
    TaskAccepted,
    TaskAssigned,
)
from quasar.events.answer import Stage
from quasar.events.blobs import INLINE_BYTES
from quasar.events.envelope import Draft
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.proof import write_proof
from quasar.events.receipt import Acceptance, Refusal, TaskRequest
from quasar.log import Log
from quasar.rules.delivery import (
    ACTOR,
    SUBSCRIBES,
    Delivery,
    DeliveryState,
    evolve,
    forget,
)

Job = Callable[[], Awaitable[None]]

RETRY_S = 0.25
"""First pause between two attempts; it doubles."""

logger = structlog.get_logger()


class MinerProxy:
    """One queue a miner: a miner has one task at a time, so its deadline is its own."""

    name = ACTOR

    def __init__(self, log: Log, door: MinerDoor, outbox: Outbox) -> None:
        self.log = log
        self._door = door
        self._outbox = outbox
        self._state = DeliveryState()
        self._tree = Tree()
        self._lines: dict[int, bytes] = {}
        """Stored bytes of outcomes that are not proved to their miners yet."""
        self._queues: dict[str, MemoryObjectSendStream[Job]] = {}
        self._streams = ExitStack()

    async def run(self) -> None:
        """Deliver for ever. Work that a crash left open is done first, in order."""
        self._state, self._tree = DeliveryState(), Tree()
        self._lines, self._queues = {}, {}
        head = await self.log.head()
        with ExitStack() as self._streams:
            await self._run(head)

    async def _run(self, head: int) -> None:
        async with anyio.create_task_group() as tasks:
            if head == 0:
                self._resume(tasks)
            async for seen in recorded(self.log):
                self._tree.append(leaf_hash(seen.line))
                if type(seen.event) in SUBSCRIBES:
                    self._state = evolve(self._state, seen, self.log.blobs)
                if isinstance(seen.event, AnswerReceived | AnswerAbandoned):
                    self._lines[seen.seq] = seen.line
                if seen.seq == head:
                    self._resume(tasks)
                elif seen.seq > head:
                    self._follow(tasks, seen.event)

    def _resume(self, tasks: TaskGroup) -> None:
        for delivery in sorted(self._state.open.values(), key=lambda d: d.cause):
            self._enqueue(tasks, delivery.key[2], partial(self._deliver, delivery))

    def _follow(self, tasks: TaskGroup, event: AnyEvent) -> None:
        match event:
            case TaskAssigned(round=r, task=t, hotkey=hotkey):
                delivery = self._state.open[(r, t, hotkey)]
                self._enqueue(tasks, hotkey, partial(self._deliver, delivery))
            case CheckpointSigned(size=size, note=note):
                self._prove_sealed(tasks, size, note)

    def _enqueue(self, tasks: TaskGroup, hotkey: str, job: Job) -> None:
        if hotkey not in self._queues:
            send, receive = anyio.create_memory_object_stream[Job](math.inf)
            self._queues[hotkey] = self._streams.enter_context(send)
            self._streams.enter_context(receive)
            tasks.start_soon(_work, receive)
        self._queues[hotkey].send_nowait(job)

    async def _deliver(self, delivery: Delivery) -> None:
        """From the request to an outcome in the log, whatever the miner does."""
        policy = delivery.policy.delivery
        for attempt in range(delivery.attempts + 1, policy.attempts + 1):
            try:
                statement, signature = await self._hand_over(delivery)
            except DoorError as failure:
                await self._failed(delivery, attempt, failure.evidence)
                continue
            except OSError:
                missing = _evidence("upload", "context-missing")
                await self._failed(delivery, attempt, missing)
                continue
            if isinstance(statement, Refusal):
                await self._abandon(
                    delivery, attempt, _evidence("accept", "refusal"), statement, signature
                )
            else:
                await self._await_answer(delivery, attempt, statement, signature)
            return

    async def _hand_over(self, delivery: Delivery) -> tuple[Acceptance | Refusal, str]:
        request = delivery.request
        endpoint = self._state.endpoints.get(request.hotkey)
        if endpoint is None:
            raise DoorError(_evidence("connect", "no-endpoint"), "the metagraph lists no endpoint")
        packed = await self._context(request, delivery.policy.delivery.attempt_ms / 1000)
        return await self._door.deliver(
            endpoint, request, packed, self._state.checkpoint, self._state.block
        )

    async def _context(self, request: TaskRequest, within_s: float) -> Packed:
        """The packed context; TaskSampler may still be making it anew after a restart.

        Raises FileNotFoundError where it does not come in time.
        """
        end = time.monotonic() + within_s
        while True:
            try:
                return await anyio.to_thread.run_sync(
                    self._outbox.get, request.round, request.context.sha256
                )
            except FileNotFoundError:
                if time.monotonic() >= end:
                    raise
            await anyio.sleep(RETRY_S)

    async def _failed(self, delivery: Delivery, attempt: int, evidence: Evidence) -> None:
        """Record a failed attempt and pause; the last one ends the assignment."""
        if attempt >= delivery.policy.delivery.attempts:
            await self._abandon(delivery, attempt, evidence)
            return
        r, t, hotkey = delivery.key
        tried = DeliveryTried(round=r, task=t, hotkey=hotkey, attempt=attempt, evidence=evidence)
        await self._record(delivery, tried)
        await anyio.sleep(RETRY_S * 2**attempt)

    async def _await_answer(
        self, delivery: Delivery, attempt: int, acceptance: Acceptance, signature: str
    ) -> None:
        """Wait for the answer until the deadline and its grace are over."""
        started = time.monotonic()
        await self._record(delivery, TaskAccepted(acceptance=acceptance, signature=signature))
        request, grace_ms = delivery.request, delivery.policy.delivery.grace_ms
        end = started + (request.deadline_ms + grace_ms) / 1000
        while True:
            try:
                answer = await self._fetch(delivery, end - time.monotonic())
            except DoorError as failure:
                evidence = failure.evidence
                if time.monotonic() + RETRY_S >= end:
                    await self._abandon(delivery, attempt, evidence)
                    return
                await anyio.sleep(RETRY_S)
                continue
            elapsed_ms = int((time.monotonic() - started) * 1000)
            await self._record(delivery, self._received(delivery, answer, elapsed_ms))
            return

    async def _fetch(self, delivery: Delivery, within_s: float) -> Answer:
        request = delivery.request
        endpoint = self._state.endpoints.get(request.hotkey)
        if endpoint is None:
            raise DoorError(_evidence("answer", "no-endpoint"), "the metagraph lists no endpoint")
        quoted = {None, *self._state.checkpoints}
        return await self._door.fetch_answer(endpoint, request, quoted, max(within_s, 0.0))

    def _received(self, delivery: Delivery, answer: Answer, elapsed_ms: int) -> AnswerReceived:
        r, t, hotkey = delivery.key
        text = inline_text(answer.data)
        return AnswerReceived(
            round=r,
            task=t,
            hotkey=hotkey,
            text=text,
            blob=self.log.blobs.put(answer.data) if text is None else None,
            receipt=answer.receipt,
            signature=answer.signature,
            elapsed_ms=elapsed_ms,
            deadline_ms=delivery.request.deadline_ms,
        )

    async def _abandon(
        self,
        delivery: Delivery,
        attempts: int,
        evidence: Evidence,
        refusal: Refusal | None = None,
        signature: str | None = None,
    ) -> None:
        r, t, hotkey = delivery.key
        abandoned = AnswerAbandoned(
            round=r,
            task=t,
            hotkey=hotkey,
            attempts=attempts,
            evidence=evidence,
            refusal=refusal,
            signature=signature,
        )
        await self._record(delivery, abandoned)

    async def _record(self, delivery: Delivery, event: AnyEvent) -> None:
        await self.log.append([Draft(actor=self.name, cause=delivery.cause, event=event)])

    def _prove_sealed(self, tasks: TaskGroup, size: int, note: str) -> None:
        """Give every participant of a sealed round the proof of its outcomes."""
        for number in [r for r, seal in self._state.sealed.items() if seal <= size]:
            for key, seq in self._state.outcomes[number].items():
                line = self._lines.pop(seq)
                proof = write_proof(seq - 1, self._tree.inclusion(seq - 1, size), note)
                self._enqueue(tasks, key[2], partial(self._prove, key[2], line.decode(), proof))
            forget(self._state, number)

    async def _prove(self, hotkey: str, line: str, proof: str) -> None:
        """Best effort: a miner that is away can ask the published archive."""
        endpoint = self._state.endpoints.get(hotkey)
        if endpoint is None:
            return
        try:
            await self._door.prove(endpoint, hotkey, line, proof)
        except Refused as failure:
            logger.info("miner-proxy.proof-not-taken", hotkey=hotkey, code=failure.code)


async def _work(jobs: anyio.abc.ObjectReceiveStream[Job]) -> None:
    """One miner's queue."""
    async for job in jobs:
        await job()


def inline_text(answer: bytes) -> str | None:
    """The answer as text, if it is short UTF-8; else it goes in a blob."""
    if len(answer) > INLINE_BYTES:
        return None
    try:
        return answer.decode()
    except UnicodeDecodeError:
        return None


def _evidence(stage: Stage, code: str) -> Evidence:
    return Evidence(stage=stage, code=code, bytes=0, elapsed_ms=0)
