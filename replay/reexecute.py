"""Recorded programs run again: do they pass the hidden cases that the log says they passed?

Apart from the audit's verdict. A program may be slow, or draw lots, and machines differ: another
outcome is a reason to look closer, and no proof. What runs the programs is handed in, since replay
knows no sandbox.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import anyio
import msgspec

from quasar.errors import Damaged
from quasar.events import CodeExecuted
from quasar.events.blobs import Blobs
from quasar.events.execution import CaseOutcome
from quasar.log import Log
from quasar.metrics.program import passed_cases
from quasar.replay.finding import LISTED, Differing, Reexecution
from quasar.replay.reading import Progress, Reading
from quasar.replay.sample import Full, every
from quasar.rules.execution import SUBSCRIBES, ExecutionState, Job, evolve
from quasar.rules.machine import Recorded

PARALLEL = 4
"""Programs that run at the same time."""


class Ran(Protocol):
    """What one case came to."""

    @property
    def success(self) -> bool:
        """Whether there is an output."""
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


async def reexecute(
    logs: Sequence[Log],
    executor: Executor,
    *,
    layers: Sequence[str] = (),
    full: Full = every,
    progress: Progress | None = None,
) -> Reexecution:
    """Run every recorded program of some volumes again.

    ``layers``: the executor's image, to count programs that ran in another one. ``full``: of which
    rounds. Stops where an event does not follow from those before it, which an audit names.
    Raises what the executor does.
    """
    again = _Again(executor, layers)
    for volume, log in enumerate(logs, 1):
        again.volume = volume if len(logs) > 1 else None
        programs = _programs(log, full, progress)
        async with aclosing(programs), anyio.create_task_group() as tasks:
            try:
                async for seen, job in programs:
                    await again.limiter.acquire_on_behalf_of(job.key)
                    tasks.start_soon(again.run, seen, job, log.blobs)
            except Damaged:
                again.complete = False
        if not again.complete:
            break
    return again.result()


async def _programs(
    log: Log, full: Full, progress: Progress | None
) -> AsyncGenerator[tuple[Recorded, Job], None]:
    """Recorded executions with what was executed. Raises Damaged."""
    state = ExecutionState()
    async with aclosing(Reading(log, progress).events()) as events:
        async for seen in events:
            try:
                job = _job(state, seen)
                if type(seen.event) in SUBSCRIBES:
                    state = evolve(state, seen, log.blobs)
            except (LookupError, AssertionError, ValueError, ArithmeticError):
                raise Damaged(seen.seq, "does not follow from what is before it") from None
            if job is not None and full(job.key[0]):
                yield seen, job


def _job(state: ExecutionState, seen: Recorded) -> Job | None:
    match seen.event:
        case CodeExecuted(round=number, task=task, hotkey=hotkey):
            return state.open.get((number, task, hotkey))
    return None


class _Again:
    """What came of it so far."""

    def __init__(self, executor: Executor, layers: Sequence[str]) -> None:
        self._executor = executor
        self._layers = list(layers)
        self.limiter = anyio.CapacityLimiter(PARALLEL)
        self.volume: int | None = None
        self.complete = True
        self._programs = self._other_images = 0
        self._differing: list[Differing] = []

    async def run(self, seen: Recorded, job: Job, blobs: Blobs) -> None:
        """Run a program and compare."""
        volume = self.volume
        try:
            outcomes = await self._executor.run(
                job.code, job.program.function_name, job.program.cases
            )
        finally:
            self.limiter.release_on_behalf_of(job.key)
        assert isinstance(seen.event, CodeExecuted)
        self._programs += 1
        self._other_images += seen.event.layers != self._layers
        recorded = _passed([_recorded(case, blobs) for case in seen.event.cases], job)
        here = _passed([_value(outcome) for outcome in outcomes], job)
        if recorded != here:
            self._differing.append(_differing(seen.seq, job, recorded, here, volume))

    def result(self) -> Reexecution:
        """In the log's order, however long each took."""
        found = sorted(self._differing, key=lambda d: (d.volume or 0, d.seq))
        return Reexecution(
            programs=self._programs,
            equal=self._programs - len(found),
            differing=len(found),
            other_images=self._other_images,
            complete=self.complete,
            listed=found[:LISTED],
        )


def _passed(outputs: Sequence[bytes | None], job: Job) -> list[bool]:
    """Case by case; another number of cases is no verdict on this program."""
    expected = job.program.expected
    return passed_cases(outputs, expected) if len(outputs) == len(expected) else []


def _recorded(case: CaseOutcome, blobs: Blobs) -> bytes | None:
    return None if case.output is None or case.status != "ok" else blobs.get(case.output)


def _value(outcome: Ran) -> bytes | None:
    return msgspec.json.encode(outcome.output) if outcome.success else None


def _differing(
    seq: int, job: Job, recorded: list[bool], here: list[bool], volume: int | None
) -> Differing:
    number, task, hotkey = job.key
    return Differing(
        seq=seq,
        round=number,
        task=task,
        hotkey=hotkey,
        cases=len(job.program.expected),
        recorded=recorded.count(True),
        here=here.count(True),
        volume=volume,
    )
