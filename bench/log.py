"""Claim: the log writes at the server's own speed.

With file storage and ``sync_interval: always``, typed events that go in are encoded, keyed, stored
and acknowledged at 0.8 or more of what the bare batch protocol does with the same bytes, when a
step of 1000 events waits (while another is under way); and a lone durable append takes at most 1 ms
more than a bare one. Where 1000 callers wait with an event each, their tasks alone cost as much as
our encoding: 0.6 to 0.8 was seen, and none is claimed.

``python bench/log.py [--quick] [--json]``. The limit is a socket that writes ready-made commands
with the same subjects, headers and payloads, in batches of 1000, one or two at a time, whichever
is faster. Ways take turns, each in a stream of its own, since a shared machine is slow for all at
once; ratios are taken within a turn. Server and writer need a core each: on a machine where they
share one, their times add up and the claim cannot hold.
"""

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, cycle
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import nats
from bare_nats import LOG_ID, Bare, Place
from rich.console import Console
from rich.table import Table

from quasar.events import AnswerScored, Draft
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Message, frame
from quasar.log.server import NatsServer
from quasar.log.settle import prepare

GROUP = 1000
RATIO = 0.8
LONE_MS = 1.0
FREE = "Nats-Expected-Last-Subject-Sequence: 0\r\n"
HOTKEYS = ["5" + letter * 47 for letter in "ABCDEFGH"]


def drafts(number: int) -> list[Draft]:
    """Scores, as a scorer appends them."""
    return [
        Draft(
            actor="scorer",
            cause=1_000_000 + i,
            event=AnswerScored(
                round=i // 800,
                task=i // 8 % 100,
                hotkey=hotkey,
                bucket="500k",
                metric="exact@1",
                accuracy=0.875,
                multiplier=1.25,
                reward=1.0,
                failure=None,
                unproved=False,
            ),
        )
        for i, hotkey in zip(range(number), cycle(HOTKEYS), strict=False)
    ]


def messages(place: Place, number: int) -> Iterator[tuple[str, bytes]]:
    """Subject and payload of the same events."""
    for draft in drafts(number):
        [entry] = prepare([draft], time.time_ns())
        yield f"q.{LOG_ID}.{place.volume}.{entry.slot}", entry.line


def batches(place: Place, number: int) -> list[tuple[bytes, bytes]]:
    """Reply subject and ready-made commands of batches."""
    found, events = [], list(messages(place, number))
    for start in range(0, number, GROUP):
        batch, mark = [], f"{start:032x}"
        for i, (subject, line) in enumerate(events[start : start + GROUP], start=1):
            last = "Nats-Batch-Commit: 1\r\n" if i == GROUP else ""
            headers = f"{FREE}Nats-Batch-Id: {mark}\r\nNats-Batch-Sequence: {i}\r\n{last}"
            batch.append(Message(subject, line, headers))
        found.append((f"i.{start}".encode(), frame(batch, f"i.{start}")))
    return found


class Spent(NamedTuple):
    """What a run took, in seconds."""

    wall: float
    cpu: float
    """Of this process, which is the client."""


class Watch:
    """Measures from its making on."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def read(self) -> Spent:
        wall, cpu = self._start
        return Spent(time.perf_counter() - wall, time.process_time() - cpu)


async def side_by_side(number: int, work: Callable[[], Awaitable[None]]) -> Spent:
    """What so many tasks take, from a common start."""
    go = anyio.Event()

    async def wait() -> None:
        await go.wait()
        await work()

    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        gc.collect()
        gc.freeze()  # what waits outside is not the writer's to look through
        watch = Watch()
        go.set()
    spent = watch.read()
    gc.unfreeze()
    return spent


async def bare(place: Place, number: int, under_way: int) -> Spent:
    """The limit."""
    async with Bare.open(place) as client:
        todo = iter(batches(place, number))

        async def send() -> None:
            for reply, commands in todo:
                await client.ask(reply, commands)

        return await side_by_side(under_way, send)


async def ours(place: Place, number: int, callers: int, length: int) -> Spent:
    """Typed events in steps of ``length``, from so many tasks."""
    async with opened(place) as log:
        events = drafts(number)
        todo = iter([events[i : i + length] for i in range(0, number, length)])

        async def append() -> None:
            for step in todo:
                await log.append(step)

        return await side_by_side(callers, append)


async def one_by_one(place: Place, number: int) -> Spent:
    """nats-py's durable publish."""
    async with opened(place), jetstream(place) as stream:
        events = list(messages(place, number))
        watch = Watch()
        for subject, line in events:
            await stream.publish(subject, line, headers={FREE[:-5]: "0"})
        return watch.read()


async def publish_async(place: Place, number: int) -> Spent:
    """nats-py's own pipeline, with its default of 4000 under way."""
    async with opened(place), jetstream(place) as stream:
        events = list(messages(place, number))
        watch = Watch()
        for subject, line in events:
            await stream.publish_async(subject, line, headers={FREE[:-5]: "0"}, wait_stall=60)
        await stream.publish_async_completed()
        return watch.read()


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        place.server.url, LOG_ID, place.volume, MemoryBlobs(), login=place.login
    ) as log:
        yield log


@asynccontextmanager
async def jetstream(place: Place) -> AsyncIterator[Any]:
    login = {"user": place.server.user, "password": place.server.password}
    client = await nats.connect(place.server.url, **login)
    try:
        yield client.jetstream(timeout=60)
    finally:
        await client.close()


async def lone(place: Place, number: int) -> tuple[list[float], list[float]]:
    """Milliseconds of single durable appends, bare and ours in turns."""
    mine: list[float] = []
    limit: list[float] = []
    other = Place(place.server, place.volume + 10_000)
    async with opened(place) as log, Bare.open(other) as client:
        for draft, (subject, line) in zip(drafts(number), messages(other, number), strict=True):
            start = time.perf_counter()
            await log.append([draft])
            mine.append((time.perf_counter() - start) * 1e3)
            headers = f"{FREE}Quasar-Append: {len(limit):032x}\r\n"
            commands = frame([Message(subject, line, headers)], f"i.{len(limit)}")
            start = time.perf_counter()
            await client.ask(f"i.{len(limit)}".encode(), commands)
            limit.append((time.perf_counter() - start) * 1e3)
    return mine, limit


Way = Callable[[Place, int], Awaitable[Spent]]
LIMITS = ("bare protocol, 1 batch under way", "bare protocol, 2 batches under way")
CLAIMED = "LogWriter, 2 callers, steps of 1000"


def ways(quick: bool) -> dict[str, tuple[int, Way]]:
    """Name to number of events and what stores them."""
    few, some, many = (200, 500, 20 * GROUP) if quick else (1000, 4000, 50 * GROUP)
    return {
        "js.publish, one by one": (few, one_by_one),
        "js.publish_async": (some, publish_async),
        LIMITS[0]: (many, lambda p, n: bare(p, n, 1)),
        "LogWriter, 2000 callers, steps of 1": (many, lambda p, n: ours(p, n, 2 * GROUP, 1)),
        CLAIMED: (many, lambda p, n: ours(p, n, 2, GROUP)),
        LIMITS[1]: (many, lambda p, n: bare(p, n, 2)),
        "LogWriter, 1000 callers, steps of 1": (many, lambda p, n: ours(p, n, GROUP, 1)),
        "LogWriter, 1 caller, steps of 1000": (many, lambda p, n: ours(p, n, 1, GROUP)),
    }


async def measure(turns: int, quick: bool) -> tuple[list[dict[str, Spent]], list[list[float]]]:
    """Every way, turn by turn, an event; milliseconds of lone appends, ours and bare."""
    volumes = count(1)
    found: list[dict[str, Spent]] = []
    latencies: list[list[float]] = [[], []]
    with tempfile.TemporaryDirectory(prefix="quasar-bench-") as folder:
        async with NatsServer.open(Path(folder)) as server:
            for turn in range(turns + 1):  # the first warms up
                spent: dict[str, Spent] = {}
                for name, (number, way) in ways(quick).items():
                    wall, cpu = await way(Place(server, next(volumes)), number)
                    spent[name] = Spent(wall / number, cpu / number)
                lone_ones = await lone(Place(server, next(volumes)), 100)
                if turn:
                    found.append(spent)
                    for mine, more in zip(latencies, lone_ones, strict=True):
                        mine += more
    return found, latencies


def report(turns: list[dict[str, Spent]], latencies: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Medians, and ratios to the faster limit of the same turn."""
    rows: dict[str, dict[str, float]] = {}
    for name in turns[0]:
        rates = [1 / turn[name].wall for turn in turns]
        ratios = [min(turn[way].wall for way in LIMITS) / turn[name].wall for turn in turns]
        rows[name] = {
            "median": round(statistics.median(rates)),
            "min": round(min(rates)),
            "max": round(max(rates)),
            "client_cpu_us": round(statistics.median(t[name].cpu for t in turns) * 1e6, 1),
            "of_limit": round(statistics.median(ratios), 3),
        }
    ours_ms, bare_ms = (round(statistics.median(values), 3) for values in latencies)
    lone_ms = {"ours": ours_ms, "bare": bare_ms}
    return {"turns": len(turns), "events_per_s": rows, "lone_ms": lone_ms}


def show(found: dict[str, Any]) -> None:
    """Print the table."""
    table = Table("way", title=f"durable events/s, {found['turns']} turns")
    for column in ("median", "min", "max", "client us", "of limit"):
        table.add_column(column, justify="right")
    for name, row in found["events_per_s"].items():
        rates = [f"{row[key]:,}" for key in ("median", "min", "max")]
        table.add_row(name, *rates, f"{row['client_cpu_us']}", f"{row['of_limit']:.2f}")
    table.add_section()
    for name, value in found["lone_ms"].items():
        table.add_row(f"a lone append, {name}", f"{value:.2f} ms")
    Console().print(table)


def main() -> int:
    """0 where both parts of the claim hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer events")
    parser.add_argument("--turns", type=int, default=0, help="repetitions; 3 quick, else 7")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    turns = options.turns or (3 if options.quick else 7)
    found = report(*anyio.run(measure, turns, options.quick))
    print(json.dumps(found, indent=2)) if options.json else show(found)
    fast = found["events_per_s"][CLAIMED]["of_limit"] >= RATIO
    more = found["lone_ms"]["ours"] - found["lone_ms"]["bare"]
    return 0 if fast and more <= LONE_MS else 1


if __name__ == "__main__":
    sys.exit(main())
