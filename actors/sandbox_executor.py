"""SandboxExecutor: runs miners' programs against hidden cases, and records what came out."""

import math

import anyio
import msgspec
import structlog

from quasar.actors.actor import recorded
from quasar.events import AnyEvent, CaseOutcome, CodeExecuted, ExecutionAbandoned, Fault
from quasar.events.envelope import Draft
from quasar.log import Log
from quasar.rules.execution import ACTOR, SUBSCRIBES, ExecutionState, Job, evolve
from quasar.sandbox import Outcome, Sandbox, SandboxError

ATTEMPTS = 3
PARALLEL = 2
"""Submissions that run at the same time."""

logger = structlog.get_logger()


class SandboxExecutor:
    """Without a sandbox programs are abandoned: the validator's failure, and nobody's zero."""

    name = ACTOR

    def __init__(self, log: Log, sandbox: Sandbox | None) -> None:
        self.log = log
        self._sandbox = sandbox

    async def run(self) -> None:
        """Execute for ever. What a crash left open is run again."""
        state, head = ExecutionState(), await self.log.head()
        send, receive = anyio.create_memory_object_stream[Job](math.inf)
        async with anyio.create_task_group() as tasks, send:
            for _ in range(PARALLEL):
                tasks.start_soon(self._work, receive.clone())
            receive.close()
            async for seen in recorded(self.log):
                known = set(state.open)
                if type(seen.event) in SUBSCRIBES:
                    state = evolve(state, seen, self.log.blobs)
                if seen.seq == head:
                    known = set()
                if seen.seq >= head:
                    for key in sorted(set(state.open) - known):
                        send.send_nowait(state.open[key])

    async def _work(self, jobs: anyio.abc.ObjectReceiveStream[Job]) -> None:
        async with jobs:
            async for job in jobs:
                event = await self._execute(job)
                await self.log.append([Draft(actor=self.name, cause=job.cause, event=event)])

    async def _execute(self, job: Job) -> AnyEvent:
        """The outcome of a submission; an engine that fails is asked again a few times."""
        if self._sandbox is None:
            return _abandoned(job, "this validator runs no sandbox")
        for _ in range(ATTEMPTS):
            try:
                outcomes = await self._sandbox.run(
                    job.code, job.program.function_name, job.program.cases
                )
            except SandboxError as error:
                logger.warning("sandbox-executor.engine-failed", detail=str(error))
            else:
                return self._executed(job, outcomes)
        return _abandoned(job, "the sandbox failed")

    def _executed(self, job: Job, outcomes: list[Outcome]) -> CodeExecuted:
        assert self._sandbox is not None
        r, t, hotkey = job.key
        identity = self._sandbox.identity
        return CodeExecuted(
            round=r,
            task=t,
            hotkey=hotkey,
            cases=[self._case(outcome) for outcome in outcomes],
            image=identity.image,
            layers=identity.layers,
        )

    def _case(self, outcome: Outcome) -> CaseOutcome:
        value = msgspec.json.encode(outcome.output) if outcome.success else None
        return CaseOutcome(
            status=outcome.status,
            output=None if value is None else self.log.blobs.put(value),
            execution_time_ms=outcome.execution_time_ms,
        )


def _abandoned(job: Job, reason: str) -> ExecutionAbandoned:
    r, t, hotkey = job.key
    return ExecutionAbandoned(round=r, task=t, hotkey=hotkey, fault=Fault.SANDBOX, reason=reason)
