"""Claim: 1000 virtual rounds with 256 miners take at most 60 s.

``python bench/simulate.py [--rounds N] [--miners N] [--json]``. The miners do as those of a
recorded log did, by default the sample's; the tasks, deadlines and rewards are those of a policy
that ships. No context is made and no model runs: a round is its draws, its means, the EMA of every
miner and the whole row. Both policies that ``quasar simulate --policy weighted-v1`` compares are
measured, each alone. CPU seconds stand beside wall time, since a shared machine is slow for all.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import anyio
from rich.console import Console
from rich.table import Table

from quasar.config import load_policy, sample_archive
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.records import Records
from quasar.replay.simulate import WhatIf
from quasar.replay.virtual import play_rounds
from quasar.rules.policy import parse

LIMIT_S = 60.0
POLICIES = ("readme-v1", "weighted-v1")


class Measured(NamedTuple):
    """One policy's game."""

    policy: str
    answers: int
    wall_s: float
    cpu_s: float


def recorded(folder: Path) -> Records:
    """How the log's miners did."""
    records = Records()
    anyio.run(WhatIf(records=records).play, [ArchiveLog(folder)])
    return records


def measure(records: Records, policy: str, rounds: int, miners: int) -> Measured:
    """Play once."""
    rules = parse(load_policy(policy))
    wall, cpu = time.perf_counter(), time.process_time()
    played = play_rounds(records, rules, rounds=rounds, miners=miners, seed="bench")
    return Measured(policy, played.answers, time.perf_counter() - wall, time.process_time() - cpu)


def show(results: list[Measured], rounds: int, miners: int) -> None:
    """The table."""
    table = Table(title=f"{rounds} virtual rounds, {miners} miners")
    for title in ("policy", "answers", "wall s", "CPU s", "answers / CPU s"):
        table.add_column(title, justify="right")
    for m in results:
        rate = f"{m.answers / m.cpu_s:,.0f}"
        table.add_row(m.policy, f"{m.answers:,}", f"{m.wall_s:.1f}", f"{m.cpu_s:.1f}", rate)
    Console().print(table)


def main() -> int:
    """0 where each game took at most LIMIT_S."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--miners", type=int, default=256)
    parser.add_argument("--archive", type=Path, default=sample_archive())
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    records = recorded(options.archive)
    results = [measure(records, name, options.rounds, options.miners) for name in POLICIES]
    if options.json:
        print(json.dumps([m._asdict() for m in results]))
    else:
        show(results, options.rounds, options.miners)
    return 0 if all(m.wall_s <= LIMIT_S for m in results) else 1


if __name__ == "__main__":
    sys.exit(main())
