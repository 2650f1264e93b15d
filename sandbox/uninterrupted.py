"""Work that goes on to its end, whoever gives up waiting for it."""

from collections.abc import Awaitable, Callable

import anyio


async def uninterrupted(work: Callable[[], Awaitable[object]]) -> None:
    """Wait for ``work`` to end, even if the caller is cancelled meanwhile; that shows afterwards.

    A shield of anyio alone holds off anyio's own scopes. A task that asyncio cancels, as its
    ``wait_for`` and a web server do, would break through: so the work gets a task of its own.
    Raises what ``work`` raises, unless the caller was cancelled.
    """
    failure: Exception | None = None

    async def through() -> None:
        nonlocal failure
        with anyio.CancelScope(shield=True):
            try:
                await work()
            except Exception as error:  # raised below as it is, not as a group of one
                failure = error

    with anyio.CancelScope(shield=True):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(through)
    if failure is not None:
        raise failure
