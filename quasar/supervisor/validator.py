"""A validator: its volume, its actors, and a sealed archive at the end."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import anyio
import structlog

from quasar import config
from quasar.actors.actor import recorded
from quasar.actors.chain_observer import ChainObserver
from quasar.actors.checkpointer import Checkpointer
from quasar.actors.miner_proxy import MinerProxy
from quasar.actors.sandbox_executor import SandboxExecutor
from quasar.actors.scorer import Scorer
from quasar.actors.task_sampler import TaskSampler
from quasar.actors.weight_setter import WeightSetter
from quasar.benchmarks.corpus import DATA_DIGEST
from quasar.benchmarks.tokenizer import VOCABULARY_DIGEST
from quasar.chain import Chain
from quasar.door.client import ClientLimits, ClientSession, MinerDoor, open_session
from quasar.door.outbox import Outbox
from quasar.errors import Damaged, UsageError
from quasar.events import (
    AnyEvent,
    LogOpened,
    PolicyAdopted,
    RoundScored,
    RoundSkipped,
    RunEnded,
    RunStarted,
    WeightsComputed,
    WeightsDeferred,
    WeightsFailed,
    WeightsVerified,
)
from quasar.events.envelope import Draft
from quasar.events.signing import Signer, log_id_of, log_key_statement
from quasar.log import Log
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_wire import Login
from quasar.log.server import NatsServer
from quasar.rules import observing
from quasar.rules import policy as policies
from quasar.rules.plan import runs_code
from quasar.rules.secrets import SecretChain
from quasar.sandbox import Sandbox, SandboxConfig, open_sandbox, probe_engine
from quasar.supervisor.restart import Actor, drain_on_signal, supervise

Watch = Callable[[Log], Coroutine[Any, Any, None]]
"""Gets the log, to show what happens."""

ACTOR = "supervisor"

logger = structlog.get_logger()
LOG_NUMBER = 1
VOLUME = 1


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A validator's keys and secrets."""

    hotkey: Signer
    log_key: Signer
    master: bytes
    """Master secret of the rounds."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One validator on one machine."""

    identity: Identity
    chain: Chain
    state: Path
    """Private: the server's store and contexts of open rounds."""
    archive: Path
    """The copy for everyone."""
    policy: bytes
    mode: Literal["live", "mock", "demo", "simulation"]
    freshness: Literal["beacon", "none"] = "beacon"
    rounds: int | None = None
    """Stop after this round of the log; None goes on for ever."""
    once: int | None = None
    """Instead: stop after so many rounds from now on."""
    allow_private: bool = False
    """Call miners on loopback and private addresses: demo and mock only."""


@dataclass(frozen=True)
class Volume:
    """An opened volume."""

    log: Log
    writer: ArchiveWriter
    run: int
    rounds: int | None
    """No round comes after this one."""
    sandbox: Sandbox | None

    @property
    def origin(self) -> str:
        return self.writer.identity.origin


class Ended(NamedTuple):
    """How a run ended."""

    size: int
    """Events of the sealed archive."""
    finished: bool
    """All rounds were played; False where a signal stopped it."""


async def run_validator(setup: Setup, *, watch: Watch | None = None) -> Ended:
    """Play rounds until told to stop, or until the last one is weighed; then seal the archive.

    ``watch`` gets the log, to show what happens.
    """
    async with _open_volume(setup) as volume:
        finished = await _play(setup, volume, watch)
        return Ended(await _end_run(setup, volume, finished), finished)


async def _play(setup: Setup, volume: Volume, watch: Watch | None) -> bool:
    """True once all rounds are weighed, False after a signal."""
    finished = False
    async with open_session() as session, anyio.create_task_group() as tasks:
        for actor in _actors(setup, volume, session):
            tasks.start_soon(supervise, actor)
        if watch is not None:
            tasks.start_soon(watch, volume.log)
        tasks.start_soon(drain_on_signal, tasks.cancel_scope)
        if volume.rounds is None:
            await anyio.sleep_forever()
        assert volume.rounds is not None
        await weighed(volume.log, volume.rounds)
        finished = True
        tasks.cancel_scope.cancel()
    return finished


def _actors(setup: Setup, volume: Volume, session: ClientSession) -> Sequence[Actor]:
    identity, log = setup.identity, volume.log
    secrets = SecretChain(identity.master, volume.writer.identity.log_id, VOLUME)
    outbox = Outbox(setup.state / "contexts")
    policy = policies.parse(setup.policy)
    limits = ClientLimits(accept_s=policy.delivery.attempt_ms / 1000)
    door = MinerDoor(identity.hotkey, limits, session, allow_private=setup.allow_private)
    return [
        ChainObserver(log, setup.chain),
        TaskSampler(log, secrets, outbox),
        MinerProxy(log, door, outbox),
        SandboxExecutor(log, volume.sandbox),
        Scorer(log),
        WeightSetter(log, setup.chain, identity.hotkey),
        Checkpointer(
            log,
            volume.writer,
            identity.log_key,
            volume.origin,
            chain=setup.chain,
            hotkey=identity.hotkey,
        ),
    ]


async def weighed(log: Log, rounds: int) -> None:
    """Return once that many rounds are over, and the first row after them met its end.

    A row ends on chain and read back, or with the event that says why not; an epoch without a row
    ends at once.
    """
    over, row = 0, None
    async for seen in recorded(log):
        match seen.event:
            case RoundScored() | RoundSkipped():
                over += 1
            case WeightsDeferred() if over >= rounds:
                return
            case WeightsComputed(epoch=epoch) if over >= rounds and row is None:
                row = epoch
            case WeightsVerified(epoch=epoch) | WeightsFailed(epoch=epoch) if epoch == row:
                return


@asynccontextmanager
async def _open_volume(setup: Setup) -> AsyncIterator[Volume]:
    """Server, log and archive, with this run's first events written."""
    hotkey, netuid = setup.identity.hotkey.ss58_address, setup.chain.netuid
    genesis = await setup.chain.genesis()
    log_id = log_id_of(genesis, netuid, hotkey, LOG_NUMBER)
    identity = ArchiveIdentity(
        log_id=log_id, volume=VOLUME, netuid=netuid, hotkey=hotkey, genesis=genesis
    )
    async with (
        NatsServer.open(setup.state / "nats") as server,
        _open_sandbox(setup, log_id) as sandbox,
    ):
        with ArchiveWriter.open(setup.archive, identity) as writer:
            writer.withhold("contexts", "regenerated from the revealed seed")
            login = Login(user=server.user, password=server.password)
            async with JetStreamLog.open(
                server.url, log_id, VOLUME, writer.blobs, login=login
            ) as log:
                await _refuse_shorter(log, writer)
                versions = {"nats-server": server.version, **_sandbox_versions(sandbox)}
                rounds = await _last_round(setup, log)
                run = await _begin_run(setup, log, identity, rounds, versions, sandbox)
                yield Volume(log, writer, run, rounds, sandbox)


@asynccontextmanager
async def _open_sandbox(setup: Setup, log_id: str) -> AsyncIterator[Sandbox | None]:
    """A sandbox if the policy has tasks in code and an engine answers; else None."""
    wanted = any(runs_code(entry.family) for entry in policies.parse(setup.policy).mix)
    probe = await probe_engine() if wanted else None
    if probe is None or probe.url is None:
        if probe is not None:
            logger.warning("validator.no-sandbox", reason=probe.reason, effect="no tasks in code")
        yield None
        return
    async with open_sandbox(SandboxConfig(owner=log_id)) as sandbox:
        yield sandbox


def _sandbox_versions(sandbox: Sandbox | None) -> dict[str, str]:
    if sandbox is None:
        return {}
    identity = sandbox.identity
    return {
        "sandbox-engine": f"{identity.engine}, {identity.runtime}",
        "sandbox-python": identity.python,
    }


async def _refuse_shorter(log: Log, writer: ArchiveWriter) -> None:
    """Write nothing after a log that lost what its archive still has."""
    head = await log.head()
    if head < writer.size:
        raise Damaged(
            head + 1,
            f"the archive holds {writer.size} events but the server only {head}; restore the "
            "server's store from a backup before this validator writes again",
        )


async def _last_round(setup: Setup, log: Log) -> int | None:
    """The round after which this run stops; what a pause made it miss does not count."""
    if setup.once is None:
        return setup.rounds
    head, state = await log.head(), observing.ObserverState()
    if head:
        async for seen in recorded(log):
            state = observing.evolve(state, seen, log.blobs)
            if seen.seq >= head:
                break
    if state.schedule is None:
        return setup.once
    return state.schedule.rounds_through((await setup.chain.head()).number) + setup.once


async def _begin_run(
    setup: Setup,
    log: Log,
    identity: ArchiveIdentity,
    rounds: int | None,
    versions: Mapping[str, str],
    sandbox: Sandbox | None,
) -> int:
    """LogOpened on an empty log; then RunStarted, and PolicyAdopted if the policy is new."""
    runs, policy, adopted = 0, "", 0
    head = await log.head()
    if head == 0:
        await _record(log, _opened(setup, identity))
    else:
        async for seen in recorded(log):
            match seen.event:
                case LogOpened() as opened if opened.log_key != _log_key(setup):
                    raise UsageError("this log was opened with another log key; use that key")
                case RunStarted(run=number):
                    runs = number
                case PolicyAdopted(number=number, toml=toml):
                    policy, adopted = toml.sha256, number
            if seen.seq >= head:
                break
    await _record(log, _started(setup, runs + 1, rounds, versions, sandbox))
    if policies.digest(setup.policy) != policy:
        blob = log.blobs.put(setup.policy)
        name = policies.parse(setup.policy).name
        await _record(log, PolicyAdopted(number=adopted + 1, name=name, toml=blob))
    return runs + 1


async def _end_run(setup: Setup, volume: Volume, finished: bool) -> int:
    """RunEnded, then a checkpoint over everything."""
    with anyio.CancelScope(shield=True):
        reason = "all rounds played" if finished else "stopped"
        await _record(volume.log, RunEnded(run=volume.run, reason=reason))
        key = setup.identity.log_key
        sealer = Checkpointer(volume.log, volume.writer, key, volume.origin)
        return await sealer.seal()
    raise AssertionError("a shielded scope is not cancelled")


async def _record(log: Log, event: AnyEvent) -> None:
    await log.append([Draft(actor=ACTOR, cause=0, event=event)])


def _opened(setup: Setup, identity: ArchiveIdentity) -> LogOpened:
    key = _log_key(setup)
    statement = log_key_statement(identity.origin, identity.genesis, key)
    chain = SecretChain(setup.identity.master, identity.log_id, VOLUME)
    return LogOpened(
        log_id=identity.log_id,
        log_number=LOG_NUMBER,
        volume=VOLUME,
        netuid=identity.netuid,
        genesis=identity.genesis,
        hotkey=identity.hotkey,
        log_key=key,
        log_key_signature=setup.identity.hotkey.sign(statement).hex(),
        secrets_tip=chain.tip,
        previous=None,
    )


def _started(
    setup: Setup,
    run: int,
    rounds: int | None,
    versions: Mapping[str, str],
    sandbox: Sandbox | None,
) -> RunStarted:
    return RunStarted(
        run=run,
        mode=setup.mode,
        freshness=setup.freshness,
        rounds=rounds,
        versions={**config.versions(), **versions},
        digests={
            "code": config.code_digest(),
            "data": DATA_DIGEST,
            "lock": config.lock_digest(),
            "tokenizer": VOCABULARY_DIGEST,
        },
        sandbox=sandbox.identity.driver if sandbox else None,
    )


def _log_key(setup: Setup) -> str:
    return setup.identity.log_key.public_key.hex()
