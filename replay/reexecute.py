"""Recorded programs run again: do they pass the hidden cases that the log says they passed?

Apart from the audit's verdict. A program may be slow, or draw lots, and machines differ: another
outcome is a reason to look closer, and no proof. What runs the programs is handed in, since replay
knows no sandbox.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol

import anyio

from quasar.errors import Damaged
from quasar.events import CodeExecuted, PolicyAdopted
from quasar.events.blobs import Blobs
from quasar.events.envelope import decode
from quasar.log import Log
from quasar.replay.agreement import End, compared, contradict, here_end, recorded_end
from quasar.replay.finding import LISTED, Differing, Reexecution
from quasar.replay.reading import Progress, Reading
from quasar.replay.revealed import up_to
from quasar.replay.sample import Full, every
from quasar.rules.executed import contradicts
from quasar.rules.execution import SUBSCRIBES, ExecutionState, Job, evolve
from quasar.rules.machine import Recorded
from quasar.rules.policy import recorded_policy
from quasar.rules.policy_sections import Execution

PARALLEL = 4
"""Programs that run at the same time."""
_POLICY = b'{"key":"policy.'


class Ran(Protocol):
    """What one case came to."""

    @property
    def status(self) -> str:
        """As ``CaseOutcome.status``."""
        ...

    @property
    def output(self) -> Any:
        """The returned value, as plain JSON."""
        ...


class Executor(Protocol):
    """Runs programs, such as ``quasar.sandbox`` does."""

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> Sequence[Ran]:
        """What each list of arguments leads to, in order."""
        ...


class Here(NamedTuple):
    """What programs run in here, to count those that were recorded in something else."""

    driver: str | None = None
    layers: Sequence[str] = ()
    limits: Execution | None = None


class Submission(NamedTuple):
    """A recorded run of a program."""

    seq: int
    run: CodeExecuted
    job: Job
    limits: Execution | None
    """Of the round's policy."""
    contradictory: bool
    """Whether it ran twice, and contradicted itself."""


async def newest_limits(logs: Sequence[Log]) -> Execution | None:
    """What the newest policy of some volumes lets programs use; None where it does not say.

    For volumes that an audit found whole. Raises CannotJudge for a policy that is not known here.
    """
    limits = None
    for log in logs:
        async for _, line in up_to(log, await log.head()):
            if line.startswith(_POLICY) and isinstance(event := decode(line).event, PolicyAdopted):
                limits = recorded_policy(log.blobs.get(event.toml)).execution
    return limits


async def reexecute(
    logs: Sequence[Log],
    executor: Executor,
    here: Here = Here(),  # noqa: B008 - it cannot change
    *,
    full: Full = every,
    progress: Progress | None = None,
) -> Reexecution:
    """Run every recorded program of some volumes again.

    ``full``: of which rounds. Stops where an event does not follow from those before it, which an
    audit names. Raises what the executor does.
    """
    again = _Again(executor, here)
    for volume, log in enumerate(logs, 1):
        again.volume = volume if len(logs) > 1 else None
        programs = _submissions(log, full, progress)
        async with aclosing(programs), anyio.create_task_group() as tasks:
            try:
                async for submission in programs:
                    await again.limiter.acquire_on_behalf_of(submission.job.key)
                    tasks.start_soon(again.run, submission, log.blobs)
            except Damaged:
                again.complete = False
        if not again.complete:
            break
    return again.result()


async def _submissions(
    log: Log, full: Full, progress: Progress | None
) -> AsyncGenerator[Submission, None]:
    """Recorded executions with what was executed. Raises Damaged."""
    state = ExecutionState()
    async with aclosing(Reading(log, progress).events()) as events:
        async for seen in events:
            try:
                found = _submission(state, seen)
                if type(seen.event) in SUBSCRIBES:
                    state = evolve(state, seen, log.blobs)
            except (LookupError, AssertionError, ValueError, ArithmeticError):
                raise Damaged(seen.seq, "does not follow from what is before it") from None
            if found is not None and full(found.run.round):
                yield found


def _submission(state: ExecutionState, seen: Recorded) -> Submission | None:
    if not isinstance(run := seen.event, CodeExecuted):
        return None
    job = state.open.get((run.round, run.task, run.hotkey))
    if job is None:
        return None
    limits = state.scoring.rounds[run.round].policy.execution
    return Submission(seen.seq, run, job, limits, contradicts(run))


class _Again:
    """What came of it so far."""

    def __init__(self, executor: Executor, here: Here) -> None:
        self._executor = executor
        self._here = here
        self.limiter = anyio.CapacityLimiter(PARALLEL)
        self.volume: int | None = None
        self.complete = True
        self._programs = self._cases = self._cases_differing = 0
        self._unsteady = self._contradictory = 0
        self._images = self._drivers = self._limits = 0
        self._differing: list[Differing] = []

    async def run(self, submission: Submission, blobs: Blobs) -> None:
        """Run a program and compare."""
        volume, run, job = self.volume, submission.run, submission.job
        try:
            outcomes = await self._executor.run(
                job.code, job.program.function_name, job.program.cases
            )
        finally:
            self.limiter.release_on_behalf_of(job.key)
        self._count(submission)
        recorded = [recorded_end(case, blobs) for case in run.cases]
        self._compare(
            submission, recorded, [here_end(o.status, o.output) for o in outcomes], volume
        )

    def _count(self, submission: Submission) -> None:
        run, here = submission.run, self._here
        self._programs += 1
        self._cases += len(submission.job.program.expected)
        self._contradictory += submission.contradictory
        self._images += run.layers != list(here.layers)
        self._drivers += run.driver is not None and run.driver != here.driver
        self._limits += submission.limits != here.limits

    def _compare(
        self, submission: Submission, recorded: list[End], here: list[End], volume: int | None
    ) -> None:
        seq, run, job, *_ = submission
        self._unsteady += contradict(recorded, here)
        passed, passed_here, where = compared(job.program, recorded, here)
        self._cases_differing += len(where)
        if where:
            row = Differing(
                seq=seq,
                round=run.round,
                task=run.task,
                hotkey=run.hotkey,
                cases=len(job.program.expected),
                recorded=passed,
                here=passed_here,
                other_image=run.layers != list(self._here.layers),
                where=where,
                volume=volume,
            )
            self._differing.append(row)

    def result(self) -> Reexecution:
        """In the log's order, however long each took."""
        found = sorted(self._differing, key=lambda d: (d.volume or 0, d.seq))
        return Reexecution(
            programs=self._programs,
            equal=self._programs - len(found),
            differing=len(found),
            cases=self._cases,
            cases_equal=self._cases - self._cases_differing,
            unsteady=self._unsteady,
            contradictory=self._contradictory,
            other_images=self._images,
            other_drivers=self._drivers,
            other_limits=self._limits,
            complete=self.complete,
            listed=found[:LISTED],
        )
