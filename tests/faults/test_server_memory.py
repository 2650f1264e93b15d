"""Twelve volumes in a row: what the server holds in memory and on disk does not grow."""

import statistics
from pathlib import Path
from typing import NamedTuple

import pytest

from quasar.log.retire import Retired
from quasar.log.server import NatsServer
from tests.faults.sealed_volumes import Volumes
from tests.measuring import files, resident

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

EVENTS = 8_000
"""Of a volume: some 3 MB on the server's disk, and as many in its memory."""
DAYS = 12
SETTLED = 3
"""From this day on two volumes are there at once for a while, as on every later day."""


@pytest.fixture(autouse=True)
def _tidy_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go lets garbage double its heap, which hides what is held; at a tenth it shows."""
    monkeypatch.setenv("GOGC", "10")


class Day(NamedTuple):
    memory: int
    """Resident, bytes."""
    store: int
    """Bytes of files."""


async def live(folder: Path, days: int, *, retiring: bool) -> list[Day]:
    """A volume a day: written, sealed, followed by the next, checked, taken off the server."""
    volumes, found = Volumes(folder / "archive"), []
    async with NatsServer.open(folder / "nats", sync_always=False) as server:
        for day in range(1, days + 1):
            await volumes.store(server, day, volumes.write(day, EVENTS))
            if retiring and day > 1:
                (done,) = await volumes.retire(server, day)
                assert isinstance(done, Retired), done
            found.append(Day(resident(server.process.pid), files(folder / "nats" / "jetstream")))
    return found


@pytest.mark.timeout(400)
async def test_days_are_flat(tmp_path: Path) -> None:
    """Memory and disk: a tenth at most between the first five and the last five settled days."""
    days = (await live(tmp_path, DAYS, retiring=True))[SETTLED - 1 :]
    for early, late in zip(zip(*days[:5], strict=True), zip(*days[-5:], strict=True), strict=True):
        assert statistics.median(late) <= 1.1 * statistics.median(early), days


async def test_without_retiring_it_grows(tmp_path: Path) -> None:
    """The control: eight days of the same, and each leaves its part."""
    days = await live(tmp_path, 8, retiring=False)
    early, late = days[SETTLED - 1], days[-1]
    assert late.memory > 1.3 * early.memory
    assert late.store > 2.5 * early.store
