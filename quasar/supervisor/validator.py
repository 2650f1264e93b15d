"""A validator: its actors, volume after volume, until it is told to stop."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import anyio
import structlog

from quasar.actors.actor import recorded
from quasar.actors.chain_observer import ChainObserver
from quasar.actors.checkpointer import Checkpointer
from quasar.actors.miner_proxy import MinerProxy
from quasar.actors.sandbox_executor import SandboxExecutor
from quasar.actors.scorer import Scorer
from quasar.actors.task_sampler import TaskSampler
from quasar.actors.weight_setter import WeightSetter
from quasar.door.client import ClientLimits, ClientSession, MinerDoor, open_session
from quasar.door.outbox import Outbox
from quasar.errors import UsageError
from quasar.events import (
    RoundAbandoned,
    RoundScored,
    RoundSkipped,
    WeightsComputed,
    WeightsDeferred,
    WeightsFailed,
    WeightsVerified,
)
from quasar.log import Log
from quasar.log.jetstream_work import open_work
from quasar.log.work import WorkQueue
from quasar.rules import delivery, execution, observing, sampling, scoring, weights
from quasar.rules import policy as policies
from quasar.rules.owners import CHECKPOINTER
from quasar.sandbox import Sandbox
from quasar.supervisor.closer import check_disk, drained
from quasar.supervisor.restart import Actor, drain_on_signal, supervise
from quasar.supervisor.retention import retain
from quasar.supervisor.run import End, begin_run, end_run, round_after
from quasar.supervisor.services import (
    Services,
    open_programs,
    open_server,
    sandbox_came_up,
    wants_sandbox,
)
from quasar.supervisor.setup import Setup
from quasar.supervisor.volume import ACTOR as SUPERVISOR
from quasar.supervisor.volume import (
    Volume,
    current_volume,
    is_closed,
    open_volume,
    seal,
    state_of,
)

Watch = Callable[[Log], Coroutine[Any, Any, None]]
"""Gets each volume's log, to show what happens."""

logger = structlog.get_logger()


class Ended(NamedTuple):
    """How a run ended."""

    size: int
    """Events of the sealed volume."""
    finished: bool
    """All rounds were played; False where a signal stopped it."""


async def run_validator(setup: Setup, *, watch: Watch | None = None) -> Ended:
    """Play rounds until told to stop, or until the last one is weighed; then seal the archive.

    ``watch`` gets the log of each volume, to show what happens.
    """
    check_disk(setup)
    course = Course(current_volume(setup), setup.rounds)
    async with open_server(setup) as server:
        ended, again = None, False
        while ended is None:
            async with open_programs(setup, again=again) as sandbox:
                ended = await _play_volumes(setup, course, Services(server, sandbox), watch)
            again = True
    return ended


@dataclass
class Course:
    """How far a validator is."""

    volume: int
    rounds: int | None
    """It ends after this round."""


async def _play_volumes(
    setup: Setup, course: Course, services: Services, watch: Watch | None
) -> Ended | None:
    """Volume after volume; None where another sandbox is to be opened first."""
    while True:
        async with open_volume(setup, services.server, course.volume) as volume:
            if not await is_closed(volume.log):
                if setup.once is not None and course.rounds is None:
                    course.rounds = await round_after(setup.once, setup, volume.log)
                run = await begin_run(setup, volume, course.rounds, services)
                end = await _play(setup, volume, course.rounds, services, watch)
                with anyio.CancelScope(shield=True):
                    await end_run(volume, run, end)
                    if end is End.SANDBOX:
                        return None
                    if end is not End.CLOSED:
                        return Ended(await seal(setup, volume), end is End.FINISHED)
            size = await seal(setup, volume)
        check_disk(setup)
        if setup.volumes is None:
            raise UsageError(f"{setup.archive} is closed after {size} events: name another")
        course.volume += 1
        logger.info("validator.next-volume", volume=course.volume)


async def _play(
    setup: Setup, volume: Volume, rounds: int | None, services: Services, watch: Watch | None
) -> End:
    """Run the actors until the volume's end, of whatever kind."""
    while True:
        end = await _run_actors(setup, volume, rounds, services, watch)
        # An actor may have written while it was stopped.
        if end is not End.CLOSED or (await state_of(volume.log)).drained:
            return end


async def _run_actors(
    setup: Setup, volume: Volume, rounds: int | None, services: Services, watch: Watch | None
) -> End:
    end = End.STOPPED
    async with open_session() as session, anyio.create_task_group() as tasks:

        async def until(waiting: Coroutine[Any, Any, None], reason: End) -> None:
            nonlocal end
            await waiting
            logger.info("validator.stops-actors", reason=reason.value)
            end = reason
            tasks.cancel_scope.cancel()

        for actor in _actors(setup, volume, services.sandbox, session):
            tasks.start_soon(supervise, actor)
        if watch is not None:
            tasks.start_soon(watch, volume.log)
        tasks.start_soon(retain, setup, volume, services.server)
        tasks.start_soon(drain_on_signal, tasks.cancel_scope)
        if rounds is not None:
            tasks.start_soon(until, weighed(volume.log, rounds, volume.base), End.FINISHED)
        if services.sandbox is None and wants_sandbox(setup):
            tasks.start_soon(until, sandbox_came_up(setup), End.SANDBOX)
        tasks.start_soon(until, drained(volume.log, setup), End.CLOSED)
    return end


def _actors(
    setup: Setup, volume: Volume, sandbox: Sandbox | None, session: ClientSession
) -> Sequence[Actor]:
    identity, logs = setup.identity, volume.logs
    outbox = Outbox(setup.state / "contexts")
    policy = policies.parse(setup.policy)
    limits = ClientLimits(accept_s=policy.delivery.attempt_ms / 1000)
    door = MinerDoor(identity.hotkey, limits, session, allow_private=setup.allow_private)
    return [
        ChainObserver(logs[observing.ACTOR], setup.chain),
        TaskSampler(logs[sampling.ACTOR], volume.secrets(setup), outbox),
        MinerProxy(logs[delivery.ACTOR], door, outbox, _work(volume, MinerProxy)),
        SandboxExecutor(logs[execution.ACTOR], sandbox, _work(volume, SandboxExecutor)),
        Scorer(logs[scoring.ACTOR]),
        WeightSetter(logs[weights.ACTOR], setup.chain, identity.hotkey),
        Checkpointer(
            logs[CHECKPOINTER],
            volume.writer,
            identity.log_key,
            volume.origin,
            chain=setup.chain,
            hotkey=identity.hotkey,
        ),
    ]


def _work(volume: Volume, actor: type[MinerProxy] | type[SandboxExecutor]) -> WorkQueue:
    """Its share of the volume's work, which this validator owns."""
    return open_work(
        volume.streams[actor.name],
        actor.name,
        actor.work_slots,
        owner=volume.streams[SUPERVISOR],
        pending=actor.pending,
    )


async def weighed(log: Log, rounds: int, over: int = 0) -> None:
    """Return once round ``rounds`` is over, and the first row after it met its end.

    A row ends on chain and read back, or with the event that says why not; an epoch without a row
    ends at once. What was decided of a block before the round's end does not count, though it may
    stand behind that. ``over``: rounds of the volumes before.
    """
    row, last = None, 0
    async for seen in recorded(log):
        counts = over >= rounds and seen.envelope.cause > last
        match seen.event:
            case RoundScored() | RoundSkipped() | RoundAbandoned():
                over += 1
                last = seen.seq if over == rounds else last
            case WeightsDeferred(reason=reason) if counts and reason != "closing":
                return
            case WeightsComputed(epoch=epoch) if counts and row is None:
                row = epoch
            case WeightsVerified(epoch=epoch) | WeightsFailed(epoch=epoch) if epoch == row:
                return
