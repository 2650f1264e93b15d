"""Decides when a volume is long enough, or the disk too full, and waits until it is at rest."""

import shutil
import time
from pathlib import Path

from quasar.actors.actor import recorded
from quasar.errors import LogError
from quasar.events import BlockObserved, LogClosing, LogOpened
from quasar.log import Log
from quasar.rules import closing
from quasar.rules.closing import ClosingState
from quasar.rules.machine import Recorded
from quasar.supervisor.setup import Setup
from quasar.supervisor.volume import record


def free_bytes(setup: Setup) -> int:
    """On the fuller of the disks that a validator writes to."""
    folders = [_existing(folder) for folder in (setup.state, setup.archive)]
    return min(shutil.disk_usage(folder).free for folder in folders)


def check_disk(setup: Setup) -> None:
    """Raises LogError where no round may begin for want of space."""
    free = free_bytes(setup)
    if free < setup.reserve_bytes:
        raise LogError(
            f"{free // 2**20} MiB are free where {setup.archive} and {setup.state} are, and "
            f"{setup.reserve_bytes // 2**20} are kept in reserve: free some space, or move old "
            "volumes away, and start again"
        )


async def drained(log: Log, setup: Setup) -> None:
    """Begin to close the volume when it is due; return once it has come to rest.

    While it closes no round opens, and what is open comes to its end.
    """
    state, opened_ns, told = ClosingState(), 0, False
    async for seen in recorded(log):
        state = closing.evolve(state, seen, log.blobs)
        if isinstance(seen.event, LogOpened):
            opened_ns = seen.envelope.at
        if not (state.closing or told) and (reason := _due(setup, seen, opened_ns)):
            await record(log, LogClosing(reason=reason))
            told = True
        if state.drained:
            return


def _due(setup: Setup, seen: Recorded, opened_ns: int) -> str | None:
    # The reason stands in the log for everybody: it names no folder.
    if isinstance(seen.event, BlockObserved) and free_bytes(setup) < setup.reserve_bytes:
        return f"less than {setup.reserve_bytes // 2**20} MiB of disk are free"
    limit = setup.volumes
    if limit is None:
        return None
    if seen.seq >= limit.events:
        return f"{limit.events} events are a volume"
    old = time.time_ns() - opened_ns >= limit.seconds * 1e9
    return f"{limit.seconds:.0f} s are a volume" if old else None


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.resolve().parent)
