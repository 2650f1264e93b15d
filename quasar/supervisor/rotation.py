"""Tells the log of a new log key, before a run writes anything else."""

import anyio.to_thread
import msgspec
import structlog

from quasar.actors.checkpointer import Checkpointer
from quasar.errors import LogError
from quasar.events import LogKeyRotated
from quasar.events.note import LogKeys, parse_checkpoint
from quasar.events.rotation import rotation_statement
from quasar.log.archive_reader import ArchiveLog
from quasar.log.withdraw import withdraw_notes
from quasar.supervisor.log_keys import Replacement, replacement
from quasar.supervisor.setup import Setup
from quasar.supervisor.volume import Volume, log_keys, record

logger = structlog.get_logger()


async def keep_up(setup: Setup, volume: Volume, keys: LogKeys) -> None:
    """Bring the log to the validator's newest log key. ``keys`` are those that the log knows.

    A rotated key signs all that stands before; what a revoked one signed above its limit leaves
    the archive. Then the new key signs everything. Repeated after a crash at any step, it goes on.
    Raises UsageError where the log's key is not in the state folder.
    """
    identity = setup.identity
    due = replacement(identity.log_key, identity.replaced, volume.number, keys.current)
    if due is not None:
        keys = await _tell(setup, volume, keys, due)
    if len(keys.ranges) == 1:
        return
    await _withdraw(volume, keys)
    if _signed(volume) < keys.current.first:
        await Checkpointer(volume.log, volume.writer, identity.log_key, volume.origin).seal()


async def _tell(setup: Setup, volume: Volume, keys: LogKeys, due: Replacement) -> LogKeys:
    """Append the rotation; gives the keys after it."""
    if due.reason == "rotated":
        await Checkpointer(volume.log, volume.writer, due.old, volume.origin).seal()
    event = _rotated(setup, volume, keys, due, await volume.log.head() + 1)
    await record(volume.log, event)
    logger.info("validator.log-key", key=event.log_key, first=event.first, why=event.reason)
    return await log_keys(volume.log)


def _rotated(
    setup: Setup, volume: Volume, keys: LogKeys, due: Replacement, first: int
) -> LogKeyRotated:
    """The event, signed by the hotkey, to stand as number ``first``."""
    unsigned = LogKeyRotated(
        number=len(keys.ranges),
        log_key=setup.identity.log_key.public_key.hex(),
        first=first,
        until=first - 1 if due.until is None else min(due.until, first - 1),
        reason=due.reason,
        log_key_signature="0" * 128,
    )
    identity = volume.writer.identity
    statement = rotation_statement(identity.origin, identity.genesis, unsigned)
    signature = setup.identity.hotkey.sign(statement).hex()
    return msgspec.structs.replace(unsigned, log_key_signature=signature)


def _signed(volume: Volume) -> int:
    """Events under the archive's newest checkpoint."""
    note = ArchiveLog(volume.writer.folder).checkpoint_note()
    return parse_checkpoint(note).size if note else 0


async def _withdraw(volume: Volume, keys: LogKeys) -> None:
    try:
        gone = await anyio.to_thread.run_sync(withdraw_notes, volume.writer.folder, keys)
    except OSError as error:
        raise LogError(f"{volume.writer.folder} cannot be written: {error.strerror}") from error
    if gone:
        logger.warning("validator.checkpoints-withdrawn", volume=volume.number, count=gone)
