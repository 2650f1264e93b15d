"""Blocks on the clock: when the next is due, what goes into it, and what a restart restores."""

import time

from quasar.chain.node.extrinsics import decode_extrinsic
from quasar.chain.node.journal import Began, Journal
from quasar.chain.node.journal import Produced as Entry
from quasar.chain.node.ledger import Ledger
from quasar.chain.node.options import Options
from quasar.chain.node.pool import Pool
from quasar.chain.node.runtime import Runtime


class Node:
    """One chain: its blocks, its pool and its clock."""

    def __init__(
        self, options: Options, *, journal: Journal | None = None, held: bool = False
    ) -> None:
        """``held``: block 0 is the only one until ``release``, so that every round of a demo
        comes at the same block, however long its processes take to start."""
        self.ledger = Ledger(options, Runtime(), _now_ms())
        self.pool = Pool(self.ledger)
        self._journal = journal
        self._zero_s: float | None = None
        """Monotonic time of block 0: a wall clock that is set back must not undo blocks."""
        for entry in journal.entries if journal else []:
            self._restore(entry)
        if self._zero_s is None and not held:
            self.release()

    def release(self) -> None:
        """Let time begin, once."""
        if self._zero_s is None:
            began = Began(start_ms=_now_ms())
            if self._journal:
                self._journal.write(began)
            self._restore(began)

    def wait_s(self) -> float:
        """Seconds until the next block is due; for ever while it is held."""
        if self._zero_s is None:
            return float("inf")
        due_s = self._zero_s + (self.ledger.head + 1) * self.ledger.options.block_ms / 1000
        return max(due_s - time.monotonic(), 0.0)

    def advance(self) -> dict[str, int] | None:
        """Go to the block that is due. Gives the blocks of included extrinsics, by their hash, or
        None where no block is due.

        What waited goes into the next block, however late this process is: a slow machine must
        not move what it holds. The blocks from there to the one that is due are empty.
        """
        due, number = self._due(), self.ledger.head + 1
        if due < number:
            return None
        chosen = self.pool.take(number)
        if chosen and self._journal:
            self._journal.write(Entry(number=number, extrinsics=[x.raw for x in chosen]))
        if chosen:
            self.ledger.include(number, chosen)
        self.ledger.head = due
        return {x.hash: number for x in chosen}

    def _due(self) -> int:
        if self._zero_s is None:
            return 0
        return int((time.monotonic() - self._zero_s) * 1000 // self.ledger.options.block_ms)

    def _restore(self, entry: Began | Entry) -> None:
        if isinstance(entry, Began):
            self.ledger.start_ms = entry.start_ms
            self._zero_s = time.monotonic() - (_now_ms() - entry.start_ms) / 1000
        else:
            runtime = self.ledger.runtime
            extrinsics = [decode_extrinsic(runtime, raw) for raw in entry.extrinsics]
            self.ledger.include(entry.number, extrinsics)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
