"""Claim: the log is read ten times as fast as with nats-py's ``fetch(1000)``, in under 200 MB.

``python bench/log_read.py [--quick] [--json] [--events N] [--turns N] [--folder DIR]``. One stream
on a server of its own holds scores as our writer stores them, in batches with headers; ``--folder``
keeps it for the next run. Ours is ``recorded(log)``, which is what actors iterate over: decoded
events, none missing. The peers get bytes and count them. Each reads in a process of its own; they
take turns, since a shared machine is slow for all of them at once, and medians are compared. The
reader and the server work at the same time: by the clock, that shows on two free cores only.

The limit is a C client: ``apt install libnats-dev`` and a C compiler. Without, it is left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from rich.console import Console
from rich.table import Table

from quasar.actors.actor import recorded
from quasar.events import AnswerScored, Draft
from quasar.log import MAX_STEP
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.server import NatsServer

RATIO = 10
MEMORY_MIB = 200
LOG_ID = "0000abcd"
STREAM, SUBJECTS = f"Q-{LOG_ID}-0", f"q.{LOG_ID}.0.>"
LIMIT = Path(__file__).with_name("log_read_limit.c")
FETCH, ORDERED = "nats-py fetch(1000)", "nats-py ordered consumer"
OURS, LINES = "ours, decoded", "ours, bytes"
C_CLIENT = "limit: C client"
LETTERS = "ABCDEFGHJKLMNPQR"
HOTKEYS = [f"5{one * 23}{two * 24}" for one in LETTERS for two in LETTERS]
"""As many miners as a subnet has."""


class Target(NamedTuple):
    """Where to read, and how many events."""

    url: str
    user: str
    password: str
    events: int


@asynccontextmanager
async def opened(target: Target) -> AsyncIterator[JetStreamLog]:
    """The log, as a validator opens it."""
    login = Login(target.user, target.password)
    async with JetStreamLog.open(target.url, LOG_ID, 0, MemoryBlobs(), login=login) as log:
        yield log


@asynccontextmanager
async def jetstream(target: Target) -> AsyncIterator[JetStreamContext]:
    """nats-py's own client."""
    client = await nats.connect(target.url, user=target.user, password=target.password)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def ours(target: Target) -> None:
    """Typed events, as actors get them."""
    async with opened(target) as log:
        async for seen in recorded(log):
            assert isinstance(seen.event, AnswerScored)
            if seen.seq == target.events:
                return


async def lines(target: Target) -> None:
    """Stored bytes: what decoding adds is the difference."""
    async with opened(target) as log, aclosing(log.read()) as reader:
        async for seq, _ in reader:
            if seq == target.events:
                return


async def fetch(target: Target) -> None:
    """The usual way to read a stream."""
    async with jetstream(target) as context:
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True)
        sub = await context.pull_subscribe("", stream=STREAM, config=config)
        got = 0
        while got < target.events:
            got += len(await sub.fetch(1000))


async def ordered(target: Target) -> None:
    """nats-py's consumer that starts again where a message is missing."""
    async with jetstream(target) as context:
        sub = await context.subscribe(SUBJECTS, stream=STREAM, ordered_consumer=True)
        got = 0
        async for _ in sub.messages:
            got += 1
            if got == target.events:
                return


WAYS: dict[str, Callable[[Target], Awaitable[None]]] = {
    FETCH: fetch,
    ORDERED: ordered,
    LINES: lines,
    OURS: ours,
}


async def measure(way: str, target: Target) -> None:
    """Read all, in this process, and print what it took."""
    start, cpu = time.perf_counter(), time.process_time()
    await WAYS[way](target)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    found = {"events": target.events, "seconds": seconds, "cpu_s": cpu, "peak_mib": peak_mib()}
    print(json.dumps(found))


def peak_mib() -> float:
    """Of this process; getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def cpu_of(pid: int) -> float:
    """Seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def command(way: str, target: Target, program: Path | None) -> list[str]:
    """What reads once."""
    if way == C_CLIENT:
        return [str(program), target.url, target.user, target.password, STREAM, str(target.events)]
    return [sys.executable, __file__, "--measure", json.dumps([way, *target])]


def run(way: str, server: NatsServer, target: Target, program: Path | None) -> dict[str, float]:
    """Read once in a process of its own."""
    cpu = cpu_of(server.process.pid)
    child = subprocess.run(
        command(way, target, program), stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(child.stdout)
    return {
        "events_per_s": found["events"] / found["seconds"],
        "cpu_us": found["cpu_s"] / found["events"] * 1e6,
        "server_cpu_us": (cpu_of(server.process.pid) - cpu) / found["events"] * 1e6,
        "peak_mib": found["peak_mib"],
    }


def build(folder: Path) -> tuple[Path | None, str]:
    """The C client; None, and why, where it cannot be built."""
    program = folder / "log_read_limit"
    try:
        made = subprocess.run(
            ["cc", "-O2", str(LIMIT), "-lnats", "-o", str(program)],
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return None, "no C compiler: apt install gcc libnats-dev"
    if made.returncode:
        return None, "it does not compile: apt install libnats-dev"
    return program, ""


async def load(target: Target) -> None:
    """Store what is not stored yet, in steps of 1000."""
    async with opened(target) as log:
        for start in range(await log.head(), target.events, MAX_STEP):
            await log.append([score(i) for i in range(start, start + MAX_STEP)])


def score(number: int) -> Draft:
    """One of the events of a log of many rounds."""
    round_, rest = divmod(number, 100 * len(HOTKEYS))
    task, miner = divmod(rest, len(HOTKEYS))
    event = AnswerScored(
        round=round_,
        task=task,
        hotkey=HOTKEYS[miner],
        bucket="500k",
        metric="exact@1",
        accuracy=0.875,
        multiplier=1.25,
        reward=1.0,
        failure=None,
        unproved=False,
    )
    return Draft(actor="scorer", cause=number + 1, event=event)


async def compare(events: int, turns: int, folder: Path) -> dict[str, Any]:
    """Medians by way, and what was claimed."""
    program, why_not = build(folder)
    ways = [*WAYS, *([C_CLIENT] if program else [])]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    async with NatsServer.open(folder / "nats", sync_always=False) as server:
        target = Target(server.url, server.user, server.password, events)
        await load(target)
        for _ in range(turns):
            for way in ways:
                row = await anyio.to_thread.run_sync(run, way, server, target, program)
                found[way].append(row)
    rows = {
        way: {key: statistics.median(turn[key] for turn in all_) for key in all_[0]}
        for way, all_ in found.items()
    }
    return {
        "events": events,
        "turns": turns,
        "ways": rows,
        "ratio": rows[OURS]["events_per_s"] / rows[FETCH]["events_per_s"],
        "cpu_ratio": rows[FETCH]["cpu_us"] / rows[OURS]["cpu_us"],
        "limit_left_out": why_not,
    }


def show(found: dict[str, Any]) -> None:
    """The table."""
    title = f"{found['events']:,} events read, median of {found['turns']} turns"
    table = Table("way", title=title)
    for column in ("events/s", "of fetch", "CPU us/event", "server CPU us", "peak MiB"):
        table.add_column(column, justify="right")
    slow = found["ways"][FETCH]["events_per_s"]
    for way, row in found["ways"].items():
        speed = row["events_per_s"]
        rest = (f"{row[key]:.2f}" for key in ("cpu_us", "server_cpu_us"))
        table.add_row(way, f"{speed:,.0f}", f"{speed / slow:.1f}", *rest, f"{row['peak_mib']:.0f}")
    Console().print(table)
    if found["limit_left_out"]:
        print(f"left out: {C_CLIENT}: {found['limit_left_out']}")
    print(
        f"ours / fetch: {found['ratio']:.1f} by the clock, {found['cpu_ratio']:.1f} in CPU time "
        f"(claimed: {RATIO}); memory {found['ways'][OURS]['peak_mib']:.0f} MiB (limit {MEMORY_MIB})"
    )


def main() -> int:
    """0 where the claim holds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="a multiple of 1000")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="100,000 events")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--folder", type=Path, help="keep the stream here")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        way, *target = json.loads(options.measure)
        anyio.run(measure, way, Target(*target))
        return 0
    events = 100_000 if options.quick else options.events
    if events % MAX_STEP:
        parser.error(f"--events must be a multiple of {MAX_STEP}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = anyio.run(compare, events, options.turns, folder)
    print(json.dumps(found, indent=2)) if options.json else show(found)
    holds = found["ratio"] >= RATIO and found["ways"][OURS]["peak_mib"] < MEMORY_MIB
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
