"""A run of a validator's process: how it begins and ends in the log."""

from collections.abc import Collection
from enum import Enum

from quasar import config
from quasar.actors.actor import recorded
from quasar.benchmarks import packs
from quasar.benchmarks.corpus import DATA_DIGEST
from quasar.benchmarks.tokenizer import VOCABULARY_DIGEST
from quasar.events import LogClosed, PolicyAdopted, RunEnded, RunStarted, SourceAdopted
from quasar.log import Log
from quasar.rules import observing
from quasar.rules import policy as policies
from quasar.rules.sources import adopted_source, sources_of
from quasar.supervisor.rotation import keep_up
from quasar.supervisor.services import Services
from quasar.supervisor.setup import Setup
from quasar.supervisor.volume import Volume, log_keys, record


class End(Enum):
    """Why the actors of a volume stopped."""

    FINISHED = "all rounds played"
    STOPPED = "stopped"
    CLOSED = "the volume closes"
    SANDBOX = "a sandbox came up"


STARTING_BLOCKS = 10
"""A missed round that grows too old within so many blocks is not counted on: it may be played too,
but a run must not end with a round that was skipped while it still started."""


async def round_after(once: int, setup: Setup, log: Log) -> int:
    """The round after which this run stops. Of those that a pause made it miss, only those count
    whose block is young enough to open them still."""
    head, state = await log.head(), observing.ObserverState()
    async for seen in recorded(log):
        state = observing.evolve(state, seen, log.blobs)
        if seen.seq >= head:
            break
    if state.schedule is None or state.block is None:
        return once
    cadence, now = policies.parse(setup.policy).cadence, (await setup.chain.head()).number
    schedule = state.schedule.changed(state.block, cadence.round_every_blocks)
    missed = now if state.fresh else now - cadence.max_lag_blocks + STARTING_BLOCKS
    return schedule.rounds_through(max(state.block, min(missed, now))) + once


async def begin_run(setup: Setup, volume: Volume, rounds: int | None, services: Services) -> int:
    """RunStarted, and PolicyAdopted if the policy is new to the volume; gives the run's number.

    A log key that is new to the volume comes before them, and the packs that the policy names
    before the policy. Raises NoSource for one that was not installed.
    """
    log, carried = volume.log, volume.before.carried if volume.before else None
    runs, adopted = (carried.runs, carried.policies) if carried else (0, 0)
    policy, sources, head = "", set[str](), await log.head()
    async for seen in recorded(log):
        match seen.event:
            case RunStarted(run=number):
                runs = number
            case SourceAdopted(source=source):
                sources.add(source.sha256)
            case PolicyAdopted(number=number, toml=toml):
                policy, adopted = toml.sha256, number
        if seen.seq >= head:
            break
    await keep_up(setup, volume, await log_keys(log))
    await record(log, _started(setup, runs + 1, rounds, services))
    if policies.digest(setup.policy) != policy:
        await adopt_policy(log, setup.policy, adopted + 1, sources)
    return runs + 1


async def adopt_policy(log: Log, toml: bytes, number: int, held: Collection[str]) -> None:
    """The packs that a policy names, but for those that the volume holds; then the policy.

    Raises NoSource for a pack that was not installed, before anything is recorded.
    """
    policy = policies.parse(toml)
    needed = [packs.installed(source) for source in sources_of(policy) if source not in held]
    for pack in needed:
        await record(log, adopted_source(pack, log.blobs))
    await record(log, PolicyAdopted(number=number, name=policy.name, toml=log.blobs.put(toml)))


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
