"""When a validator that was told to play some rounds has nothing left to do."""

import anyio
import pytest

from quasar.events import BlockObserved, Draft, Fault, RoundSkipped, WeightsDeferred
from quasar.log.memory import MemoryLog
from quasar.supervisor.validator import weighed

pytestmark = pytest.mark.anyio


async def append(log: MemoryLog, event: BlockObserved | RoundSkipped | WeightsDeferred) -> int:
    """Caused by the event before; its number."""
    (stored,) = await log.append([Draft(actor="test", cause=await log.head(), event=event)])
    return stored.seq


def block(number: int) -> BlockObserved:
    return BlockObserved(
        number=number, hash=f"0x{number:064x}", timestamp_ms=0, epoch=1, head=number
    )


def deferred(epoch: int) -> WeightsDeferred:
    return WeightsDeferred(epoch=epoch, attempt=0, block=epoch, reason="no-scores")


async def test_what_was_decided_before_the_rounds_end_does_not_count() -> None:
    """A row put off because of an earlier block, which is stored late, is not the round's."""
    log, done = MemoryLog(), anyio.Event()

    async def wait() -> None:
        await weighed(log, 1)
        done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        earlier = await append(log, block(1))
        await append(log, RoundSkipped(round=1, block=1, fault=Fault.CHAIN, reason=""))
        await log.append([Draft(actor="test", cause=earlier, event=deferred(1))])
        await anyio.wait_all_tasks_blocked()
        assert not done.is_set()
        await append(log, block(2))
        await append(log, deferred(2))
        with anyio.fail_after(10):
            await done.wait()
