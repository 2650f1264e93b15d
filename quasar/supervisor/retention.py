"""What a validator no longer needs leaves its server and its disk, while the next volume plays.

Streams of sealed volumes go once their archives are known to be whole; contexts of revealed rounds
once the revealed secret was seen to make them anew. Nothing here stops the validator: what cannot
go stays, the operator's log says why, and the next volume or the next start tries again.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import anyio.to_thread
import structlog
from anyio.from_thread import check_cancelled

from quasar.actors.actor import recorded
from quasar.door.outbox import Outbox
from quasar.events import RoundRevealed
from quasar.log import Log
from quasar.log.access import ADMIN, LogServer
from quasar.log.archive_reader import ArchiveLog
from quasar.log.retire import Retired, retire
from quasar.log.whole import is_pruned
from quasar.rules import regenerated
from quasar.rules.regenerated import AssignedRound, ContextState
from quasar.supervisor.setup import Setup
from quasar.supervisor.volume import Volume, folder_of

logger = structlog.get_logger()


async def retain(setup: Setup, volume: Volume, server: LogServer) -> None:
    """Make room while a volume is open; returns when that is stopped."""
    outbox = Outbox(setup.state / "contexts")
    async with anyio.create_task_group() as tasks:
        if setup.volumes is not None:
            tasks.start_soon(_guarded, retire_streams, setup, volume, server)
        if not setup.keep_contexts:
            tasks.start_soon(_guarded, release_contexts, setup, volume, outbox)


async def retire_streams(setup: Setup, volume: Volume, server: LogServer) -> None:
    """Delete the streams of the volumes before this one, if their archives are whole."""
    admin, folders = server.login(ADMIN), partial(folder_of, setup)
    async for done in retire(server.url, admin, volume.writer.identity, folders):
        if isinstance(done, Retired):
            logger.info("retention.stream-retired", **done._asdict())
        else:
            logger.warning("retention.stream-kept", **done._asdict())


async def release_contexts(setup: Setup, volume: Volume, outbox: Outbox) -> None:
    """Drop the contexts of revealed rounds, those first that earlier volumes left behind."""
    for number in range(volume.number - 1, 0, -1):
        if not any(held <= volume.base for held in await anyio.to_thread.run_sync(outbox.rounds)):
            break
        archive = await anyio.to_thread.run_sync(ArchiveLog, folder_of(setup, number))
        if not is_pruned(archive):
            await release_rounds(archive, outbox)
    for held in await anyio.to_thread.run_sync(outbox.rounds):
        if held <= volume.base:
            logger.warning("retention.contexts-kept", round=held, reason="no volume here names it")
    await release_rounds(volume.log, outbox)


async def release_rounds(log: Log, outbox: Outbox) -> None:
    """Follow a log to its end, if it has one, and drop what its reveals make dispensable."""
    state = ContextState()
    async for seen in recorded(log):
        state = regenerated.evolve(state, seen, log.blobs)
        match seen.event:
            case RoundRevealed() as revealed:
                found = state.rounds.pop(revealed.round, None)
                await anyio.to_thread.run_sync(_release, outbox, revealed, found)


def _release(outbox: Outbox, revealed: RoundRevealed, found: AssignedRound | None) -> None:
    number = revealed.round
    if number not in outbox.rounds():
        return
    reason: str | None = "the round was skipped"
    if found is not None:
        secret = bytes.fromhex(revealed.secret)
        held = outbox.held(number)
        # A validator that ends does not wait until all of them are made anew.
        reason = regenerated.obstacle(found, secret, held, before_each=check_cancelled)
    if reason is not None:
        logger.warning("retention.contexts-kept", round=number, reason=reason)
        return
    outbox.drop(number)
    logger.info("retention.contexts-dropped", round=number)


async def _guarded(work: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """Room can be made later; a validator that stopped for it could not play."""
    try:
        await work(*arguments)
    except Exception as failure:
        logger.warning("retention.failed", error=repr(failure)[:200])
