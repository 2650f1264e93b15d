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
import os
import resource
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from quasar.actors.checkpointer import ACTOR as CHECKPOINTER
from quasar.actors.checkpointer import Checkpointer
from quasar.cli.log_size import count, human
from quasar.config import load_policy
from quasar.door.packing import pack
from quasar.draw import Draw
from quasar.events import (
    BlockObserved,
    CheckpointAnchored,
    HyperparametersObserved,
    LogClosed,
    LogClosing,
    MetagraphObserved,
    Neuron,
    RunEnded,
    WeightsConfirmed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsVerified,
)
from quasar.events.envelope import tag_of
from quasar.events.receipt import QuotedBlock, SignedCheckpoint, digest, statement_bytes
from quasar.log.access import ADMIN
from quasar.log.archive import ArchiveIdentity, ArchiveLog, ArchiveWriter
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.retire import Retired, retire
from quasar.log.server import NatsServer
from quasar.log.size import PARTS, part_sizes
from quasar.rules import anchoring, observing
from quasar.rules.forecast import EPOCH_BLOCKS, Sizes, forecast, packed_contexts
from quasar.rules.machine import Recorded
from quasar.rules.plan import PlannedTask, plan_tasks
from quasar.rules.policy import parse
from quasar.rules.secrets import round_seed
from tests.builders import BEACON_DELAY, BLOCK_NS, START_NS, World, small_policy
from tests.forging import few_tasks

DAY_BLOCKS = 7200
MEMORY, UPLOAD = "server memory", "upload, 1 miner, weekly"
"""Compared with what is forecast at most: how much garbage Go has let lie is a matter of luck."""
HYPER: dict[str, Any] = {
    "tempo": EPOCH_BLOCKS - 1,
    "weights_rate_limit": 100,
    "min_allowed_weights": 1,
    "max_weights_limit": 65535,
    "weights_version": 0,
    "commit_reveal": False,
}
SMALL = {
    "round_every_blocks = 75 ": f"round_every_blocks = {DAY_BLOCKS} ",
    "tokens = 2_000\n": "tokens = 1_100\n",
    "tokens = 3_000\n": "tokens = 1_200\n",
    "tokens = 4_000\n": "tokens = 1_300\n",
    "tokens = 5_000\n": "tokens = 1_400\n",
}
POLICIES = {9: small_policy(**SMALL), 3: few_tasks(**SMALL)}
"""By tasks a round: all of readme-v1's, or one of its first bucket and two of its second."""
WEEK = 7
"""Days between two uploads that are measured."""


class Day(World):
    """A volume of one day. ``before``: the day whose state it carries on."""

    def __init__(self, miners: int, policy: bytes, before: "Day | None") -> None:
        super().__init__(miners=miners, policy=policy, before=before)
        self.number = self.volume
        self._observer = observing.ObserverState()
        self._folded = 0
        self._rows: list[Any] = []
        self._signed: Any = None
        """The newest CheckpointSigned."""
        self._anchors = anchoring.AnchorState()

    async def play(self, keeper: "Keeper") -> None:
        """Every block of the day, and what follows from it."""
        await self.open()
        self.before = None  # it was needed for LogOpened; a year of them would fill the memory
        await self._anchored(keeper)
        first = (self.number - 1) * DAY_BLOCKS + DAY_BLOCKS // 2
        for head in range(first, first + DAY_BLOCKS):
            while (number := self._wanted(head)) is not None:
                await self._observe(number, head)
                await self._answer(keeper)
                await self._set_rows(keeper)
                await keeper.kept_up()
        await self.append("supervisor", LogClosing(reason="86400 s are a volume"))
        await self.settle()
        await self.append("supervisor", RunEnded(run=self.number, reason="the volume closes"))
        await self.append("supervisor", LogClosed(events=await self.log.head()))

    def _wanted(self, head: int) -> int | None:
        self._fold()
        return observing.wanted(self._observer, head, head // EPOCH_BLOCKS)

    def _fold(self) -> None:
        """What is new, into the observer's state and the rows that are due."""
        for seq in range(self._folded + 1, len(self.log._lines) + 1):
            tag = tag_of(self.line(seq))
            if tag in OBSERVED:
                seen = Recorded(seq, self.line(seq))
                self._observer = observing.evolve(self._observer, seen, self.log.blobs)
            if tag in ANCHORING:
                seen = Recorded(seq, self.line(seq))
                self._anchors = anchoring.evolve(self._anchors, seen, self.log.blobs)
            if tag == "WeightsComputed":
                self._rows.append(Recorded(seq, self.line(seq)).event)
            if tag == "CheckpointSigned":
                self._signed = Recorded(seq, self.line(seq)).event
        self._folded = len(self.log._lines)

    async def _observe(self, number: int, head: int) -> None:
        """As ChainObserver does."""
        self.now = START_NS + number * BLOCK_NS
        hash_, epoch = self.block_hash(number), number // EPOCH_BLOCKS
        if self._observer.fresh:
            hyper = HyperparametersObserved(number=number, hash=hash_, **HYPER)
            await self.append(observing.ACTOR, hyper)
        if observing.needs_metagraph(self._observer, number, epoch):
            blob = self.log.blobs.put(msgspec.json.encode(self._neurons(number)))
            await self.append(
                observing.ACTOR, MetagraphObserved(number=number, hash=hash_, neurons=blob)
            )
        await self.append(
            observing.ACTOR,
            BlockObserved(
                number=number, hash=hash_, timestamp_ms=self.now // 10**6, epoch=epoch, head=head
            ),
        )
        await self.settle()

    def _neurons(self, number: int) -> list[Neuron]:
        """Someone always has a new address: no two metagraphs are one blob."""
        found = [Neuron(uid=0, hotkey=self.hotkey.ss58_address, endpoint=None)]
        for uid, hotkey in enumerate(self.miners, 1):
            found.append(Neuron(uid=uid, hotkey=hotkey, endpoint=f"203.0.113.{uid % 256}:{number}"))
        return found

    async def _answer(self, keeper: "Keeper") -> None:
        """Every open delivery, at once, where the block was a beacon."""
        if tag_of(self.log._lines[-1]) != "TaskAssigned":
            return
        plans: dict[int, list[PlannedTask]] = {}
        unproved: dict[str, list[str]] = {}
        for i, d in enumerate(self.open_deliveries()):
            round_, task, hotkey = d.key
            if round_ not in plans:
                beacon = self.block_hash(round_ * DAY_BLOCKS + BEACON_DELAY)
                seed = round_seed(self.secrets.secret(round_), beacon)
                plans[round_] = list(plan_tasks(seed, parse(self.policy)))
            right = Draw(hotkey.encode(), f"{round_}/{task}").below(16) < len(unproved) % 16
            said = plans[round_][task].variant(hotkey).instance.answer if right else "1"
            waiting = unproved.setdefault(hotkey, [])
            event = self._received(d, f"ANSWER: {said}".encode(), waiting)
            await self.deliver(d, self.acceptance(d), event)
            waiting.append(digest(event.receipt))
            if i % 128 == 127:
                await keeper.kept_up()
                self._fold()
        await self.settle()

    def _received(self, d: Any, answer: bytes, waiting: list[str]) -> Any:
        """With a receipt as long as in the sample: checkpoint, block, what is not proved yet."""
        quoted = SignedCheckpoint(size=self._signed.size, root=self._signed.root)
        plain = self.received(d, answer, checkpoint=quoted)
        receipt = msgspec.structs.replace(
            plain.receipt,
            block=QuotedBlock(number=self._observer.block or 0, hash=self.block_hash(1)),
            unacknowledged=waiting[-16:],
        )
        self.receipts[d.key[2]] = digest(receipt)
        signature = self.miners[d.key[2]].sign(statement_bytes(receipt)).hex()
        return msgspec.structs.replace(plain, receipt=receipt, signature=signature)

    async def _set_rows(self, keeper: "Keeper") -> None:
        """WeightSetter's part, where a row was computed."""
        self._fold()
        while self._rows:
            epoch, block = self._rows.pop().epoch, self._observer.block or 0
            intended = WeightsIntended(epoch=epoch, attempt=0, block=block)
            await self.append("weight-setter", intended)
            await self._anchored(keeper)
            name, seen = self.block_hash(-epoch), self.block_hash(block + 1)
            for event in (
                WeightsSubmitted(epoch=epoch, attempt=0, extrinsic=name),
                WeightsConfirmed(epoch=epoch, attempt=0, block=block + 1, block_hash=seen),
                WeightsVerified(epoch=epoch, attempt=0, block=block + 2, equal=True),
            ):
                await self.append("weight-setter", event)

    async def _anchored(self, keeper: "Keeper") -> None:
        """The chain took the newest checkpoint."""
        await keeper.kept_up()
        self._fold()
        assert self._anchors.due is not None
        anchored = CheckpointAnchored(
            size=self._anchors.due,
            attempt=0,
            block=self._observer.block or 0,
            block_hash=self.block_hash(self._anchors.due),
            previous=self._anchors.previous,
        )
        await self.append(CHECKPOINTER, anchored)


@dataclass
class Keeper:
    """The real Checkpointer beside a day."""

    day: Day
    writer: ArchiveWriter
    actor: Checkpointer

    @classmethod
    @asynccontextmanager
    async def beside(cls, day: Day, folder: Path) -> AsyncIterator["Keeper"]:
        """Copies while the context is open, then seals."""
        with ArchiveWriter.open(folder, identity_of(day)) as writer:
            actor = Checkpointer(day.log, writer, day.log_key, day.origin)
            keeper = cls(day, writer, actor)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(actor.run)
                yield keeper
                await keeper.kept_up()
                tasks.cancel_scope.cancel()
            for data in day.log.blobs._held.values():  # type: ignore[attr-defined]
                writer.put_blob(data)
            await Checkpointer(day.log, writer, day.log_key, day.origin).seal()

    async def kept_up(self) -> None:
        """Wait until everything is copied, and signed where that is due."""
        threads, steady = anyio.to_thread.current_default_thread_limiter(), 0
        while steady < 4:
            held = self.writer.size + len(self.actor._pending)
            still = held == len(self.day.log._lines) and not threads.borrowed_tokens
            steady = steady + 1 if still else 0
            await anyio.sleep(0 if still else 0.0005)


OBSERVED = frozenset(kind.__name__ for kind in observing.SUBSCRIBES)
ANCHORING = frozenset(kind.__name__ for kind in anchoring.SUBSCRIBES)


def identity_of(day: Day) -> ArchiveIdentity:
    return ArchiveIdentity(
        log_id=day.log_id,
        volume=day.volume,
        netuid=24,
        hotkey=day.hotkey.ss58_address,
        genesis=day.genesis,
    )


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


FULL = parse(load_policy("readme-v1"))


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def files(folder: Path) -> int:
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            path = Path(at, name)
            total += path.stat().st_size if path.exists() else 0
    return total


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
