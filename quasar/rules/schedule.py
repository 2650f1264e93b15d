"""Which block opens which round."""

from typing import NamedTuple


class Schedule(NamedTuple):
    """Rounds at fixed block numbers, so that a missing one is seen."""

    base_block: int
    """A block at or before the first round under this schedule."""
    base_round: int
    """Rounds scheduled at or before ``base_block``."""
    every: int
    """Blocks between rounds."""

    def rounds_through(self, block: int) -> int:
        """Number of the last round whose block is at or before ``block``."""
        due = block // self.every - self.base_block // self.every
        return self.base_round + max(0, due)

    def block_of(self, number: int) -> int:
        """The block that opens a round."""
        return (self.base_block // self.every + number - self.base_round) * self.every

    def opens(self, block: int) -> int | None:
        """The round that this block opens, if it opens one."""
        if block % self.every or block <= self.base_block:
            return None
        return self.rounds_through(block)

    def changed(self, block: int, every: int) -> "Schedule":
        """The schedule from ``block`` on, when a policy with another cadence is adopted."""
        return Schedule(block, self.rounds_through(block), every)
