"""One volume: where it is kept, how it opens on what is there, and how it is sealed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import structlog

from quasar.actors.actor import recorded
from quasar.actors.checkpointer import Checkpointer
from quasar.errors import Damaged, LogError, UsageError
from quasar.events import AnyEvent, LogClosed, LogOpened
from quasar.events.envelope import Draft
from quasar.events.log import PreviousVolume
from quasar.events.signing import log_id_of, log_key_statement
from quasar.log import Log
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from quasar.log.archive_reader import ArchiveLog
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_wire import Login
from quasar.log.manifest import NAME as MANIFEST
from quasar.log.server import NatsServer
from quasar.log.whole import is_sealed
from quasar.rules import closing
from quasar.rules.carried import Carried, encode_carried
from quasar.rules.closing import ClosingState, carried_from
from quasar.rules.machine import Recorded
from quasar.rules.secrets import SecretChain
from quasar.supervisor.setup import Setup

ACTOR = "supervisor"

logger = structlog.get_logger()

_MEND = "put the server's store back from a backup, or go on from the archive with --recover"

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
    log: Log
    writer: ArchiveWriter
    before: Handover | None

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
async def open_volume(setup: Setup, server: NatsServer, number: int) -> AsyncIterator[Volume]:
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
    with ArchiveWriter.open(folder_of(setup, number), identity) as writer:
        writer.withhold("contexts", "regenerated from the revealed seed")
        async with _open_stream(server, writer) as log:
            volume = Volume(number, log, writer, before)
            if setup.recover and await log.head() == 0:
                count = await log.restore(line for _, line in ArchiveLog(writer.folder).verified())
                logger.warning("validator.recovered", volume=number, events=count)
            await _refuse_shorter(volume)
            await _open_log(setup, volume)
            yield volume


@asynccontextmanager
async def _open_stream(server: NatsServer, writer: ArchiveWriter) -> AsyncIterator[JetStreamLog]:
    identity = writer.identity
    login = Login(user=server.user, password=server.password)
    stream = JetStreamLog.open(
        server.url, identity.log_id, identity.volume, writer.blobs, login=login
    )
    async with AsyncExitStack() as stack:
        try:
            log = await stack.enter_async_context(stream)
        except Damaged as damage:
            raise Damaged(damage.seq, f"{damage.reason}; {_MEND}") from None
        yield log


async def _refuse_shorter(volume: Volume) -> None:
    """Write nothing after a log that lost what its archive still has."""
    head, held = await volume.log.head(), volume.writer.size
    if head < held:
        raise Damaged(
            head + 1,
            f"the archive holds {held} events but the server only {head}; {_MEND}",
        )


async def _open_log(setup: Setup, volume: Volume) -> None:
    if await volume.log.head() == 0:
        await record(volume.log, _opened(setup, volume))
        return
    async for seen in recorded(volume.log):
        match seen.event:
            case LogOpened(log_key=key) if key != _log_key(setup):
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
    """Copy and sign everything; gives the size. The volume's actors must have stopped."""
    sealer = Checkpointer(volume.log, volume.writer, setup.identity.log_key, volume.origin)
    return await sealer.seal()
