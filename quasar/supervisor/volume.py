"""One volume: where it is kept, how it opens on what is there, and how it is sealed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import structlog

from quasar.actors.actor import recorded
from quasar.actors.checkpointer import Checkpointer
from quasar.errors import Damaged, LogError, UsageError
from quasar.events import AnyEvent, LogClosed, LogOpened
from quasar.events.envelope import Draft
from quasar.events.log import ROTATION_MARK, PreviousVolume
from quasar.events.note import LogKeys
from quasar.events.opening import read_opening
from quasar.events.rotation import keys_after
from quasar.events.signing import log_id_of, log_key_statement
from quasar.log import Log
from quasar.log.access import ADMIN, LogServer
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from quasar.log.archive_compare import Acknowledged, KeptLog, compare
from quasar.log.archive_reader import ArchiveLog
from quasar.log.jetstream import JetStreamLog
from quasar.log.manifest import NAME as MANIFEST
from quasar.log.whole import is_sealed
from quasar.rules import closing
from quasar.rules.carried import Carried, encode_carried
from quasar.rules.closing import ClosingState, carried_from
from quasar.rules.machine import Recorded
from quasar.rules.owners import SLOTS
from quasar.rules.secrets import SecretChain
from quasar.supervisor.log_keys import replacement
from quasar.supervisor.setup import Setup

ACTOR = "supervisor"

logger = structlog.get_logger()

LOG_NUMBER = 1


class Handover(NamedTuple):
    """What a sealed volume leaves to the next."""

    note: str
    """Its last checkpoint, over all of it."""
    carried: Carried


@dataclass(frozen=True)
class Volume:
    """An opened volume."""

    number: int
    logs: Mapping[str, Log]
    """By actor: the same log, each under the rights of its own user; acknowledgements are kept."""
    writer: ArchiveWriter
    before: Handover | None
    streams: Mapping[str, Log] = field(default_factory=dict)
    """What stands behind ``logs``, for work consumers."""

    @property
    def log(self) -> Log:
        """The supervisor's."""
        return self.logs[ACTOR]

    @property
    def origin(self) -> str:
        """As its checkpoints name it."""
        return self.writer.identity.origin

    @property
    def base(self) -> int:
        """Newest round of the volumes before."""
        return self.before.carried.round if self.before else 0

    def secrets(self, setup: Setup) -> SecretChain:
        """Of its rounds."""
        log_id = self.writer.identity.log_id
        return SecretChain(setup.identity.master, log_id, self.number, self.base)


async def record(log: Log, event: AnyEvent) -> None:
    """Append one of the supervisor's facts."""
    await log.append([Draft(actor=ACTOR, cause=0, event=event)])


def folder_of(setup: Setup, number: int) -> Path:
    """Where a volume's archive is."""
    return setup.archive / str(number) if setup.volumes else setup.archive


def current_volume(setup: Setup) -> int:
    """Number of the volume to go on with: the first that is not sealed.

    Raises UsageError where the archive was kept the other way, in one volume or in several.
    """
    if setup.volumes is None:
        return 1
    if (setup.archive / MANIFEST).exists():
        raise UsageError(
            f"{setup.archive} is the archive of a single volume: name another --out, whose volumes "
            "will be folders"
        )
    number = 1
    while (folder_of(setup, number) / MANIFEST).exists() and is_sealed(
        ArchiveLog(folder_of(setup, number))
    ):
        number += 1
    return number


def handover_of(folder: Path) -> Handover:
    """What a sealed volume leaves behind, from its archive."""
    log = ArchiveLog(folder)
    state = ClosingState()
    for seq, line in log.verified():
        state = closing.evolve(state, Recorded(seq, line), log.blobs)
    note = log.checkpoint_note(log.manifest.last)
    if note is None:
        raise LogError(f"{folder} has no checkpoint over all of it: restore it from a backup")
    return Handover(note, carried_from(state))


@asynccontextmanager
async def open_volume(setup: Setup, server: LogServer, number: int) -> AsyncIterator[Volume]:
    """The volume's log and archive, with LogOpened in it, ready for a run.

    Raises Damaged where the server lost what the archive still has, UsageError where the volume
    was opened with another key, LogError where it cannot be kept.
    """
    hotkey, netuid = setup.identity.hotkey.ss58_address, setup.chain.netuid
    genesis = await setup.chain.genesis()
    log_id = log_id_of(genesis, netuid, hotkey, LOG_NUMBER)
    identity = ArchiveIdentity(
        log_id=log_id, volume=number, netuid=netuid, hotkey=hotkey, genesis=genesis
    )
    before = handover_of(folder_of(setup, number - 1)) if number > 1 else None
    with (
        ArchiveWriter.open(folder_of(setup, number), identity) as writer,
        Acknowledged(setup.state / "acknowledged" / f"{log_id}-{number}") as acknowledged,
    ):
        writer.withhold("contexts", "regenerated from the revealed seed")
        async with _open_stream(setup, server, writer, acknowledged) as logs:
            kept = {actor: KeptLog(log, acknowledged) for actor, log in logs.items()}
            volume = Volume(number, kept, writer, before, logs)
            await _refuse_loss(setup, volume, acknowledged)
            await _open_log(setup, volume)
            yield volume


@asynccontextmanager
async def _open_stream(
    setup: Setup, server: LogServer, writer: ArchiveWriter, acknowledged: Acknowledged
) -> AsyncIterator[Mapping[str, Log]]:
    """The volume's stream, made if absent, in the hands of every actor."""
    async with AsyncExitStack() as stack:

        async def enter(user: str, own: AsyncExitStack) -> JetStreamLog:
            """Open the log as this user."""
            stream = JetStreamLog.open(
                server.url,
                writer.identity.log_id,
                writer.identity.volume,
                writer.blobs,
                login=server.login(user),
                replicas=server.replicas,
            )
            try:
                log = await own.enter_async_context(stream)
                await log.check_rights(SLOTS.get(user, ()))
            except Damaged as damage:
                raise Damaged(damage.seq, f"{damage.reason}; {_mend(setup)}") from None
            except LogError as e:
                raise LogError(f"the log's user {user}: {e}") from e
            return log

        async with AsyncExitStack() as first:
            await _restore(setup, await enter(ADMIN, first), writer, acknowledged)
        yield {actor: await enter(actor, stack) for actor in SLOTS}


async def _restore(
    setup: Setup, log: JetStreamLog, writer: ArchiveWriter, acknowledged: Acknowledged
) -> None:
    """Put the archive's events into an empty stream, where that was asked for."""
    if setup.recover and await log.head() == 0:
        acknowledged.forget()
        count = await log.restore(line for _, line in ArchiveLog(writer.folder).verified())
        logger.warning("validator.recovered", volume=writer.identity.volume, events=count)


async def _refuse_loss(setup: Setup, volume: Volume, acknowledged: Acknowledged) -> None:
    """Write nothing after a log that lost or altered what it must hold."""
    try:
        await compare(volume.log, volume.writer, acknowledged)
    except Damaged as damage:
        raise Damaged(damage.seq, f"{damage.reason}; {_mend(setup)}") from None


def _mend(setup: Setup) -> str:
    """What to do about a log that is not whole."""
    if setup.nats is not None:
        return "remove this stream from the server, and go on from the archive with --recover"
    return "put the server's store back from a backup, or go on from the archive with --recover"


async def _open_log(setup: Setup, volume: Volume) -> None:
    if await volume.log.head() == 0:
        await record(volume.log, _opened(setup, volume))
        return
    async for _, line in volume.log.read():
        opening = read_opening(line)
        ours = [setup.identity.log_key, *(key.signer for key in setup.identity.replaced)]
        if opening.log_key not in [key.public_key for key in ours]:
            raise UsageError("this log was opened with another log key; use that key")
        return


def _opened(setup: Setup, volume: Volume) -> LogOpened:
    identity, key = volume.writer.identity, _log_key(setup)
    statement = log_key_statement(identity.origin, identity.genesis, key)
    return LogOpened(
        log_id=identity.log_id,
        log_number=LOG_NUMBER,
        volume=volume.number,
        netuid=identity.netuid,
        genesis=identity.genesis,
        hotkey=identity.hotkey,
        log_key=key,
        log_key_signature=setup.identity.hotkey.sign(statement).hex(),
        secrets_tip=volume.secrets(setup).tip,
        previous=_previous(volume),
    )


def _previous(volume: Volume) -> PreviousVolume | None:
    if volume.before is None:
        return None
    state = volume.log.blobs.put(encode_carried(volume.before.carried))
    return PreviousVolume(checkpoint=volume.before.note, state=state)


def _log_key(setup: Setup) -> str:
    return setup.identity.log_key.public_key.hex()


async def state_of(log: Log) -> ClosingState:
    """The fold of all that is in the log now."""
    head, state = await log.head(), ClosingState()
    async for seen in recorded(log):
        state = closing.evolve(state, seen, log.blobs)
        if seen.seq >= head:
            break
    return state


async def is_closed(log: Log) -> bool:
    """Whether nothing more may be written: only the seal may be missing."""
    head = await log.head()
    async for seen in recorded(log, after=head - 1):
        return isinstance(seen.event, LogClosed)
    return False


async def seal(setup: Setup, volume: Volume) -> int:
    """Copy and sign everything; gives the size. The volume's actors must have stopped.

    A volume that was closed before it learned of a newer log key is sealed by its own: the first
    event of the next volume names that seal under the new key.
    """
    identity, keys = setup.identity, await log_keys(volume.log)
    due = replacement(identity.log_key, identity.replaced, volume.number, keys.current)
    key = due.old if due else identity.log_key
    return await Checkpointer(volume.log, volume.writer, key, volume.origin).seal()


async def log_keys(log: Log) -> LogKeys:
    """The log keys that a volume names so far. Raises Damaged where the hotkey did not sign one."""
    head, opening, rotations = await log.head(), None, []
    async for seq, line in log.read():
        opening = opening or read_opening(line)
        if ROTATION_MARK in line:
            rotations.append((seq, line))
        if seq >= head:
            break
    if opening is None:
        raise Damaged(1, "missing: a log starts with LogOpened")
    return keys_after(opening, rotations)
