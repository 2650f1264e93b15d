"""The memory log beyond the contract."""

from contextlib import aclosing

import anyio
import pytest

from quasar.events import Draft, RunEnded
from quasar.log.blobs import MemoryBlobs
from quasar.log.memory import MemoryLog


def fact(run: int) -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason="done"))


def test_it_brings_blobs_or_takes_them() -> None:
    """Without blobs it keeps them in memory; given ones are used."""
    given = MemoryBlobs()
    assert MemoryLog(given).blobs is given
    blobs = MemoryLog().blobs
    assert blobs.get(blobs.put(b"x")) == b"x"


def test_it_outlives_an_event_loop() -> None:
    """A log filled in one loop is read and extended in another."""
    log = MemoryLog()

    async def write(run: int) -> int:
        async with anyio.create_task_group() as group:
            group.start_soon(read, run)
            await anyio.wait_all_tasks_blocked()
            [stored] = await log.append([fact(run)])
        return stored.seq

    async def read(after: int) -> None:
        async with aclosing(log.read(after)) as reader:
            assert (await anext(reader))[0] == after + 1

    assert [anyio.run(write, run) for run in range(3)] == [1, 2, 3]


@pytest.mark.anyio
async def test_a_long_read_lets_others_run() -> None:
    """A reader with much to read does not keep the loop to itself."""
    log = MemoryLog()
    await log.append([fact(run) for run in range(1000)])
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        async with aclosing(log.read()) as reader:
            async for seq, _ in reader:
                if seq == 1000:
                    break
        group.cancel_scope.cancel()
    assert turns >= 2


@pytest.mark.anyio
async def test_a_read_that_nobody_ends_leaves_nothing_behind() -> None:
    """A cancelled reader is forgotten, so a log may be followed any number of times."""
    log = MemoryLog()

    async def follow() -> None:
        async for _ in log.read():
            pass

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        assert len(log._grown._waiting) == 3
        group.cancel_scope.cancel()
    assert not log._grown._waiting
