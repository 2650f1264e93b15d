"""What SandboxExecutor has to run: programs that came in time, once their round is revealed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from quasar.benchmarks.family import Program
from quasar.events import CodeExecuted, Event, ExecutionAbandoned, RoundRevealed
from quasar.events.blobs import Blobs
from quasar.rules.executed import code_digest as code_digest
from quasar.rules.executed import digest_of as digest_of
from quasar.rules.executed import runs_twice as runs_twice
from quasar.rules.machine import Recorded
from quasar.rules.plan import plan_tasks, runs_code
from quasar.rules.scoring import ScoringRule, verdict_of
from quasar.rules.scoring_state import ScorerState, ScoringRound, program_text
from quasar.rules.secrets import round_seed

ACTOR = "sandbox-executor"

SUBSCRIBES: frozenset[type[Event]] = ScoringRule.subscribes

Key = tuple[int, int, str]
"""Round, task, hotkey."""


class Job(NamedTuple):
    """A submission and its hidden cases."""

    key: Key
    cause: int
    """Sequence number of the reveal."""
    code: str
    program: Program
    twice: bool
    """Whether the round's seed chose it for a second run, in a cell of its own."""


@dataclass
class ExecutionState:
    """The fold: what a scorer knows, and the jobs that are not done."""

    scoring: ScorerState = field(default_factory=ScorerState)
    open: dict[Key, Job] = field(default_factory=dict)


_RULE = ScoringRule()


def evolve(state: ExecutionState, seen: Recorded, blobs: Blobs) -> ExecutionState:
    """Fold one event."""
    match seen.event:
        case RoundRevealed(round=number, secret=secret) if number in state.scoring.rounds:
            current = state.scoring.rounds[number]
            for job in _jobs(current, bytes.fromhex(secret), seen.seq, blobs):
                state.open[job.key] = job
        case (
            CodeExecuted(round=r, task=t, hotkey=h) | ExecutionAbandoned(round=r, task=t, hotkey=h)
        ):
            state.open.pop((r, t, h), None)
    state.scoring = _RULE.evolve(state.scoring, seen, blobs)
    return state


def _jobs(current: ScoringRound, secret: bytes, cause: int, blobs: Blobs) -> Iterator[Job]:
    seed = round_seed(secret, current.beacon_hash)
    for task in plan_tasks(seed, current.policy):
        if runs_code(task.mix.family):
            for hotkey in current.opened.participants:
                if verdict_of(current, task.task, hotkey).failure is None:
                    key = (current.opened.round, task.task, hotkey)
                    code = program_text(current, task.task, hotkey, blobs)
                    program = task.variant(hotkey).instance.program
                    assert program is not None
                    yield Job(key, cause, code, program, runs_twice(seed, task.task, hotkey))
