"""What JetStream may do to a log: die, keep silent, refuse, forget."""

import itertools
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from quasar.errors import Diverged
from quasar.events import Draft, RunEnded, WeightsDeferred
from quasar.log import Stored
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_wire import Login, Message, Unanswered, Wire
from quasar.log.server import NatsServer

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

Exchange = Callable[[Wire, Sequence[Message]], Awaitable[dict[str, Any]]]


def fact(run: int, reason: str = "done") -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason=reason))


def facts(start: int, stop: int) -> list[Draft]:
    return [fact(run) for run in range(start, stop)]


def decision(reason: str) -> Draft:
    event = WeightsDeferred(epoch=1, attempt=0, block=9, reason=reason)
    return Draft(actor="w", cause=1, event=event)


@pytest.fixture
async def server(tmp_path: Path, anyio_backend: str) -> AsyncIterator[NatsServer]:
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        yield server


@asynccontextmanager
async def opened(server: NatsServer, patience: float = 20) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        server.url,
        "0000abcd",
        0,
        MemoryBlobs(),
        login=Login(server.user, server.password),
        patience=patience,
    ) as log:
        yield log


@pytest.fixture
async def log(server: NatsServer) -> AsyncIterator[JetStreamLog]:
    async with opened(server) as log:
        yield log


async def read(log: JetStreamLog, n: int, after: int = 0) -> list[int]:
    """Numbers of the next n events."""
    seen: list[int] = []
    with anyio.fail_after(20):
        async with aclosing(log.read(after)) as reader:
            async for seq, _ in reader:
                seen.append(seq)
                if len(seen) == n:
                    break
    return seen


def trouble(monkeypatch: pytest.MonkeyPatch, times: int, *, after: bool) -> None:
    """Lose the connection's next exchanges of events, before they are sent or after."""
    real: Exchange = Wire.exchange
    left = itertools.count(times, -1)

    async def exchange(self: Wire, messages: Sequence[Message]) -> dict[str, Any]:
        if messages[0].subject.startswith("$JS") or next(left) <= 0:
            return await real(self, messages)
        if after:
            await real(self, messages)
        raise Unanswered("lost on purpose")

    monkeypatch.setattr(Wire, "exchange", exchange)


@pytest.mark.parametrize("length", [1, 7])
async def test_a_lost_acknowledgement(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """A step that was stored without our knowing is found, as new, and not stored again."""
    trouble(monkeypatch, 1, after=True)
    got = await log.append(facts(0, length))
    assert [(s.seq, s.new) for s in got] == [(i + 1, True) for i in range(length)]
    assert await log.head() == length


@pytest.mark.parametrize("length", [1, 7])
async def test_a_lost_step(log: JetStreamLog, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """A step that never arrived is sent again."""
    trouble(monkeypatch, 2, after=False)
    got = await log.append(facts(0, length))
    assert [(s.seq, s.new) for s in got] == [(i + 1, True) for i in range(length)]
    assert await log.head() == length


async def test_a_lost_answer_to_a_diverging_decision(
    server: NatsServer, log: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision that another process stored meanwhile still stops this one."""
    async with opened(server) as other:
        await other.append([decision("all-zero")])
    trouble(monkeypatch, 1, after=False)
    with pytest.raises(Diverged):
        await log.append([fact(0), decision("no-scores")])
    assert await log.head() == 1


async def test_kill_9_of_the_server_under_load(tmp_path: Path) -> None:
    """The server dies and comes back: each step is stored once and readers miss nothing."""
    steps, length = 60, 5
    stored: list[Stored] = []
    seen: list[int] = []
    tenth = anyio.Event()

    async def write(log: JetStreamLog) -> None:
        for k in range(steps):
            stored.extend(await log.append(facts(k * length, (k + 1) * length)))
            if k == 10:
                tenth.set()

    async def follow(log: JetStreamLog) -> None:
        seen.extend(await read(log, steps * length))

    with anyio.fail_after(60):
        async with NatsServer.open(tmp_path) as server, opened(server) as log:
            async with anyio.create_task_group() as group:
                group.start_soon(write, log)
                group.start_soon(follow, log)
                for _ in range(2):
                    await tenth.wait()
                    os.kill(server.process.pid, signal.SIGKILL)
                    await server.wait()
                    tenth = anyio.Event()
                    break
                async with NatsServer.open(tmp_path) as again:
                    assert again.url == server.url
                    while len(seen) < steps * length:
                        await anyio.sleep(0.01)
            assert [s.seq for s in stored] == seen == list(range(1, steps * length + 1))
            assert all(s.new for s in stored)
