"""SandboxExecutor: runs miners' programs against hidden cases, and records what came out.

Any number may share the work of one log. Each folds all of it; a lease on an answer says which of
them runs the program in it.
"""

import anyio
import msgspec
import structlog

from quasar.actors.actor import recorded
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    AnyEvent,
    CaseOutcome,
    CodeExecuted,
    ExecutionAbandoned,
    Fault,
    RoundOpened,
    RoundScored,
    TaskSampled,
)
from quasar.events.envelope import Draft, decode
from quasar.log import Log
from quasar.log.bell import Bell
from quasar.log.work import Lapsed, Lease, WorkQueue, working
from quasar.rules.execution import ACTOR, SUBSCRIBES, ExecutionState, Job, Key, evolve
from quasar.rules.machine import Recorded
from quasar.rules.plan import runs_code
from quasar.sandbox import Outcome, Sandbox, SandboxError

ATTEMPTS = 3
PARALLEL = 2
"""Submissions that run at the same time."""
LATER_S = 2.0
"""Pause before a program is looked at again whose round is not revealed yet."""

logger = structlog.get_logger()


class SandboxExecutor:
    """Without a sandbox programs are abandoned: the validator's failure, and nobody's zero."""

    name = ACTOR
    work_slots = ("answer.*.*.*",)
    """Events that are its work: most are done at once, since they hold no program."""
    pending = 10_000
    """Leases that all executors may hold, with those that wait for a reveal."""

    def __init__(self, log: Log, sandbox: Sandbox | None, work: WorkQueue) -> None:
        self.log = log
        self._sandbox = sandbox
        self._work = work
        self._begin()

    def _begin(self) -> None:
        self._state = ExecutionState()
        self._folded = 0
        self._moved = Bell()
        self._rounds: dict[int, int] = {}
        """Round that is not scored to the number of its RoundOpened."""
        self._code: set[tuple[int, int]] = set()
        """Tasks in code of those rounds."""

    async def run(self) -> None:
        """Execute for ever. What a crash left open is run again."""
        self._begin()
        head = await self.log.head()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            await self._read_up_to(head)
            await self._work.begin(min(self._rounds.values(), default=self._folded + 1) - 1)
            for _ in range(PARALLEL):
                tasks.start_soon(self._serve)

    async def _follow(self) -> None:
        async for seen in recorded(self.log):
            self._fold(seen)
            self._folded = seen.seq
            self._moved.ring()

    def _fold(self, seen: Recorded) -> None:
        match seen.event:
            case RoundOpened(round=number):
                self._rounds[number] = seen.seq
            case TaskSampled(round=number, task=task, family=family) if runs_code(family):
                self._code.add((number, task))
            case RoundScored(round=number):
                self._rounds.pop(number, None)
                self._code = {key for key in self._code if key[0] != number}
        if type(seen.event) in SUBSCRIBES:
            self._state = evolve(self._state, seen, self.log.blobs)

    async def _read_up_to(self, seq: int) -> None:
        while self._folded < seq:
            await self._moved.wait()

    async def _serve(self) -> None:
        """Ask for work only while there is some: answers come long before their programs run."""
        while True:
            while not self._state.open:
                await self._moved.wait()
            try:
                await self._act(await self._work.take())
            except Lapsed as lapsed:
                logger.warning("sandbox-executor.lease-lapsed", detail=str(lapsed))

    async def _act(self, lease: Lease) -> None:
        async with working(lease):
            await self._read_up_to(lease.seq)
            key = _key(lease)
            if job := self._state.open.get(key):
                event = await self._execute(job)
                await self.log.append([Draft(actor=self.name, cause=job.cause, event=event)])
            elif self._waits(key):
                await lease.give_back(LATER_S)

    def _waits(self, key: Key) -> bool:
        """Whether this may be a program whose hidden cases are not known yet."""
        current = self._state.scoring.rounds.get(key[0])
        return key[:2] in self._code and current is not None and not current.secret

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


def _key(lease: Lease) -> Key:
    answer = decode(lease.line).event
    assert isinstance(answer, AnswerReceived | AnswerAbandoned)
    return answer.round, answer.task, answer.hotkey


def _abandoned(job: Job, reason: str) -> ExecutionAbandoned:
    r, t, hotkey = job.key
    return ExecutionAbandoned(round=r, task=t, hotkey=hotkey, fault=Fault.SANDBOX, reason=reason)
