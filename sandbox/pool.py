"""Cells for submissions, each used once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from quasar.sandbox.cell import Cell
from quasar.sandbox.driver import Driver
from quasar.sandbox.errors import SandboxError


class Pool:
    """Hands out cells."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @asynccontextmanager
    async def cell(self) -> AsyncIterator[Cell]:
        """Started at the beginning, removed at the end, whatever happens in between."""
        cell = self._driver.cell()
        try:
            await cell.start()
            yield cell
        except BaseException:
            with suppress(SandboxError):  # the first failure is the one to tell
                await cell.remove()
            raise
        await cell.remove()
