"""The logs that must pass the contract, made alike for every test."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from anyio.from_thread import start_blocking_portal

from quasar.events import Draft
from quasar.events.envelope import encode
from quasar.log import Log
from quasar.log.archive import ArchiveIdentity, ArchiveLog, ArchiveWriter
from quasar.log.blobs import FolderBlobs
from quasar.log.file import FileLog
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.memory import MemoryLog
from quasar.log.server import NatsServer


class Place(NamedTuple):
    """Where a test's log may live."""

    folder: Path
    number: int
    server: Callable[[], NatsServer]
    """Starts it at the first call; fails where there is no server program."""

    def clock(self) -> Callable[[], int]:
        return itertools.count(1).__next__


Open = Callable[[Place], AbstractAsyncContextManager[tuple[Log, Log]]]
"""Gives an empty log twice: as two writers hold it."""
Hold = Callable[[Place, Sequence[Sequence[Draft]]], AbstractAsyncContextManager[Log]]
"""Gives a log that holds these steps, to read only."""


@asynccontextmanager
async def memory(place: Place) -> AsyncIterator[tuple[Log, Log]]:
    log = MemoryLog(clock=place.clock())
    yield log, log


@asynccontextmanager
async def file(place: Place) -> AsyncIterator[tuple[Log, Log]]:
    blobs = FolderBlobs(place.folder / "blobs")
    with FileLog.open(place.folder / "log.jsonl", blobs, place.clock()) as log:
        yield log, log


@asynccontextmanager
async def jetstream(place: Place) -> AsyncIterator[tuple[Log, Log]]:
    server, blobs = place.server(), FolderBlobs(place.folder / "blobs")
    login = Login(user=server.user, password=server.password)
    where = (server.url, f"{place.number:08x}", 0, blobs)
    clock = place.clock()
    async with (
        JetStreamLog.open(*where, login=login, clock=clock) as one,
        JetStreamLog.open(*where, login=login, clock=clock) as two,
    ):
        yield one, two


@asynccontextmanager
async def archive(place: Place, steps: Sequence[Sequence[Draft]]) -> AsyncIterator[Log]:
    identity = ArchiveIdentity(
        log_id="0" * 8, volume=1, netuid=24, hotkey="5" + "C" * 47, genesis="0x" + "0" * 64
    )
    clock = place.clock()
    with ArchiveWriter.open(place.folder / "archive", identity) as writer:
        for step in steps:
            at = clock()
            writer.append([encode(draft, at) for draft in step])
            writer.flush()
    yield ArchiveLog(place.folder / "archive")


LIVE: dict[str, Open] = {"memory": memory, "file": file, "jetstream": jetstream}
HELD: dict[str, Hold] = {"archive": archive}
"""Logs that only read."""
MARKS = {"jetstream": pytest.mark.nats}


def params(*names: str) -> list[object]:
    return [pytest.param(name, marks=MARKS.get(name, ())) for name in names]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], NatsServer]]:
    """One server for all tests, in a loop of its own, started by the first that needs it."""
    started: list[NatsServer] = []
    with start_blocking_portal() as portal:
        opened = portal.wrap_async_context_manager(
            NatsServer.open(tmp_path_factory.mktemp("nats"), sync_always=False)
        )

        def start() -> NatsServer:
            if not started:
                started.append(opened.__enter__())
            return started[0]

        yield start
        if started:
            opened.__exit__(None, None, None)


_numbers = itertools.count(1)


@pytest.fixture
def place(tmp_path: Path, server: Callable[[], NatsServer]) -> Place:
    return Place(tmp_path, next(_numbers), server)


@pytest.fixture(params=params(*LIVE))
async def writers(
    request: pytest.FixtureRequest, place: Place, anyio_backend: str
) -> AsyncIterator[tuple[Log, Log]]:
    """An empty live log, in the hands of two writers."""
    async with LIVE[request.param](place) as logs:
        yield logs


@pytest.fixture
def log(writers: tuple[Log, Log]) -> Log:
    """An empty live log."""
    return writers[0]


@pytest.fixture(params=params(*LIVE, *HELD))
def holding(request: pytest.FixtureRequest, place: Place) -> object:
    """``holding(steps)``: a log, of any kind, that holds the steps."""
    name = request.param

    @asynccontextmanager
    async def hold(steps: Sequence[Sequence[Draft]]) -> AsyncIterator[Log]:
        if name in HELD:
            async with HELD[name](place, steps) as held:
                yield held
            return
        async with LIVE[name](place) as (live, _):
            for step in steps:
                await live.append(step)
            yield live

    return hold
