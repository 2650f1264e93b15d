"""Helpers for tests of actors: run one beside the test, and wait for what it writes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint

from quasar.events.envelope import decode
from quasar.log import Log
from quasar.log.memory import MemoryLog
from quasar.supervisor.restart import Actor


@asynccontextmanager
async def acting(*actors: Actor) -> AsyncIterator[None]:
    """The actors run while the context is open, as in a process that is then killed."""
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for actor in actors:
                tasks.start_soon(actor.run)
            yield
            tasks.cancel_scope.cancel()


async def until(log: Log, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """All events of the log, once they are enough."""
    events: list[Any] = []
    async for _, line in log.read():
        events.append(decode(line).event)
        if enough(events):
            break
    return events


async def quiet(log: Log) -> int:
    """The log's size once nobody has anything left to do."""
    size, threads = -1, anyio.to_thread.current_default_thread_limiter()
    while size != await log.head() or threads.borrowed_tokens:
        size = await log.head()
        for _ in range(5):
            await checkpoint()
            await anyio.wait_all_tasks_blocked()
        if threads.borrowed_tokens:
            await anyio.sleep(0.005)  # a thread is no task that could be awaited from here
    return size


def count(kind: type[Any], number: int) -> Callable[[list[Any]], bool]:
    """Whether there are so many events of a type."""
    return lambda events: len([e for e in events if isinstance(e, kind)]) >= number


def log_of(lines: Sequence[bytes], blobs: Any) -> MemoryLog:
    """A log that was cut after these lines."""
    log = MemoryLog(blobs)
    for seq, line in enumerate(lines, 1):
        log._lines.append(line)
        log._seqs[decode(line).key] = seq
    return log
