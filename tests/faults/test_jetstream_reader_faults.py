"""What may happen to a reader: nothing may be missing, doubled or out of order afterwards."""

import json
import ssl
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from quasar.draw import derive
from quasar.errors import Damaged, LogError
from quasar.events import Draft, RunEnded, RunStarted
from quasar.events.envelope import decode
from quasar.log import jetstream_reader, jetstream_socket
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login, Message
from quasar.log.jetstream_frames import Parsed, mark_of, parse
from quasar.log.jetstream_reader import read
from quasar.log.jetstream_socket import Socket, connect
from quasar.log.jetstream_wire import Wire
from quasar.log.server import NatsServer
from quasar.log.server_program import find_server

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

STREAM = "Q-0000abcd-0"
Events = AsyncGenerator[tuple[int, bytes], None]


def fact(run: int) -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason="done"))


def large(run: int, size: int) -> Draft:
    event = RunStarted(
        run=run,
        mode="mock",
        freshness="none",
        rounds=None,
        versions={"padding": "x" * size},
        digests={},
        sandbox=None,
    )
    return Draft(actor="supervisor", cause=0, event=event)


@pytest.fixture
async def server(tmp_path: Path, anyio_backend: str) -> AsyncIterator[NatsServer]:
    async with NatsServer.open(tmp_path / "nats", sync_always=False) as server:
        yield server


@asynccontextmanager
async def opened(url: str, login: Login, patience: float = 60) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        url, "0000abcd", 0, MemoryBlobs(), login=login, patience=patience
    ) as log:
        yield log


def login_of(server: NatsServer) -> Login:
    return Login(server.user, server.password)


@pytest.fixture
async def log(server: NatsServer) -> AsyncIterator[JetStreamLog]:
    async with opened(server.url, login_of(server)) as log:
        yield log


async def fill(log: JetStreamLog, start: int, stop: int) -> None:
    """Event ``n`` ends run ``n``."""
    for first in range(start, stop + 1, 1000):
        await log.append([fact(n) for n in range(first, min(first + 1000, stop + 1))])


def moments(seed: str, count: int, below: int) -> list[int]:
    """Numbers that look random, in order."""
    drawn = (derive(seed.encode(), f"moment {i}") for i in range(count))
    return sorted(int.from_bytes(d[:8], "big") % below + 1 for d in drawn)


async def take(reader: Events, start: int, stop: int, seconds: float = 60) -> None:
    """Read on up to ``stop``: every event, once, in order, with its own bytes."""
    with anyio.fail_after(seconds):
        for wanted in range(start, stop + 1):
            seq, line = await anext(reader)
            assert seq == wanted
            event = decode(line).event
            assert isinstance(event, RunEnded)
            assert event.run == wanted


@pytest.mark.parametrize("seed", ["one", "two", "three"])
async def test_kill_9_of_the_server_while_reading(tmp_path: Path, seed: str) -> None:
    """The server dies again and again; the reader goes on where it was."""
    total, seen = 20_000, 0
    async with AsyncExitStack() as servers:
        server = await servers.enter_async_context(NatsServer.open(tmp_path, sync_always=False))
        login = login_of(server)
        async with opened(server.url, login) as log, aclosing(log.read()) as reader:
            await fill(log, 1, total)
            for moment in moments(seed, 6, total):
                await take(reader, seen + 1, moment)
                seen = moment
                server.process.kill()
                await server.wait()
                server = await servers.enter_async_context(
                    NatsServer.open(tmp_path, sync_always=False)
                )
            await take(reader, seen + 1, total)
            await fill(log, total + 1, total + 10)
            await take(reader, total + 1, total + 10)


class Proxy:
    """A network between server and clients that can be cut. Make one with ``open``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: list[SocketStream] = []
        self.url = ""
        self.allowance: Callable[[], float] = lambda: float("inf")
        """Asked for each connection: bytes from the server after which it drops."""
        self.still = False
        """Whether connections made from now on fall silent after their allowance, instead."""
        self.made = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, server: NatsServer) -> AsyncIterator["Proxy"]:
        proxy = cls(int(server.url.rpartition(":")[2]))
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as tasks,
        ):
            proxy.url = f"nats://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
            tasks.start_soon(listener.serve, proxy._serve)
            yield proxy
            tasks.cancel_scope.cancel()

    async def cut(self) -> None:
        """Drop all connections."""
        for end in self._ends:
            await end.aclose()

    async def _serve(self, client: SocketStream) -> None:
        self.made += 1
        async with client, await anyio.connect_tcp("127.0.0.1", self._port) as server:
            self._ends += [client, server]
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._up, client, server)
                await self._down(client, server, self.allowance(), self.still)
                tasks.cancel_scope.cancel()

    async def _up(self, client: SocketStream, server: SocketStream) -> None:
        with suppress(anyio.EndOfStream, OSError, anyio.ClosedResourceError):
            while True:
                await server.send(await client.receive())

    async def _down(
        self, client: SocketStream, server: SocketStream, left: float, still: bool
    ) -> None:
        with suppress(anyio.EndOfStream, OSError, anyio.ClosedResourceError):
            while left > 0:
                data = await server.receive()
                data, left = data[: int(min(left, len(data)))], left - len(data)
                await client.send(data)
            if still:
                await anyio.sleep_forever()


@asynccontextmanager
async def behind(server: NatsServer, total: int) -> AsyncIterator[tuple[Proxy, Wire]]:
    """A log of ``total`` events, and a wire to it through a proxy."""
    login = login_of(server)
    async with opened(server.url, login) as log:
        await fill(log, 1, total)
    async with Proxy.open(server) as proxy, Wire.open(proxy.url, login, 20) as wire:
        yield proxy, wire


@pytest.mark.parametrize("seed", ["four", "five", "six"])
@pytest.mark.parametrize("still", [False, True])
async def test_connections_that_end_after_any_byte(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch, seed: str, still: bool
) -> None:
    """Each connection drops or falls silent in the middle of something; nothing is lost."""
    monkeypatch.setattr(jetstream_reader, "_HEARTBEAT_S", 0.1)
    monkeypatch.setattr(jetstream_reader, "_PAUSE_S", 0.01)
    allowances = iter(moments(seed, 8, 400_000))
    async with behind(server, 10_000) as (proxy, wire):
        proxy.still = still
        proxy.allowance = lambda: next(allowances, float("inf"))
        async with aclosing(one_by_one(wire, STREAM)) as reader:
            await take(reader, 1, 10_000)
        assert proxy.made > 5


async def test_a_network_that_drops_everything(server: NatsServer) -> None:
    """All connections end at once, while events come and while none do."""
    async with (
        behind(server, 5_000) as (proxy, wire),
        opened(server.url, login_of(server)) as log,
        aclosing(one_by_one(wire, STREAM)) as reader,
    ):
        await take(reader, 1, 2_500)
        await proxy.cut()
        await take(reader, 2_501, 5_000)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take, reader, 5_001, 5_010)
            await anyio.wait_all_tasks_blocked()
            await proxy.cut()
            await fill(log, 5_001, 5_010)


async def one_by_one(wire: Wire, stream: str) -> AsyncGenerator[tuple[int, bytes], None]:
    """Events with their numbers, as a log reads them."""
    async with aclosing(read(wire, stream, 0)) as runs:
        async for first, lines in runs:
            for seq, line in enumerate(lines, first):
                yield seq, line


def skipping(monkeypatch: pytest.MonkeyPatch, number: int, times: int) -> list[int]:
    """Lose an event between the server and the reader; each loss is added to the list."""
    lost: list[int] = []

    def without(chunk: bytes, mark: bytes) -> Parsed:
        parsed, runs = parse(chunk, mark), []
        for first, lines in parsed.runs:
            at = number - first
            if 0 <= at < len(lines) and len(lost) < times:
                lost.append(number)
                runs += [(first, lines[:at])] * (at > 0)
                runs += [(number + 1, lines[at + 1 :])] * (at + 1 < len(lines))
            else:
                runs.append((first, lines))
        return parsed._replace(runs=runs)

    monkeypatch.setattr(jetstream_socket, "parse", without)
    return lost


async def test_a_delivery_that_is_lost_is_asked_for_again(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that did not come, but is there, is read all the same."""
    await fill(log, 1, 3_000)
    lost = skipping(monkeypatch, 2_000, times=1)
    async with aclosing(log.read()) as reader:
        await take(reader, 1, 3_000)
    assert lost == [2_000]


@pytest.mark.parametrize("number", [1, 2, 2_000])
async def test_a_number_that_never_comes_is_damage(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """What stands before it is read; then the reader stops and names it."""
    await fill(log, 1, 3_000)
    skipping(monkeypatch, number, times=9)
    async with aclosing(log.read()) as reader:
        await take(reader, 1, number - 1)
        with anyio.fail_after(30), pytest.raises(Damaged, match=f"event {number}: missing"):
            await anext(reader)


async def test_an_event_deleted_in_the_middle(server: NatsServer) -> None:
    """A stream that lets events be removed is noticed by the number that is gone."""
    async with Wire.open(server.url, login_of(server), 20) as wire:
        config = {"name": "S", "subjects": ["s"], "storage": "file"}
        await wire.api("STREAM.CREATE.S", config)
        for _ in range(5):
            await wire.api("STREAM.INFO.S", None)
            await wire.send(Message("s", b"{}"))
        while (await wire.api("STREAM.INFO.S", None))["state"]["last_seq"] < 5:
            pass
        await wire.api("STREAM.MSG.DELETE.S", {"seq": 3})
        async with aclosing(one_by_one(wire, "S")) as reader:
            with anyio.fail_after(30):
                assert [await anext(reader) for _ in range(2)] == [(1, b"{}"), (2, b"{}")]
                with pytest.raises(Damaged, match="event 3: missing; the next in S is 4"):
                    await anext(reader)


async def test_the_live_tail_wakes_at_once(log: JetStreamLog) -> None:
    """An event reaches a waiting reader when it is stored, not at the next poll."""
    delays: list[float] = []
    async with aclosing(log.read()) as reader:
        for n in range(1, 21):
            seen: list[float] = []

            async def wait(n: int = n, seen: list[float] = seen) -> None:
                await take(reader, n, n)
                seen.append(anyio.current_time())

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                await fill(log, n, n)
                stored = anyio.current_time()
            delays.append(seen[0] - stored)
    assert sorted(delays)[10] < 1.0  # far less than a pull or a heartbeat takes


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[Socket]:
    """The reader's connections, as they are made."""
    made: list[Socket] = []

    async def connect_and_keep(*args: Any) -> Socket:
        made.append(await connect(*args))
        return made[-1]

    monkeypatch.setattr(jetstream_reader, "connect", connect_and_keep)
    return made


async def test_a_slow_reader_holds_little(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch, sockets: list[Socket]
) -> None:
    """However long the reader's owner thinks, only what was asked for is in memory."""
    monkeypatch.setattr(jetstream_reader, "_BATCH", 100)
    await fill(log, 1, 2_000)
    held = 0
    async with aclosing(log.read()) as reader:
        for n in range(1, 2_001):
            await take(reader, n, n)
            if n % 100 == 0:
                for _ in range(3):  # the server's answers come after what it sent before
                    await log.head()
                held = max(held, sum(len(lines) for _, lines in sockets[0].runs))
    assert 50 <= held <= 150
    assert len(sockets) == 1


async def test_large_events_are_asked_for_by_their_bytes(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch, sockets: list[Socket]
) -> None:
    """A request ends when its bytes are full; the rest comes with the next."""
    limit, size, count = 300_000, 60_000, 60
    monkeypatch.setattr(jetstream_reader, "_BATCH_BYTES", limit)
    for n in range(count):
        await log.append([large(n, size)])
    held, seqs = 0, []
    async with aclosing(log.read()) as reader:
        for _ in range(count):
            with anyio.fail_after(30):
                seqs.append((await anext(reader))[0])
            await log.head()
            held = max(held, sum(len(line) for _, lines in sockets[0].runs for line in lines))
    assert seqs == list(range(1, count + 1))
    assert size < held <= 2 * limit
    assert len(sockets) == 1


async def test_requests_that_time_out(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch, sockets: list[Socket]
) -> None:
    """A tail on which nothing happens asks again, over the same connection."""
    monkeypatch.setattr(jetstream_reader, "_PULL_S", 1.2)
    monkeypatch.setattr(jetstream_reader, "_HEARTBEAT_S", 0.5)
    pull, pulls, third = jetstream_reader._Feed._pull, [], anyio.Event()

    def counted(feed: jetstream_reader._Feed) -> None:
        pull(feed)
        pulls.append(feed)
        if len(pulls) == 3:
            third.set()

    monkeypatch.setattr(jetstream_reader._Feed, "_pull", counted)
    await fill(log, 1, 5)
    async with aclosing(log.read()) as reader, anyio.create_task_group() as tasks:
        tasks.start_soon(take, reader, 1, 10)
        await third.wait()
        await fill(log, 6, 10)
    assert len(sockets) == 1


@asynccontextmanager
async def configured(folder: Path, **config: Any) -> AsyncIterator[str]:
    """A server with settings of its own; its address."""
    config |= {
        "host": "127.0.0.1",
        "port": -1,
        "ports_file_dir": str(folder),
        "jetstream": {"store_dir": str(folder / "js")},
    }
    (folder / "conf").write_text(json.dumps(config))
    async with await anyio.open_process(
        [str(find_server()), "-c", str(folder / "conf")], stdin=DEVNULL, stdout=DEVNULL
    ) as process:
        ports = folder / f"nats-server_{process.pid}.ports"
        while not (ports.exists() and ports.stat().st_size):  # noqa: ASYNC110 - a file
            await anyio.sleep(0.01)
        try:
            yield str(json.loads(ports.read_text())["nats"][0])
        finally:
            process.terminate()


async def test_a_user_who_may_not_ask_for_events(tmp_path: Path) -> None:
    """The permission that is missing is named."""
    rights = {"publish": {"deny": ["$JS.API.CONSUMER.MSG.NEXT.>"]}}
    users = [{"user": "u", "password": "p", "permissions": rights}]
    async with (
        configured(tmp_path, authorization={"users": users}) as url,
        opened(url, Login("u", "p")) as log,
        aclosing(log.read()) as reader,
    ):
        with anyio.fail_after(30), pytest.raises(LogError, match=r"MSG\.NEXT.*give this user"):
            await anext(reader)


async def test_a_server_that_takes_one_connection_only(tmp_path: Path) -> None:
    """A reader that is not let in says so when patience ends."""
    async with (
        configured(tmp_path, max_connections=1) as url,
        opened(url, Login()) as log,
        aclosing(log.read()) as reader,
    ):
        log._wire.patience = 0.5
        with (
            anyio.fail_after(30),
            pytest.raises(LogError, match=r"refuses a second connection.*maximum connections"),
        ):
            await anext(reader)


def certificate(folder: Path) -> tuple[Path, Path]:
    """One that says 127.0.0.1 and signs itself, and its key."""
    files = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=test"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-out", str(files[0]), "-keyout", str(files[1])),
        ],
        check=True,
        capture_output=True,
    )
    return files


async def test_an_encrypted_connection(tmp_path: Path) -> None:
    """Events come over TLS from a server that is trusted, and from no other."""
    public, private = certificate(tmp_path)
    tls = {"cert_file": str(public), "key_file": str(private)}
    async with configured(tmp_path, tls=tls) as url:
        address, mark = urlsplit(url.replace("tls://", "nats://")), mark_of("S", "C")
        trusting = ssl.create_default_context(cafile=str(public))
        with anyio.fail_after(30):
            socket = await connect(address, Login(tls=trusting), mark)
            socket.send(b"SUB here 1\r\nPUB here a.S.C.1.1.1 3\r\none\r\n")
            while not socket.runs:
                await socket.changed()
            assert socket.runs == [(1, [b"one"])]
            await socket.close()
            with pytest.raises(LogError, match=r"127\.0\.0\.1 is not who it should be"):
                await connect(address, Login(), mark)
