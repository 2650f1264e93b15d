"""Work that goes on to its end."""

import asyncio  # noqa: TID251  # its way to cancel a task is what is tried here
from collections.abc import Awaitable, Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint

from quasar.sandbox.uninterrupted import uninterrupted

pytestmark = pytest.mark.anyio


async def by_scope(work: Callable[[], Awaitable[None]]) -> bool:
    """Cancelled by a scope of anyio once the work began; whether the caller was told."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await uninterrupted(work)
        await checkpoint()
    return scope.cancelled_caught


async def by_task(work: Callable[[], Awaitable[None]]) -> bool:
    """Cancelled by asyncio."""
    task = asyncio.ensure_future(uninterrupted(work))
    await checkpoint()
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


@pytest.mark.parametrize("cancelled", [by_scope, by_task])
async def test_it_ends_before_the_caller_is_told(
    cancelled: Callable[[Callable[[], Awaitable[None]]], Awaitable[bool]],
) -> None:
    """Whoever cancels."""
    steps = list[int]()

    async def work() -> None:
        for step in range(20):
            await checkpoint()
            steps.append(step)

    assert await cancelled(work)
    assert steps == list(range(20))


async def test_a_failure_comes_out_as_it_is() -> None:
    """Not as a group of one."""

    async def work() -> None:
        await checkpoint()
        raise KeyError("it")

    with pytest.raises(KeyError, match="it"):
        await uninterrupted(work)
