"""MinerProxy: the only door to miners. Delivers assignments, records what came back.

Several may share the work of one log. Each folds all of it and keeps the same queues, one a miner;
a lease on an assignment says which of them calls the miner when its turn comes.
"""

import time
from functools import partial

import anyio
import anyio.to_thread
import structlog
from anyio.abc import TaskGroup

from quasar.actors.actor import recorded
from quasar.door.client import MinerDoor
from quasar.door.desk import Answer
from quasar.door.failure import DoorError
from quasar.door.miner_queues import MinerQueues
from quasar.door.outbox import Outbox
from quasar.door.outcome_proofs import OutcomeProofs
from quasar.door.packing import Packed
from quasar.errors import Refused
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    AnyEvent,
    CheckpointSigned,
    DeliveryTried,
    Evidence,
    RunStarted,
    TaskAccepted,
    TaskAssigned,
)
from quasar.events.answer import Stage
from quasar.events.blobs import INLINE_BYTES
from quasar.events.envelope import Draft
from quasar.events.receipt import Acceptance, Refusal, TaskRequest
from quasar.log import Log
from quasar.log.bell import Bell
from quasar.log.work import Lapsed, Lease, WorkQueue, working
from quasar.rules.delivery import (
    ACTOR,
    SUBSCRIBES,
    Delivery,
    DeliveryState,
    Key,
    evolve,
)
from quasar.rules.machine import Recorded

RETRY_S = 0.25
"""First pause between two attempts; it doubles."""
TAKERS = 8
"""Leases that are asked for at a time."""

logger = structlog.get_logger()


class MinerProxy:
    """A miner has one task at a time, so its deadline is its own."""

    name = ACTOR
    work_slots = ("assign.*.*.*",)
    """Events that are its work."""
    pending = 65_536
    """Leases that all proxies may hold: those of a queue wait for their turn, so a limit below the
    assignments of a few rounds would let slow miners keep others waiting."""

    def __init__(self, log: Log, door: MinerDoor, outbox: Outbox, work: WorkQueue) -> None:
        self.log = log
        self._door = door
        self._outbox = outbox
        self._work = work
        self._begin()

    def _begin(self) -> None:
        self._state = DeliveryState()
        self._folded = 0
        self._moved = Bell()
        self._queues = MinerQueues()
        self._proofs = OutcomeProofs()
        self._accepted: set[Key] = set()
        """What miners accepted in this run of the validator: no failed attempt may follow that."""

    async def run(self) -> None:
        """Deliver for ever. Work that a crash left open is done first, in order."""
        self._begin()
        head = await self.log.head()
        with self._queues:
            await self._run(head)

    async def _run(self, head: int) -> None:
        async with anyio.create_task_group() as tasks:
            if head == 0:
                await self._resume(tasks, head)
            async for seen in recorded(self.log):
                self._proofs.take(seen, before_us=seen.seq <= head)
                self._fold(seen)
                if seen.seq == head:
                    await self._resume(tasks, head)
                elif seen.seq > head:
                    self._follow(tasks, seen.event)
                self._folded = seen.seq
                self._moved.ring()

    def _fold(self, seen: Recorded) -> None:
        open_now = self._state.open
        match seen.event:
            # Of an assignment that is over: by a proxy that had lost its lease and did not know.
            case TaskAccepted(acceptance=a) if (a.round, a.task, a.hotkey) not in open_now:
                return
            case DeliveryTried(round=r, task=t, hotkey=h) if (r, t, h) not in open_now:
                return
            case TaskAccepted(acceptance=a):
                self._accepted.add((a.round, a.task, a.hotkey))
            case (
                AnswerReceived(round=r, task=t, hotkey=h)
                | AnswerAbandoned(round=r, task=t, hotkey=h)
            ):
                self._accepted.discard((r, t, h))
                self._queues.end(open_now[(r, t, h)].cause)
            case RunStarted():
                self._accepted.clear()
        if type(seen.event) in SUBSCRIBES:
            self._state = evolve(self._state, seen, self.log.blobs)

    async def _resume(self, tasks: TaskGroup, head: int) -> None:
        """Take up what is open at the head, in order; only then ask for leases."""
        for delivery in sorted(self._state.open.values(), key=lambda d: d.cause):
            self._queues.assign(tasks, delivery)
        await self._work.begin((self._queues.first or head + 1) - 1)
        for _ in range(TAKERS):
            tasks.start_soon(self._take, tasks)

    def _follow(self, tasks: TaskGroup, event: AnyEvent) -> None:
        match event:
            case TaskAssigned(round=r, task=t, hotkey=hotkey):
                self._queues.assign(tasks, self._state.open[(r, t, hotkey)])
            case CheckpointSigned(size=size, note=note):
                for hotkey, line, proof in self._proofs.under(self._state, size, note):
                    self._queues.add(tasks, hotkey, partial(self._prove, hotkey, line, proof))

    async def _take(self, tasks: TaskGroup) -> None:
        while True:
            tasks.start_soon(self._serve, await self._work.take())

    async def _serve(self, lease: Lease) -> None:
        """Hold a lease until its assignment has an outcome; at once where it has one."""
        try:
            async with working(lease):
                while self._folded < lease.seq:
                    await self._moved.wait()
                if turn := self._queues.turn_of(lease.seq):
                    await turn.come.wait()
                    if not turn.over.is_set():
                        self._proofs.serve(turn.delivery.key)
                        await self._deliver(turn.delivery)
        except Lapsed as lapsed:
            logger.warning("miner-proxy.lease-lapsed", detail=str(lapsed))

    async def _deliver(self, delivery: Delivery) -> None:
        """From the request to an outcome in the log, whatever the miner does."""
        policy = delivery.policy.delivery
        for attempt in range(delivery.attempts + 1, policy.attempts + 1):
            try:
                statement, signature = await self._hand_over(delivery)
            except (DoorError, OSError) as failure:
                if delivery.key in self._accepted:  # it has the request: only an answer is missing
                    await self._await_answer(delivery, attempt)
                    return
                await self._failed(delivery, attempt, _evidence_of(failure))
                continue
            if isinstance(statement, Refusal):
                await self._abandon(
                    delivery, attempt, _evidence("accept", "refusal"), statement, signature
                )
            else:
                accepted = TaskAccepted(acceptance=statement, signature=signature)
                await self._await_answer(delivery, attempt, accepted)
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
        self, delivery: Delivery, attempt: int, accepted: TaskAccepted | None = None
    ) -> None:
        """Wait for the answer until the deadline and its grace are over."""
        started = time.monotonic()
        if accepted is not None:
            await self._record(delivery, accepted)
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

    async def _prove(self, hotkey: str, line: str, proof: str) -> None:
        """Best effort: a miner that is away can ask the published archive."""
        endpoint = self._state.endpoints.get(hotkey)
        if endpoint is None:
            return
        try:
            await self._door.prove(endpoint, hotkey, line, proof)
        except Refused as failure:
            logger.info("miner-proxy.proof-not-taken", hotkey=hotkey, code=failure.code)


def inline_text(answer: bytes) -> str | None:
    """The answer as text, if it is short UTF-8; else it goes in a blob."""
    if len(answer) > INLINE_BYTES:
        return None
    try:
        return answer.decode()
    except UnicodeDecodeError:
        return None


def _evidence_of(failure: DoorError | OSError) -> Evidence:
    if isinstance(failure, DoorError):
        return failure.evidence
    return _evidence("upload", "context-missing")


def _evidence(stage: Stage, code: str) -> Evidence:
    return Evidence(stage=stage, code=code, bytes=0, elapsed_ms=0)
