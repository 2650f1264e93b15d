"""A program that writes a log as a validator does: lanes that append, and the real Checkpointer.

What it acknowledges it also notes, with an fsync, in a file that no fault touches. Started again
it takes each lane up behind its last note, so what was stored and not noted is appended twice.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import anyio

from quasar.actors.checkpointer import Checkpointer
from quasar.draw import Draw
from quasar.errors import QuasarError
from quasar.events import AnyEvent, Draft, RunEnded, WeightsDeferred
from quasar.events.blobs import Blobs
from quasar.events.merkle import leaf_hash
from quasar.log import Log, jetstream_wire
from quasar.log.archive import ArchiveWriter
from quasar.log.archive_compare import Acknowledged, KeptLog, compare
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from tests.tampering import IDENTITY, LOG_KEY, opening

LENGTHS = [[1], [1], [1], [1], [2, 3, 8], [1, 40, 150]]
"""How many events a step of each lane may have: single ones go out otherwise than batches."""
LANES = len(LENGTHS)
_STEP, _LANE = 1000, 10**9
_YEAR_NS = 365 * 86_400 * 10**9


class Orders(NamedTuple):
    """What the program needs to know."""

    url: str
    login: Login
    archive: Path
    notes: Path
    """What the tests keep of acknowledgements."""
    seed: bytes
    acknowledged: Path
    """What the writer itself keeps of that."""
    patience: float
    request_s: float
    """How long an answer is waited for."""


class Note(NamedTuple):
    """A step that was acknowledged."""

    lane: int
    step: int
    held: dict[int, str]
    """Sequence number of each event to the hash of its stored line."""


def planned(seed: bytes, lane: int, step: int) -> list[Draft]:
    """The events of a lane's step: the same in every life of the program."""
    draw = Draw(seed, f"step {lane} {step}")
    first, length = lane * _LANE + step * _STEP, draw.choice(LENGTHS[lane])
    return [Draft(actor="test", cause=0, event=_event(first + i)) for i in range(length)]


def _event(number: int) -> AnyEvent:
    if number % 5 == 3:
        return WeightsDeferred(epoch=number, attempt=0, block=number, reason="all-zero")
    return RunEnded(run=number, reason="x" * (number % 7 * 30))


def place_of(event: AnyEvent) -> int | None:
    """The lane of an event; None for one of another origin."""
    match event:
        case RunEnded(run=number) | WeightsDeferred(epoch=number):
            return number // _LANE
    return None


def read_notes(path: Path) -> list[Note]:
    """All whole notes, oldest first."""
    data = path.read_bytes() if path.exists() else b""
    found = []
    for line in data.splitlines(keepends=True):
        if line.endswith(b"\n"):
            lane, step, *pairs = line.decode().split()
            held = {int(seq): hash_ for seq, _, hash_ in (pair.partition(":") for pair in pairs)}
            found.append(Note(int(lane), int(step), held))
    return found


def write_notes(path: Path, notes: Sequence[Note]) -> None:
    """Write a file of notes anew."""
    path.write_bytes(b"".join(map(_line, notes)))


def main(orders: Orders) -> None:
    """Write until killed; where that cannot go on, end with the reasons in a file, one a line."""
    jetstream_wire._REQUEST_S = orders.request_s
    try:
        anyio.run(_write, orders)
    except* QuasarError as group:
        errors_of(orders.notes).write_text("".join(f"{e}\n" for e in _leaves(group)))
        sys.exit(QuasarError.exit_code)


def errors_of(notes: Path) -> Path:
    """Where a program that had to end says why."""
    return notes.with_suffix(".errors")


def _leaves(group: BaseExceptionGroup[QuasarError]) -> Iterator[QuasarError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _write(orders: Orders) -> None:
    done = {note.lane: note.step for note in read_notes(orders.notes)}
    async with AsyncExitStack() as stack:
        writer = stack.enter_context(ArchiveWriter.open(orders.archive, IDENTITY))
        acknowledged = stack.enter_context(Acknowledged(orders.acknowledged))
        notes = stack.enter_context(orders.notes.open("ab"))
        stream = await stack.enter_async_context(_open_stream(orders, writer.blobs))
        await compare(stream, writer, acknowledged)
        log = KeptLog(stream, acknowledged)
        if await log.head() == 0:
            await log.append([Draft(actor="supervisor", cause=0, event=opening())])
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(Checkpointer(log, writer, LOG_KEY, IDENTITY.origin).run)
        for lane in range(LANES):
            tasks.start_soon(_append, log, notes, orders.seed, lane, done.get(lane, -1) + 1)


def _open_stream(orders: Orders, blobs: Blobs) -> AbstractAsyncContextManager[JetStreamLog]:
    return JetStreamLog.open(
        orders.url,
        IDENTITY.log_id,
        IDENTITY.volume,
        blobs,
        login=orders.login,
        patience=orders.patience,
        clock=partial(_jumping_clock, Draw(orders.seed, "clock")),
    )


async def _append(log: Log, notes: BinaryIO, seed: bytes, lane: int, step: int) -> None:
    while True:
        stored = await log.append(planned(seed, lane, step))
        held = {s.seq: leaf_hash(s.line).hex() for s in stored}
        os.write(notes.fileno(), _line(Note(lane, step, held)))
        os.fsync(notes.fileno())
        step += 1


def _line(note: Note) -> bytes:
    pairs = [f"{seq}:{hash_}" for seq, hash_ in note.held.items()]
    return f"{note.lane} {note.step} {' '.join(pairs)}\n".encode()


def _jumping_clock(draw: Draw) -> int:
    """Time as a broken clock tells it: now and then a year early or late."""
    return time.time_ns() + draw.choice([0, 0, 0, -_YEAR_NS, _YEAR_NS])
