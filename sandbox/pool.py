"""Cells for submissions, each used once; some are started before anybody asks."""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import TaskGroup

from quasar.sandbox.cell import Cell
from quasar.sandbox.driver import Driver
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.uninterrupted import uninterrupted

MOST = 16
"""Cells in use at a time, with those that are being removed: who comes then waits."""
REFILL_S = 0.2
"""A place stays empty until its cell is gone, at most this long: a start takes processor time."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
"""Between two attempts to start or to remove a cell, where the engine fails."""


@asynccontextmanager
async def open_pool(driver: Driver, size: int) -> AsyncIterator["Pool"]:
    """A pool that keeps ``size`` cells waiting. All of its cells are gone at the end."""
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        pool = Pool(driver, size, group)
        for _ in range(size):
            group.start_soon(pool.keep)
        try:
            yield pool
        except Exception as error:  # told below as it is, not as a group of one
            failure = error
        finally:
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


class Place:
    """Where one cell waits for code."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.watch = anyio.CancelScope()
        """Cancelled by who takes the cell."""
        self.empty = anyio.Event()
        """The cell was taken, or died."""
        self.taken = False
        self.gone = anyio.Event()
        """The cell was used and removed."""


class Pool:
    """Hands out cells. Made by ``open_pool``.

    At most ``size`` cells wait and MOST are in use. Where the engine fails, the pool tries again
    with growing pauses; who needs a cell meanwhile starts one, and is told the reason.
    """

    def __init__(self, driver: Driver, size: int, group: TaskGroup) -> None:
        self._driver = driver
        self._size = size
        self._group = group
        self._places: deque[Place] = deque()
        self._permits = anyio.Semaphore(MOST)
        self.left = 0
        """Cells that the engine did not remove when it was asked to."""

    @property
    def waiting(self) -> int:
        """Cells that wait for code."""
        return len(self._places)

    @asynccontextmanager
    async def cell(self) -> AsyncIterator[Cell]:
        """A cell that has started, removed after use, whatever happens.

        The removal goes on in the background, unless the pool keeps no cells.
        Raises SandboxError where the engine starts none, or removes none.
        """
        if self.left > MOST + self._size:
            raise SandboxError(f"the engine does not remove containers: {self.left}; see its log")
        await self._permits.acquire()
        place = await self._take()
        cell = place.cell if place else self._driver.cell()
        try:
            if place is None:
                await cell.start()
            yield cell
        finally:
            if self._size:
                self._group.start_soon(self._give_back, cell, place)
            else:
                await self._give_back(cell, place)

    async def _take(self) -> Place | None:
        """One that lives. The watch is over then: nobody else reads from the cell.

        Who is cancelled here gives the cell back, and the permit.
        """
        while self._places:
            place = self._places.popleft()
            place.watch.cancel()
            try:
                await uninterrupted(place.empty.wait)  # a moment: else the cell would be nobody's
            except BaseException:
                self._group.start_soon(self._give_back, place.cell, place)
                raise
            if place.taken:
                return place
        return None

    async def keep(self) -> None:
        """Have one cell wait for code, then the next, for ever."""
        pauses = growing()
        while True:
            place = Place(self._driver.cell())
            try:
                with suppress(SandboxError):
                    await place.cell.start()
                    await self._offer(place)
            finally:
                if not place.taken:
                    await self._discard(place.cell)
            if place.taken:
                pauses = growing()
                with anyio.move_on_after(REFILL_S):
                    await place.gone.wait()
            else:
                await anyio.sleep(next(pauses))

    async def _offer(self, place: Place) -> None:
        """Until the cell is taken or dies: a dead one must cost nobody a verdict."""
        self._places.append(place)
        try:
            with place.watch:
                await place.cell.ended()
            place.taken = place.watch.cancelled_caught
        finally:
            with suppress(ValueError):
                self._places.remove(place)
            place.empty.set()

    async def _give_back(self, cell: Cell, place: Place | None) -> None:
        try:
            await self._discard(cell)
        finally:
            self._permits.release()
            if place is not None:
                place.gone.set()

    async def _discard(self, cell: Cell) -> None:
        """Remove it, now or when the engine is back. Never raises."""
        try:
            await cell.remove()
        except SandboxError:
            self.left += 1
            self._group.start_soon(self._insist, cell)

    async def _insist(self, cell: Cell) -> None:
        try:  # what the end of the pool interrupts is left to the driver's sweep
            for pause in growing():
                await anyio.sleep(pause)
                with suppress(SandboxError):
                    return await cell.remove()
        finally:
            self.left -= 1


def growing() -> Iterator[float]:
    """Pauses in seconds, each twice the one before, up to a limit."""
    pause = FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE_S)
