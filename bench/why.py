"""Claim: `quasar why` answers within 1 s on an archive of 1M events, from a cold start.

``python bench/why.py [--quick] [--json] [--folder DIR]``. The archive is that of bench/audit.py:
rounds of 250 miners and 20 tasks; ``--folder`` keeps it, or names one that is there. Timed is the
whole process, start to end, seven runs for seven miners; its index was made before, which is timed
apart. Beside it, what it takes to read and verify the whole log once.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import audit_archive
from rich.console import Console
from rich.table import Table

from quasar.log.archive import ArchiveLog
from quasar.replay.index_events import FILE, proved_log
from quasar.replay.reading import Reading

LIMIT_S = 1.0
ROUNDS, QUICK_ROUNDS = 50, 6
RUNS = 7
PROGRAM = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import audit_families  # the benchmark's own task families
from quasar.cli import main
main(sys.argv[1:])
"""
"""`quasar`, for a log of families that only this benchmark has."""


def built(folder: Path) -> dict[str, float]:
    """An index made anew: events a second, and its size."""
    (folder / FILE).unlink(missing_ok=True)
    began = time.perf_counter()
    found = proved_log(ArchiveLog(folder))
    taken, kept = time.perf_counter() - began, folder / FILE
    events = found.index.size
    size = kept.stat().st_size if kept.exists() else 0
    return {"events_per_s": events / taken, "s": taken, "mb_per_million": size / events}


def asked(folder: Path, everything: bool) -> dict[str, list[float]]:
    """Seconds of whole processes, on the wall and on the processors.

    Each is for another miner, at the end of the log and inside it. ``everything``: all 20 answers
    of the round, which takes the data of every family.
    """
    rows = [row for row in proved_log(ArchiveLog(folder)).index.rows if row.computed]
    wall, cpu, here = list[float](), list[float](), str(Path(__file__).parent)
    for run in range(RUNS):
        number = len(rows) - run * len(rows) // RUNS
        words = ["why", str(folder), str(7 + 30 * run), "--block", str(rows[number - 1].block)]
        if everything:
            words += ["--round", str(number), "--all"]
        began, before = time.perf_counter(), sum(os.times()[2:4])
        subprocess.run(
            [sys.executable, "-c", PROGRAM, here, *words], check=True, stdout=subprocess.DEVNULL
        )
        wall.append(time.perf_counter() - began)
        cpu.append(sum(os.times()[2:4]) - before)
    return {"wall": wall, "cpu": cpu}


def read_whole(folder: Path) -> float:
    """Seconds to read every event, each verified."""

    async def read() -> None:
        async for _ in Reading(ArchiveLog(folder)).events():
            pass

    began = time.perf_counter()
    anyio.run(read)
    return time.perf_counter() - began


def show(result: dict[str, Any]) -> None:
    """One table."""
    table = Table(
        "", "", title=f"{result['events']:,} events", title_justify="left", show_header=False
    )
    index = result["index"]
    table.add_row("index, made once", f"{index['s']:.1f} s, {index['events_per_s']:,.0f} events/s")
    table.add_row("its size", f"{index['mb_per_million']:.1f} MB per million events")
    for name, times in result["why_s"].items():
        wall, cpu = (statistics.median(times[kind]) for kind in ("wall", "cpu"))
        span = f"{min(times['wall']):.2f} to {max(times['wall']):.2f}"
        table.add_row(name, f"{wall:.2f} s ({span}; limit {LIMIT_S:g}), CPU {cpu:.2f} s")
    table.add_row("reading the whole log", f"{result['whole_s']:.1f} s")
    Console().print(table)


def main() -> int:
    """0 where the median is within the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the archive here")
    options = parser.parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    with ExitStack() as stack:
        kept = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = kept if (kept / "manifest.json").exists() else kept / f"archive-{rounds}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        events = audit_archive.write_archive(folder, rounds)
        result: dict[str, Any] = {
            "events": events,
            "index": built(folder),
            "why_s": {
                "`quasar why`, whole process": asked(folder, False),
                "the same with all 20 answers": asked(folder, True),
            },
            "whole_s": read_whole(folder),
        }
    print(json.dumps(result)) if options.json else show(result)
    claimed = next(iter(result["why_s"].values()))["wall"]
    return 0 if statistics.median(claimed) <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
