"""Claim: a year of a validator stays under what ``quasar log size --forecast`` printed before.

``python bench/year.py [--days 365] [--miners 256] [--tasks 3|9] [--quick] [--json]``. A year of
days is really played, each a volume that goes on from the state that the day before handed over:
the rules decide every block, task, score and row, miners sign, the real Checkpointer copies and
signs, the archive is written and fsynced, the lines go into a stream of a real nats-server, and the
stream of the day before is checked and retired. Both sides are of the very same policy, which is
readme-v1 with changes that keep a year short enough to be played: a round a day where there are 96
(round_every_blocks = 7200), of 3 of its 9 tasks (``--tasks 9``: all), with short contexts (they are
no part of a log, but their making is what takes time). So the totals are those of such a year, not
of a real one; nothing measured is multiplied. Upload is measured apart, on contexts of full length:
those that one miner gets in a round of readme-v1, once a week.

The chain, the network and the miners' engines are scripted: every miner answers each task at the
first attempt, within a few dozen bytes, as the forecast's column "a year" has it.
"""

import argparse
import json
import math
import resource
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from year_days import POLICIES, Day, Keeper, identity_of

sys.path.insert(0, str(Path(__file__).parents[1]))

from quasar.cli.log_size import count, human
from quasar.config import load_policy
from quasar.door.packing import pack
from quasar.events.envelope import tag_of
from quasar.log.access import ADMIN
from quasar.log.archive import ArchiveLog
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.retire import Retired, retire
from quasar.log.server import NatsServer
from quasar.log.size import PARTS, part_sizes
from quasar.rules.forecast import Sizes, forecast, packed_contexts
from quasar.rules.plan import plan_tasks
from quasar.rules.policy import parse
from tests.measuring import files, resident

MEMORY, UPLOAD = "server memory", "upload, 1 miner, weekly"
"""Compared with what is forecast at most: how much garbage Go has let lie is a matter of luck."""
WEEK = 7
"""Days between two uploads that are measured."""
FULL = parse(load_policy("readme-v1"))


@dataclass
class Measured:
    """What the days took, all together; bytes."""

    days: int = 0
    events: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    archive: int = 0
    """On disk, in whole blocks."""
    parts: Counter[str] = field(default_factory=Counter)
    uploads: list[int] = field(default_factory=list)
    """Of one miner's contexts of a round, of full length; one round a week."""
    memory: list[int] = field(default_factory=list)
    """Of the server, at the end of each day."""
    store: list[int] = field(default_factory=list)
    retired: int = 0
    process: list[int] = field(default_factory=list)
    """This process, at the end of each day: it holds the day's log and its folds."""


async def play_year(days: int, miners: int, tasks: int, folder: Path, tick: Any) -> Measured:
    """All days, one after the other; ``tick`` is called after each."""
    before: Day | None = None
    found = Measured()
    async with NatsServer.open(folder / "nats", sync_always=False) as server:
        for _ in range(days):
            day = Day(miners, POLICIES[tasks], before)
            async with Keeper.beside(day, folder / str(day.number)) as keeper:
                await day.play(keeper)
            await store(server, day, folder, found)
            take(found, day, folder, server)
            if day.number % WEEK == 1:
                found.uploads.append(await anyio.to_thread.run_sync(upload_of, day, folder))
            before = day
            tick()
    return found


async def store(server: NatsServer, day: Day, folder: Path, found: Measured) -> None:
    """The day's stream on the server; the day before leaves it, and then this disk."""
    login = server.login(ADMIN)
    async with JetStreamLog.open(
        server.url, day.log_id, day.number, MemoryBlobs(), login=login
    ) as log:
        await log.restore(day.lines)
    identity = identity_of(day)
    async for done in retire(server.url, login, identity, lambda n: folder / str(n)):
        assert isinstance(done, Retired), done
        found.retired += 1
        shutil.rmtree(folder / str(done.volume))


def take(found: Measured, day: Day, folder: Path, server: NatsServer) -> None:
    """Add a day to what was measured."""
    parts = part_sizes(ArchiveLog(folder / str(day.number)))
    found.days += 1
    found.events.update(tag_of(line) for line in day.lines)
    for line in day.lines:
        found.lines += len(line) + 1
    found.parts.update({name: parts[name].disk for name in PARTS})
    found.archive += sum(parts[name].disk for name in PARTS)
    found.memory.append(resident(server.process.pid))
    found.store.append(files(folder / "nats" / "jetstream"))
    found.process.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def upload_of(day: Day, folder: Path) -> int:
    """Packed bytes of the contexts that one miner gets in a round of readme-v1."""
    seed, sent = day.block_hash(-day.number).encode(), 0
    for task in plan_tasks(seed, FULL):
        text = task.variant(next(iter(day.miners))).instance.context().encode()
        sent += pack(text, folder / "context").size
    return sent


def report(found: Measured, miners: int, tasks: int) -> dict[str, Any]:
    """Both sides, for as many days as were played."""
    said = forecast(parse(POLICIES[tasks]), miners, Sizes())
    share = found.days / 365
    upload = packed_contexts(FULL) * len(found.uploads)
    rows = {
        "events": (found.events.total(), said.typical.events * share, said.most.events * share),
        "archive": (found.archive, said.typical.archive * share, said.most.archive * share),
        UPLOAD: (math.fsum(found.uploads), upload, upload * FULL.delivery.attempts),
        "store, open volume": (max(found.store), said.typical.store, said.most.store),
        MEMORY: (max(found.memory), said.typical.memory, said.most.memory),
    }
    return {
        "days": found.days,
        "miners": miners,
        "tasks_a_round": tasks,
        "uploads": len(found.uploads),
        "rows": {
            name: {"measured": round(m), "typical": round(t), "most": round(x)}
            for name, (m, t, x) in rows.items()
        },
        "events_by_type": dict(sorted(found.events.items())),
        "line_bytes": found.lines,
        "archive_parts": dict(found.parts),
        "streams_retired": found.retired,
        "server_memory_by_day": found.memory,
        "process_peak_by_day": found.process,
        "under": all(
            measured <= (most if name == MEMORY else usual)
            for name, (measured, usual, most) in rows.items()
        ),
    }


def show(found: dict[str, Any]) -> None:
    """Both sides as a table."""
    title = f"{found['days']} days, {found['miners']} miners, {found['tasks_a_round']} tasks a day"
    table = Table("", title=title)
    for name in ("a day", "all", "forecast", "of it", "at most", "of it"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in found["rows"].items():
        unit = count if name == "events" else human
        measured, usual, most = row["measured"], row["typical"], row["most"]
        each = unit(measured / found["days"]) if name in ("events", "archive") else ""
        shares = [f"{measured / n:.2f}" for n in (usual, most)]
        table.add_row(name, each, unit(measured), unit(usual), shares[0], unit(most), shares[1])
    Console().print(table)


def main() -> int:
    """0 where what was measured stays under the forecast."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--miners", type=int, default=256)
    parser.add_argument("--tasks", type=int, default=3, choices=sorted(POLICIES))
    parser.add_argument("--quick", action="store_true", help="10 days")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--folder", type=Path, help="where the days are played, an empty folder")
    options = parser.parse_args()
    days = 10 if options.quick else options.days
    columns = (TextColumn("days"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        tempfile.TemporaryDirectory(prefix="quasar-year-", dir=options.folder) as folder,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("days", total=days)
        tick = lambda: progress.advance(task)  # noqa: E731
        found = anyio.run(play_year, days, options.miners, options.tasks, Path(folder), tick)
    shown = report(found, options.miners, options.tasks)
    print(json.dumps(shown, indent=2)) if options.json else show(shown)
    return 0 if shown["under"] else 1


if __name__ == "__main__":
    sys.exit(main())
