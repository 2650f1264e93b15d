"""SandboxExecutor: runs miners' programs against hidden cases, and records what came out.

Any number may share the work of one log. Each folds all of it; a lease on an answer says which of
them runs the program in it. Miners take turns, however many programs one of them has.
"""

from collections.abc import Callable, Set
from functools import partial

import anyio
import structlog
from anyio.abc import TaskGroup

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
    RoundRevealed,
    RoundScored,
    TaskSampled,
)
from quasar.events.envelope import Draft, decode
from quasar.events.json_value import canonical_json
from quasar.log import Log
from quasar.log.bell import Bell
from quasar.log.places import Places
from quasar.log.work import Lapsed, Lease, WorkQueue, working
from quasar.rules.execution import (
    ACTOR,
    SUBSCRIBES,
    ExecutionState,
    Job,
    Key,
    code_digest,
    digest_of,
    evolve,
)
from quasar.rules.machine import Recorded
from quasar.rules.plan import runs_code
from quasar.rules.policy import Policy
from quasar.rules.sandbox_time import SandboxTime, cases_within, total_ms
from quasar.sandbox import Outcome, Sandbox, SandboxError
from quasar.sandbox.attempts import PATIENCE_S, Attempts

PARALLEL = 2
"""Submissions that run at the same time."""
TAKERS = 2
"""Leases that are asked for at a time."""
LATER_S = 2.0
"""Pause before a program is looked at again whose round is not revealed yet."""
OVERSPENT = Outcome(status="timeout", error="the miner's time of this round is used up")

logger = structlog.get_logger()


class SandboxExecutor:
    """Without a sandbox programs are abandoned: the validator's failure, and nobody's zero."""

    name = ACTOR
    work_slots = ("answer.*.*.*",)
    """Events that are its work: most are done at once, since they hold no program."""
    pending = 10_000
    """Leases that all executors may hold, with those that wait for a reveal."""

    def __init__(
        self,
        log: Log,
        sandbox: Sandbox | None,
        work: WorkQueue,
        *,
        parallel: int = PARALLEL,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """``patience_s``: how long a sandbox that is away is waited for (``Attempts``)."""
        self.log = log
        self._sandbox = sandbox
        self._work = work
        self._parallel = parallel
        self._attempts = Attempts(sandbox, patience_s=patience_s) if sandbox else None
        self._begin()

    def _begin(self) -> None:
        self._state = ExecutionState()
        self._time = SandboxTime()
        self._folded = 0
        self._moved = Bell()
        self._rounds: dict[int, int] = {}
        """Round that is not scored to the number of its RoundOpened."""
        self._revealed: dict[int, float] = {}
        """Round that is not scored to when its reveal came here, on the loop's clock."""
        self._code: set[tuple[int, int]] = set()
        """Tasks in code of those rounds."""
        self._places = Places(self._parallel, self._open, self._moved)

    async def run(self) -> None:
        """Execute for ever. What a crash left open is run again."""
        self._begin()
        head = await self.log.head()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            await self._read_up_to(head)
            await self._work.begin(min(self._rounds.values(), default=self._folded + 1) - 1)
            tasks.start_soon(self._places.serve)
            for _ in range(TAKERS):
                tasks.start_soon(self._take, tasks)

    async def _take(self, tasks: TaskGroup) -> None:
        """Ask for work only while there is some: answers come long before their programs run."""
        while True:
            await self._until(lambda: self._places.wants_more)
            lease, known = await self._work.take(), anyio.Event()
            tasks.start_soon(self._act, lease, known)
            await known.wait()

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
            case RoundRevealed(round=number):
                self._revealed[number] = anyio.current_time()
            case RoundScored(round=number):
                self._rounds.pop(number, None)
                self._revealed.pop(number, None)
                self._code = {key for key in self._code if key[0] != number}
            case CodeExecuted() | ExecutionAbandoned() as ended:
                self._places.done((ended.round, ended.task, ended.hotkey))
        self._time.evolve(seen.event)
        if type(seen.event) in SUBSCRIBES:
            self._state = evolve(self._state, seen, self.log.blobs)

    def _open(self) -> Set[Key]:
        return self._state.open.keys()

    async def _read_up_to(self, seq: int) -> None:
        await self._until(lambda: self._folded >= seq)

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._moved.wait()

    async def _act(self, lease: Lease, known: anyio.Event) -> None:
        """``known``: set once it is clear what the lease is about."""
        try:
            async with working(lease):
                await self._read_up_to(lease.seq)
                key = _key(lease)
                if job := self._state.open.get(key):
                    turn = self._places.queue(key, lease.seq)
                    known.set()
                    async with turn as came:
                        await (self._run_once(job) if came else lease.give_back())
                elif self._waits(key):
                    await lease.give_back(LATER_S)
        except Lapsed as lapsed:
            logger.warning("sandbox-executor.lease-lapsed", detail=str(lapsed))
        finally:
            known.set()

    def _waits(self, key: Key) -> bool:
        """Whether this may be a program whose hidden cases are not known yet."""
        current = self._state.scoring.rounds.get(key[0])
        return key[:2] in self._code and current is not None and not current.secret

    async def _run_once(self, job: Job) -> None:
        if job.key in self._state.open:  # else another ran it meanwhile
            drafts = [Draft(actor=self.name, cause=job.cause, event=await self._execute(job))]
            await self._read_up_to((await self.log.append(drafts))[-1].seq)

    async def _execute(self, job: Job) -> AnyEvent:
        """The outcome of a submission, or that the sandbox failed."""
        if self._attempts is None:
            return _abandoned(job, "this validator runs no sandbox")
        # Taken now: the round may be over before this is, where another has the lease by then.
        number, _, hotkey = job.key
        policy, since = self._state.scoring.rounds[number].policy, self._revealed[number]
        left_ms = self._time.left_ms(number, hotkey, policy)
        run = partial(self._run, self._attempts, job, policy, left_ms, since)
        try:
            return self._executed(job, [await run() for _ in range(2 if job.twice else 1)])
        except SandboxError as error:
            logger.warning("sandbox-executor.abandoned", program=job.key, detail=str(error))
            return _abandoned(job, "the sandbox failed")

    async def _run(
        self, attempts: Attempts, job: Job, policy: Policy, left_ms: int, since: float
    ) -> list[Outcome]:
        """One run, no longer than what the miner has left of the round's time."""
        cases, outcomes = job.program.cases, list[Outcome]()
        while len(outcomes) < len(cases) and (fit := cases_within(left_ms, policy)):
            some = cases[len(outcomes) : len(outcomes) + fit]
            outcomes += await attempts.run(job.code, job.program.function_name, some, since)
            used_ms = total_ms([outcome.execution_time_ms for outcome in outcomes[-len(some) :]])
            left_ms = max(0, left_ms - used_ms)
        if not_run := len(cases) - len(outcomes):
            logger.info("sandbox-executor.time-used-up", program=job.key, cases=not_run)
        return outcomes + [OVERSPENT] * (len(cases) - len(outcomes))

    def _executed(self, job: Job, runs: list[list[Outcome]]) -> CodeExecuted:
        assert self._sandbox is not None
        r, t, hotkey = job.key
        identity = self._sandbox.identity
        first, *second = [self._cases(job, outcomes) for outcomes in runs]
        return CodeExecuted(
            round=r,
            task=t,
            hotkey=hotkey,
            code=code_digest(job.code),
            cases=first,
            again=second[0] if second else None,
            driver=identity.driver,
            image=identity.image,
            layers=identity.layers,
            python=identity.python,
        )

    def _cases(self, job: Job, outcomes: list[Outcome]) -> list[CaseOutcome]:
        pairs = zip(job.program.cases, outcomes, strict=True)
        return [self._case(digest_of(arguments), outcome) for arguments, outcome in pairs]

    def _case(self, digest: str, outcome: Outcome) -> CaseOutcome:
        value = canonical_json(outcome.output) if outcome.success else None
        return CaseOutcome(
            status=outcome.status,
            input=digest,
            output=None if value is None else self.log.blobs.put(value),
            execution_time_ms=outcome.execution_time_ms,
            cpu_time_ms=outcome.cpu_time_ms,
        )


def _key(lease: Lease) -> Key:
    answer = decode(lease.line).event
    assert isinstance(answer, AnswerReceived | AnswerAbandoned)
    return answer.round, answer.task, answer.hotkey


def _abandoned(job: Job, reason: str) -> ExecutionAbandoned:
    r, t, hotkey = job.key
    return ExecutionAbandoned(round=r, task=t, hotkey=hotkey, fault=Fault.SANDBOX, reason=reason)
