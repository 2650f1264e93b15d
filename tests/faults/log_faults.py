"""What the fault tests of the log share: a writer to kill, and the judge of what it left behind.

QUASAR_FAULT_TURNS says how often each fault is repeated, where the default is not enough.
"""

import os
import signal
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import anyio

from quasar.draw import Draw
from quasar.errors import QuasarError
from quasar.events import AnyEvent, CheckpointSigned, Draft, LogOpened, RunEnded
from quasar.events.envelope import decode
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import open_checkpoint
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.archive_compare import Acknowledged, compare
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.server import NatsServer
from quasar.log.verify import verify_archive
from tests.faults.log_writer_program import (
    LANES,
    Note,
    Orders,
    errors_of,
    main,
    place_of,
    planned,
    read_notes,
    write_notes,
)
from tests.tampering import IDENTITY, LOG_KEY

STREAM = f"Q-{IDENTITY.log_id}-{IDENTITY.volume}"
JUDGE = LANES
"""The lane of what the tests append themselves."""

_fork = get_context("forkserver")
_fork.set_forkserver_preload(["quasar.actors.checkpointer", "quasar.log.jetstream"])


def turns(default: int) -> int:
    """How often to repeat a fault."""
    return int(os.environ.get("QUASAR_FAULT_TURNS", default))


class Site:
    """Where a log lives: the server's store, the archive, and the writer's notes."""

    def __init__(self, folder: Path, seed: str, notes: Path | None = None) -> None:
        self.store = folder / "nats"
        self.archive = folder / "archive"
        self.acknowledged = folder / "acknowledged"
        self.path = notes or folder / "notes"
        self.seed = seed.encode()
        self.moments = Draw(self.seed, "moments")

    @property
    def notes(self) -> list[Note]:
        """What was acknowledged until now."""
        return read_notes(self.path)

    def keep(self, notes: Sequence[Note]) -> None:
        """Forget the others."""
        write_notes(self.path, notes)

    def orders(
        self, server: NatsServer, *, url: str = "", patience: float = 60, request_s: float = 5
    ) -> Orders:
        """For a writer; ``url``: another way to the server."""
        return Orders(
            url or server.url,
            login_of(server),
            self.archive,
            self.path,
            self.seed,
            self.acknowledged,
            patience,
            request_s,
        )

    async def moment(self, milliseconds: int) -> None:
        """A random one."""
        await anyio.sleep(self.moments.below(milliseconds) / 1000)


class Program:
    """The writer in a process of its own. Make one with ``running``."""

    def __init__(self, site: Site, process: BaseProcess) -> None:
        self._site = site
        self._process = process

    async def progress(self, steps: int = 20) -> None:
        """Wait until so many more steps are acknowledged. Fails where the program ended."""
        wanted = len(self._site.notes) + steps
        with anyio.fail_after(60):
            while len(self._site.notes) < wanted:
                assert self._process.is_alive(), f"the writer ended: {self._process.exitcode}"
                await anyio.sleep(0.005)

    async def end(self) -> str:
        """Wait until it ends by itself; why it did."""
        with anyio.fail_after(60):
            while self._process.is_alive():  # noqa: ASYNC110 - another process
                await anyio.sleep(0.005)
        assert self._process.exitcode == QuasarError.exit_code
        return errors_of(self._site.path).read_text()

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._process.kill()
        self._process.join()


@contextmanager
def running(site: Site, orders: Orders) -> Iterator[Program]:
    """A writer at work; killed at the end."""
    process = _fork.Process(target=main, args=(orders,), daemon=True)
    process.start()
    program = Program(site, process)
    try:
        yield program
    finally:
        program.kill()
        process.close()


def login_of(server: NatsServer) -> Login:
    """Of the user that may do everything."""
    return Login(server.user, server.password)


@asynccontextmanager
async def opened(
    server: NatsServer, *, url: str = "", patience: float = 30
) -> AsyncIterator[JetStreamLog]:
    """The log, in this process."""
    async with JetStreamLog.open(
        url or server.url,
        IDENTITY.log_id,
        IDENTITY.volume,
        MemoryBlobs(),
        login=login_of(server),
        patience=patience,
    ) as log:
        yield log


async def everything(log: JetStreamLog) -> list[bytes]:
    """All lines, in order and without a gap."""
    lines: list[bytes] = []
    head = await log.head()
    with anyio.fail_after(60):
        async with aclosing(log.read()) as reader:
            while len(lines) < head:
                seq, line = await anext(reader)
                lines.append(line)
                assert seq == len(lines)
    return lines


async def judge(server: NatsServer, site: Site, *, torn: bool = False) -> list[bytes]:
    """Once the writer is gone: log and archive hold what they must, and the log goes on."""
    lines = await judge_log(server, site, torn=torn)
    check_archive(lines, site.archive)
    with ArchiveWriter.open(site.archive, IDENTITY) as writer:
        async with opened(server) as log:
            with Acknowledged(site.acknowledged) as acknowledged:
                await compare(log, writer, acknowledged)
    return lines


async def judge_log(server: NatsServer, site: Site, *, torn: bool = False) -> list[bytes]:
    """While the writer is gone, or paused. ``torn``: see ``check_lane``."""
    async with opened(server) as log:
        await go_on(log)
        lines = await everything(log)
    check_acknowledged(lines, site.notes)
    check_origin(lines, site, torn=torn)
    return lines


def check_acknowledged(lines: Sequence[bytes], notes: Sequence[Note]) -> None:
    """Each event that was acknowledged stands at its number, with its bytes; each lane in order."""
    assert notes
    newest = dict.fromkeys(range(LANES), (-1, 0))
    for lane, step, held in notes:
        there = {seq: leaf_hash(lines[seq - 1]).hex() for seq in held if seq <= len(lines)}
        assert there == held, f"step {step} of lane {lane}, events {min(held)} to {max(held)}"
        assert newest[lane] < (step, min(held))
        newest[lane] = step, max(held)


def check_origin(lines: Sequence[bytes], site: Site, *, torn: bool = False) -> None:
    """No slot stands twice, and nothing stands in the log that nobody appended."""
    found: dict[int, list[tuple[int, AnyEvent]]] = {lane: [] for lane in range(LANES)}
    slots: set[str] = set()
    for seq, line in enumerate(lines, start=1):
        event = decode(line).event
        slots.add(event.slot)
        if (lane := place_of(event)) is None:
            assert isinstance(event, LogOpened | CheckpointSigned)
        elif lane != JUDGE:
            found[lane].append((seq, event))
    assert len(slots) == len(lines)
    done = {note.lane: note.step for note in site.notes}
    for lane, events in found.items():
        check_lane(site.seed, lane, events, done.get(lane, -1), torn)


def check_lane(
    seed: bytes, lane: int, events: Sequence[tuple[int, AnyEvent]], done: int, torn: bool
) -> None:
    """``events`` of a lane, with their numbers, are its steps in order, whole and side by side.

    They end with the step ``done``, the last that was acknowledged, or with the next. Of that one
    there may be a part where a batch was ``torn``: to a disk it is only bytes. It is then completed
    when the writer comes again, behind what stands there by then.
    """
    at = 0
    for step in range(done + 2):
        plan = [draft.event for draft in planned(seed, lane, step)]
        there = events[at : at + len(plan)]
        assert [event for _, event in there] == plan[: len(there)]
        assert len(there) == len(plan) or (step > done and (torn or not there))
        assert torn or not there or there[-1][0] - there[0][0] == len(plan) - 1
        at += len(there)
    assert at == len(events)


def check_archive(lines: Sequence[bytes], folder: Path) -> None:
    """The archive is a prefix of the log; whatever was signed is one of the archive."""
    with ArchiveWriter.open(folder, IDENTITY) as writer:
        held = writer.size
        assert [line for _, line in ArchiveLog(folder).verified()] == lines[:held]
        if ArchiveLog(folder).checkpoint_note() is not None:
            assert verify_archive(folder, hotkey=IDENTITY.hotkey, processes=1).events == held
    tree = Tree(map(leaf_hash, lines))
    for line in lines:
        event = decode(line).event
        if isinstance(event, CheckpointSigned):
            head = open_checkpoint(event.note, IDENTITY.origin, LOG_KEY.public_key)
            assert head == (IDENTITY.origin, event.size, tree.root(event.size))
            assert event.size <= held


async def go_on(log: JetStreamLog) -> None:
    """One more event is stored, behind all that is there."""
    head = await log.head()
    event = RunEnded(run=JUDGE * 10**9 + head, reason="judged")
    [stored] = await log.append([Draft(actor="test", cause=0, event=event)])
    assert stored.new
    assert stored.seq > head  # the server may still store what a dead writer had sent


@contextmanager
def paused(*pids: int) -> Iterator[None]:
    """Processes that do nothing meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Record(NamedTuple):
    """Where an event stands in a block of JetStream's store."""

    start: int
    end: int


def newest_block(store: Path) -> Path:
    """The file in which the stream's last events are."""
    blocks = store.glob(f"jetstream/**/{STREAM}/msgs/*.blk")
    return max(blocks, key=lambda path: int(path.stem))


def records(block: Path) -> dict[int, Record]:
    """The records of a block by sequence number; their form is JetStream's own affair."""
    data, at, found = block.read_bytes(), 0, {}
    while at < len(data):
        length, seq = struct.unpack_from("<IQ", data, at)
        found[seq] = Record(at, at := at + (length & 0x7FFFFFFF))
    return found
