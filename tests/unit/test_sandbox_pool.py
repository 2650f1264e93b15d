"""The pool of cells, with cells that live and die as a test tells them."""

import asyncio  # noqa: TID251  # its way to cancel a task is what is tried here
from collections.abc import Callable
from itertools import islice
from typing import cast

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.log.bell import Bell
from quasar.sandbox import pool as pools
from quasar.sandbox.cell import Cell
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.pool import MOST, Pool, growing, open_pool
from quasar.sandbox.uninterrupted import uninterrupted

pytestmark = pytest.mark.anyio


class FakeCell(Cell):
    """Lives from its start to its death or removal."""

    def __init__(self, driver: "FakeDriver") -> None:
        super().__init__(0)
        self.driver = driver
        self.state = "new"
        self.uses = 0
        self.death = anyio.Event()

    async def start(self) -> None:
        await self.driver.starts.wait()
        await self.driver.answer("start")
        self.become("running")

    async def remove(self) -> None:
        try:
            await uninterrupted(self._remove)
        finally:
            self.driver.changed.ring()

    async def _remove(self) -> None:
        if self.state != "new":
            await self.driver.removals.wait()
            await self.driver.answer("remove")
        self.become("removed")

    def become(self, state: str) -> None:
        self.state = state
        if state != "running":
            self.death.set()
        self.driver.changed.ring()

    async def _read(self) -> bytes:
        await self.death.wait()
        return b""

    async def stand_back(self) -> None: ...
    async def was_out_of_memory(self) -> bool:
        return False

    def complaint(self) -> str:
        return ""

    async def _write(self, data: bytes) -> None: ...


class FakeDriver:
    """Makes such cells, quickly unless a gate is shut."""

    def __init__(self) -> None:
        self.cells: list[FakeCell] = []
        self.changed = Bell()
        self.starts, self.removals = anyio.Event(), anyio.Event()
        self.starts.set()
        self.removals.set()
        self.broken: set[str] = set()
        self.calls: list[str] = []

    async def answer(self, what: str) -> None:
        self.calls.append(what)
        await checkpoint()
        self.changed.ring()
        if what in self.broken:
            raise SandboxError(f"the engine could not {what}")

    def cell(self) -> FakeCell:
        self.cells.append(FakeCell(self))
        return self.cells[-1]

    def identity(self, cell: Cell) -> SandboxIdentity:
        raise NotImplementedError

    async def sweep(self) -> None: ...

    def count(self, state: str) -> int:
        return len([cell for cell in self.cells if cell.state == state])

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(20):
            while not true():
                await self.changed.wait()
            await checkpoint()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test waits for what happens, not for the clock."""
    monkeypatch.setattr(pools, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(pools, "REFILL_S", 3600.0)


async def filled(pool: Pool, size: int) -> None:
    """The pool's own tasks have come to rest with so many cells."""
    with anyio.fail_after(20):
        while pool.waiting != size:
            await anyio.wait_all_tasks_blocked()
            await checkpoint()


async def use(pool: Pool) -> FakeCell:
    async with pool.cell() as cell:
        fake = cast(FakeCell, cell)
        assert fake.state == "running"
        fake.uses += 1
    return fake


async def test_cells_wait_and_each_is_used_once() -> None:
    """Who comes gets one that had started already, and another takes its place afterwards."""
    driver = FakeDriver()
    async with open_pool(driver, 2) as pool:
        for turn in range(5):
            await filled(pool, 2)
            assert len(driver.cells) == 2 + turn
            assert await use(pool) is driver.cells[turn]
    assert [cell.uses for cell in driver.cells[:5]] == [1] * 5
    assert driver.count("removed") == len(driver.cells)


async def test_a_place_is_filled_while_its_cell_works_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one does not wait for the end of a long submission."""
    monkeypatch.setattr(pools, "REFILL_S", 0.001)
    async with open_pool(FakeDriver(), 1) as pool:
        await filled(pool, 1)
        async with pool.cell():
            assert pool.waiting == 0
            await filled(pool, 1)


async def test_who_finds_none_waiting_starts_one() -> None:
    """Nobody waits for the pool: more callers than cells are served at once."""
    driver = FakeDriver()
    async with open_pool(driver, 1) as pool:
        await filled(pool, 1)
        async with pool.cell(), pool.cell() as second, pool.cell() as third:
            assert driver.cells[1:] == [second, third]


async def test_a_cell_that_died_while_it_waited_is_replaced() -> None:
    """It is removed at once, and whoever comes next gets one that lives."""
    driver = FakeDriver()
    async with open_pool(driver, 2) as pool:
        await filled(pool, 2)
        driver.cells[0].become("dead")
        await driver.until(lambda: driver.cells[0].state == "removed" and len(driver.cells) == 3)
        await filled(pool, 2)
        assert (await use(pool)) is driver.cells[1]


async def test_a_cell_that_dies_at_the_last_moment_is_not_handed_out() -> None:
    """All that wait die, and in the same moment somebody comes."""
    driver = FakeDriver()
    async with open_pool(driver, 3) as pool:
        await filled(pool, 3)
        for cell in driver.cells:
            cell.become("dead")
        assert (await use(pool)).uses == 1
    assert [cell.uses for cell in driver.cells[:3]] == [0, 0, 0]


async def test_the_pool_outlives_an_engine_that_fails() -> None:
    """Meanwhile a caller is told; afterwards the places are filled and calls succeed."""
    driver = FakeDriver()
    async with open_pool(driver, 2) as pool:
        await filled(pool, 2)
        driver.broken = {"start", "remove"}
        for cell in driver.cells:
            cell.become("dead")
        with pytest.raises(SandboxError, match="could not start"):
            await use(pool)
        calls = len(driver.calls)
        await driver.until(lambda: len(driver.calls) > calls + 10)  # it goes on trying
        driver.broken = set()
        await driver.until(lambda: driver.count("running") == 2)
        await filled(pool, 2)
        await use(pool)
        await driver.until(lambda: driver.count("running") == 2 and not driver.count("dead"))
    assert driver.count("removed") == len(driver.cells)


def test_pauses_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is gone is not asked all the time, and not forgotten."""
    monkeypatch.setattr(pools, "FIRST_PAUSE_S", 0.1)
    assert list(islice(growing(), 9)) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


@pytest.mark.parametrize("size", [0, 1])
async def test_a_cancelled_caller_leaves_nothing(size: int) -> None:
    """Neither while its cell starts nor while it works."""
    driver = FakeDriver()
    async with open_pool(driver, size) as pool:
        await filled(pool, size)
        async with anyio.create_task_group() as group:

            async def forever() -> None:
                async with pool.cell():
                    await anyio.sleep_forever()

            group.start_soon(forever)
            await anyio.wait_all_tasks_blocked()
            driver.starts = anyio.Event()  # the second one hangs in its start
            group.start_soon(forever)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        driver.starts.set()
        await driver.until(lambda: driver.count("removed") == 2)
        await filled(pool, size)
    assert driver.count("removed") == len(driver.cells)


@pytest.mark.parametrize("size", [0, 1])
async def test_a_task_that_asyncio_cancels_leaves_nothing(size: int) -> None:
    """Wherever it was: no cell, and no place in the pool that nobody has."""
    driver = FakeDriver()
    async with open_pool(driver, size) as pool:
        for steps in range(30):
            await filled(pool, size)
            task = asyncio.create_task(use(pool))
            for _ in range(steps):
                await checkpoint()
            task.cancel()
            await asyncio.wait([task])
        await filled(pool, size)
        assert driver.count("running") == size
        assert pool._permits.value == MOST


async def test_a_slow_removal_holds_nobody_up_and_piles_up_no_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Outcomes come at once; yet only so many cells are in use or being removed at a time."""
    monkeypatch.setattr(pools, "MOST", 3)
    driver = FakeDriver()
    async with open_pool(driver, 1) as pool:
        await filled(pool, 1)
        driver.removals = anyio.Event()
        for _ in range(3):
            await use(pool)
        with anyio.move_on_after(0.01) as fourth:
            await use(pool)
        assert fourth.cancelled_caught
        assert driver.count("running") <= 3 + 1
        driver.removals.set()
        await use(pool)
        driver.removals = anyio.Event()
        await use(pool)
        driver.removals.set()
    assert driver.count("removed") == len(driver.cells)


async def test_an_engine_that_removes_nothing_gets_no_more_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number of those left is bounded; once they are gone it goes on."""
    monkeypatch.setattr(pools, "MOST", 2)
    driver = FakeDriver()
    async with open_pool(driver, 1) as pool:
        driver.broken = {"remove"}
        for left in range(1, 5):
            await use(pool)
            await driver.until(lambda left=left: pool.left == left)  # type: ignore[misc]
            await filled(pool, 1)
        with pytest.raises(SandboxError, match="does not remove"):
            await use(pool)
        assert driver.count("running") == 5  # one waits
        driver.broken = set()
        await driver.until(lambda: driver.count("running") == 1)
        await use(pool)


async def test_without_a_pool_a_cell_is_gone_when_the_caller_goes_on() -> None:
    """Nothing happens in the background then."""
    driver = FakeDriver()
    async with open_pool(driver, 0) as pool:
        for turn in range(3):
            assert (await use(pool)).state == "removed"
            assert len(driver.cells) == turn + 1


@pytest.mark.parametrize("size", [0, 2])
async def test_a_failure_inside_comes_out_as_it_is(size: int) -> None:
    """No group of one, and no cell left."""
    driver = FakeDriver()
    with pytest.raises(SandboxError, match="walls"):
        async with open_pool(driver, size) as pool, pool.cell():
            raise SandboxError("walls")
    assert driver.count("removed") == len(driver.cells)


@settings(max_examples=60)
@given(
    size=st.integers(0, 3),
    steps=st.lists(st.sampled_from(["use", "three", "cancel", "die", "break", "mend", "rest"])),
)
def test_whatever_happens_cells_are_used_once_and_removed(size: int, steps: list[str]) -> None:
    """Callers that come together or are cancelled, cells that die, engines that fail."""

    async def run() -> None:
        driver = FakeDriver()
        async with open_pool(driver, size) as pool:

            async def try_use() -> None:
                try:
                    await use(pool)
                except SandboxError:
                    assert driver.broken

            for step in steps:
                running = [cell for cell in driver.cells if cell.state == "running"]
                if step == "break":
                    driver.broken = {"start", "remove"}
                elif step == "mend":
                    driver.broken = set()
                elif step == "die" and running:
                    running[0].become("dead")
                elif step == "rest":
                    await checkpoint()
                else:
                    async with anyio.create_task_group() as group:
                        for _ in range(3 if step == "three" else 1):
                            group.start_soon(try_use)
                        await checkpoint()
                        if step == "cancel":
                            group.cancel_scope.cancel()
            driver.broken = set()
            await driver.until(lambda: not pool.left)
        assert all(cell.uses <= 1 for cell in driver.cells)
        assert driver.count("removed") == len(driver.cells)

    anyio.run(run)
