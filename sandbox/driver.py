"""A driver: one way to wall a runner in."""

from typing import Protocol

from quasar.sandbox.cell import Cell
from quasar.sandbox.identity import SandboxIdentity


class Driver(Protocol):
    """Makes cells, and knows what they are made of."""

    def cell(self) -> Cell:
        """A new one, not yet started."""
        ...

    def identity(self, cell: Cell) -> SandboxIdentity:
        """Who runs the code of a cell that has started."""
        ...

    async def sweep(self) -> None:
        """Remove every cell of this driver that is left. Never raises."""
        ...
