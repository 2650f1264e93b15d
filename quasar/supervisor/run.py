"""A run of a validator's process: how it begins and ends in the log."""

from enum import Enum

from quasar import config
from quasar.actors.actor import recorded
from quasar.benchmarks.corpus import DATA_DIGEST
from quasar.benchmarks.tokenizer import VOCABULARY_DIGEST
from quasar.events import LogClosed, PolicyAdopted, RunEnded, RunStarted
from quasar.log import Log
from quasar.rules import observing
from quasar.rules import policy as policies
from quasar.supervisor.rotation import keep_up
from quasar.supervisor.services import Services
from quasar.supervisor.setup import Setup
from quasar.supervisor.volume import Volume, log_keys, record


class End(Enum):
    """Why the actors of a volume stopped."""

    FINISHED = "all rounds played"
    STOPPED = "stopped"
    CLOSED = "the volume closes"


async def round_after(once: int, setup: Setup, log: Log) -> int:
    """The round after which this run stops; what a pause made it miss does not count."""
    head, state = await log.head(), observing.ObserverState()
    async for seen in recorded(log):
        state = observing.evolve(state, seen, log.blobs)
        if seen.seq >= head:
            break
    if state.schedule is None:
        return once
    return state.schedule.rounds_through((await setup.chain.head()).number) + once


async def begin_run(setup: Setup, volume: Volume, rounds: int | None, services: Services) -> int:
    """RunStarted, and PolicyAdopted if the policy is new to the volume; gives the run's number.

    A log key that is new to the volume comes before them.
    """
    log, carried = volume.log, volume.before.carried if volume.before else None
    runs, adopted = (carried.runs, carried.policies) if carried else (0, 0)
    policy, head = "", await log.head()
    async for seen in recorded(log):
        match seen.event:
            case RunStarted(run=number):
                runs = number
            case PolicyAdopted(number=number, toml=toml):
                policy, adopted = toml.sha256, number
        if seen.seq >= head:
            break
    await keep_up(setup, volume, await log_keys(log))
    await record(log, _started(setup, runs + 1, rounds, services))
    if policies.digest(setup.policy) != policy:
        blob = log.blobs.put(setup.policy)
        name = policies.parse(setup.policy).name
        await record(log, PolicyAdopted(number=adopted + 1, name=name, toml=blob))
    return runs + 1


def _started(setup: Setup, run: int, rounds: int | None, services: Services) -> RunStarted:
    return RunStarted(
        run=run,
        mode=setup.mode,
        freshness=setup.freshness,
        rounds=rounds,
        versions={**config.versions(), **services.versions},
        digests={
            "code": config.code_digest(),
            "data": DATA_DIGEST,
            "lock": config.lock_digest(),
            "tokenizer": VOCABULARY_DIGEST,
        },
        sandbox=services.sandbox.identity.driver if services.sandbox else None,
    )


async def end_run(volume: Volume, run: int, end: End) -> None:
    """RunEnded, and LogClosed if nothing comes after it."""
    await record(volume.log, RunEnded(run=run, reason=end.value))
    if end is End.CLOSED:
        await record(volume.log, LogClosed(events=await volume.log.head()))
