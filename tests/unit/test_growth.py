"""What a volume hands on, and the disks that a reserve is kept on."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quasar.errors import LogError
from quasar.rules import forecast as f
from quasar.rules.carried import Carried, CarriedStanding, encode_carried
from quasar.rules.schedule import Schedule
from quasar.supervisor.closer import check_disk
from tests.builders import World
from tests.forging import few_tasks
from tests.unit.test_closer import setup_of

MINERS = 256


class Usage(NamedTuple):
    free: int


def test_what_is_carried_for_a_miner() -> None:
    """After a year: 16 receipts, a score of as many digits as there are, its counter."""
    hotkeys = [f"5{i:047}".replace("0", "A") for i in range(MINERS)]
    carried = Carried(
        runs=365,
        policies=365,
        round=35_040,
        schedule=Schedule(0, 0, 75),
        block=2_628_000,
        epoch=7279,
        scored=35_040,
        standings=[CarriedStanding(hotkey=h, score=1 / 7, samples=315_360) for h in hotkeys],
        counters=dict.fromkeys(hotkeys, 315_360),
        receipts={h: ["ab" * 32] * 16 for h in hotkeys},
        anchor="ab" * 32,
    )
    assert len(encode_carried(carried)) / MINERS == pytest.approx(f.CARRIED_BYTES, rel=0.05)


@pytest.mark.parametrize("full", ["state", "archive"])
def test_the_reserve_counts_on_every_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    """Streams and contexts fill the state's disk, sealed volumes the archive's."""
    setup: Any = setup_of(World(policy=few_tasks()), tmp_path / "archive")
    setup.archive.mkdir()
    object.__setattr__(setup, "state", tmp_path / "state")
    setup.state.mkdir()
    free = {tmp_path / name: setup.reserve_bytes for name in ("state", "archive")}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(free[folder]))
    check_disk(setup)
    free[tmp_path / full] -= 1
    with pytest.raises(LogError, match="in reserve"):
        check_disk(setup)
