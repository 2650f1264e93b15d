"""The checks as notebooks and scripts call them: on an opened log they wait for the result.

The same names take any other ``quasar.log.Log``, a live one say, and are awaited then.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar, overload

from quasar.config import load_policy
from quasar.log import Log
from quasar.replay.audit import Progress
from quasar.replay.audit import audit as audit_log
from quasar.replay.diff import diff as diff_logs
from quasar.replay.diff_found import Difference
from quasar.replay.finding import Report
from quasar.replay.opened import RecordedLog
from quasar.replay.simulate import NamedMetric, Simulation
from quasar.replay.simulate import simulate as simulate_logs
from quasar.replay.state import State, Until
from quasar.replay.state import replay as replay_log
from quasar.replay.volumes import audit_volumes
from quasar.rules.policy import Policy, parse

T = TypeVar("T")
Later = Coroutine[Any, Any, T]


@overload
def audit(
    log: RecordedLog, *, hotkey: str | None = None, progress: Progress | None = None
) -> Report: ...
@overload
def audit(
    log: Log, *, hotkey: str | None = None, progress: Progress | None = None
) -> Later[Report]: ...
def audit(
    log: RecordedLog | Log, *, hotkey: str | None = None, progress: Progress | None = None
) -> Report | Later[Report]:
    """Recompute every decision of a log and verify every signature; its volumes are one log.

    ``hotkey`` pins the validator; without it the signer is what the log says. ``progress`` is
    called with events done and events in all. Raises CannotJudge where versions or blobs are
    missing; what does not hold is in the report.
    """
    if not isinstance(log, RecordedLog):
        return audit_log(log, hotkey=hotkey, progress=progress)
    if len(log.volumes) == 1:
        report = _wait(partial(audit_log, log.volumes[0], hotkey=hotkey, progress=progress))
    else:
        report = _wait(partial(audit_volumes, log.volumes, hotkey=hotkey, progress=progress))
    if log.pruned:
        report.not_checked.insert(0, f"volumes 1 to {log.pruned} were pruned: audit their copy")
    return report


@overload
def replay(
    log: RecordedLog, to: Until | None = None, *, progress: Progress | None = None
) -> State: ...
@overload
def replay(
    log: Log, to: Until | None = None, *, progress: Progress | None = None
) -> Later[State]: ...
def replay(
    log: RecordedLog | Log, to: Until | None = None, *, progress: Progress | None = None
) -> State | Later[State]:
    """The state at a moment of the newest volume: leaderboard, weights, what was open.

    For another volume give ``log.volume(1)``. Raises UsageError for a moment that is not in it.
    """
    if not isinstance(log, RecordedLog):
        return replay_log(log, to, progress=progress)
    return _wait(partial(replay_log, log.volumes[-1], to, progress=progress))


@overload
def simulate(
    log: RecordedLog,
    policy: Policy | str | None = None,
    *,
    metric: NamedMetric | None = None,
    progress: Progress | None = None,
) -> Simulation: ...
@overload
def simulate(
    log: Log | Sequence[Log],
    policy: Policy | str | None = None,
    *,
    metric: NamedMetric | None = None,
    progress: Progress | None = None,
) -> Later[Simulation]: ...
def simulate(
    log: RecordedLog | Log | Sequence[Log],
    policy: Policy | str | None = None,
    *,
    metric: NamedMetric | None = None,
    progress: Progress | None = None,
) -> Simulation | Later[Simulation]:
    """What the weights would be under another policy: one that ships, by name, or a file's path.

    Without a policy each round keeps its own. Raises UsageError for what is no policy.
    """
    rules = parse(load_policy(policy)) if isinstance(policy, str) else policy
    if not isinstance(log, RecordedLog):
        return simulate_logs(log, rules, metric=metric, progress=progress)
    return _wait(partial(simulate_logs, log.volumes, rules, metric=metric, progress=progress))


@overload
def diff(*logs: RecordedLog, progress: Progress | None = None) -> Difference: ...
@overload
def diff(*logs: Log | Sequence[Log], progress: Progress | None = None) -> Later[Difference]: ...
def diff(
    *logs: RecordedLog | Log | Sequence[Log], progress: Progress | None = None
) -> Difference | Later[Difference]:
    """Compare the logs of two or more validators: tasks, answers, accuracy, weights, treatment.

    Other logs than opened ones are awaited, each a log or its volumes. Raises UsageError for one
    log twice, CannotJudge where no two validators scored the same miner.
    """
    given = [log.volumes if isinstance(log, RecordedLog) else log for log in logs]
    if all(isinstance(log, RecordedLog) for log in logs):
        return _wait(partial(diff_logs, given, progress=progress))
    return diff_logs(given, progress=progress)


def _wait(call: Callable[[], Awaitable[T]]) -> T:
    """Run in a thread of its own: a notebook's thread already has an event loop."""
    from anyio.from_thread import start_blocking_portal  # no command needs it

    with start_blocking_portal() as portal:
        return portal.call(call)
