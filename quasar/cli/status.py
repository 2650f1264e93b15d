"""A word now and then about how far a validator is."""

from dataclasses import dataclass

import anyio
import structlog

from quasar.actors.actor import recorded
from quasar.events import RoundOpened, RoundScored, WeightsConfirmed
from quasar.log import Log
from quasar.rules.machine import Recorded

logger = structlog.get_logger()


@dataclass
class Status:
    """The fold: what its owner wants to see move."""

    events: int = 0
    opened: int = 0
    """Newest round."""
    scored: int = 0
    """Newest round whose every answer has its score."""
    weighed: int = 0
    """Chain epoch of the newest row that is final."""

    def feed(self, seen: Recorded) -> None:
        self.events = seen.seq
        match seen.event:
            case RoundOpened(round=number):
                self.opened = number
            case RoundScored(round=number):
                self.scored = number
            case WeightsConfirmed(epoch=epoch):
                self.weighed = epoch


async def report_status(log: Log, every_s: float) -> None:
    """Log the status again and again, for ever."""
    status = Status()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_report, status, every_s)
        async for seen in recorded(log):
            status.feed(seen)


async def _report(status: Status, every_s: float) -> None:
    while True:
        await anyio.sleep(every_s)
        logger.info(
            "validator.status",
            events=status.events,
            round_opened=status.opened,
            round_scored=status.scored,
            epoch_weighed=status.weighed,
        )
