"""Three servers that keep three copies: any one of them may die, and nothing is lost or doubled."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from quasar.errors import LogError
from quasar.events import Draft, RunEnded
from quasar.events.envelope import decode
from quasar.log import Stored, jetstream_wire
from quasar.log.access import ADMIN
from quasar.log.blobs import MemoryBlobs
from quasar.log.external import ExternalServer
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.server_config import new_proofs, server_config
from tests.nats_servers import Node, cluster, logins_of, serving

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

STREAM = "Q-0000abcd-1"
TURNS = int(os.environ.get("QUASAR_FAULT_TURNS", "1"))
WRITERS = 4


@pytest.fixture
async def three(
    tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[list[Node], ExternalServer]]:
    """A cluster with a stream on all of it."""
    monkeypatch.setattr(jetstream_wire, "_REQUEST_S", 1.0)  # how long a leader is waited for
    proofs = new_proofs(secrets.token_bytes, passwords=False)
    async with cluster(tmp_path, proofs) as nodes:
        url = ",".join(node.url for node in nodes)
        server = ExternalServer(url=url, logins=logins_of(proofs), replicas=3)
        async with opened(server, ADMIN):
            pass
        yield nodes, server


@asynccontextmanager
async def opened(server: ExternalServer, user: str) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        server.url,
        "0000abcd",
        1,
        MemoryBlobs(),
        login=server.login(user),
        replicas=server.replicas,
        patience=60,
    ) as log:
        yield log


class Load:
    """Writers that go on until told to stop, and one reader of what they wrote."""

    def __init__(self, log: JetStreamLog) -> None:
        self._log = log
        self._stop = False
        self.acknowledged: dict[int, Stored] = {}
        """By run."""
        self.read: list[tuple[int, bytes]] = []
        self.moved = anyio.Event()

    async def write(self, writer: int) -> None:
        """Steps of one to seven events, one behind the other."""
        run = writer
        while not self._stop:
            runs = [run + WRITERS * i for i in range(1 + run % 7)]
            run = runs[-1] + WRITERS
            events = [RunEnded(run=n, reason="done") for n in runs]
            step = [Draft(actor="supervisor", cause=0, event=event) for event in events]
            self.acknowledged |= zip(runs, await self._log.append(step), strict=True)
            self.moved.set()
            self.moved = anyio.Event()

    async def follow(self) -> None:
        """Read for ever."""
        async with aclosing(self._log.read()) as reader:
            async for seen in reader:
                self.read.append(seen)
                self.moved.set()
                self.moved = anyio.Event()

    async def until_written(self, count: int) -> None:
        while len(self.acknowledged) < count:
            await self.moved.wait()

    async def until_read(self, count: int) -> None:
        while len(self.read) < count:
            await self.moved.wait()

    def stop(self) -> None:
        self._stop = True


async def leader(server: ExternalServer) -> str:
    async with opened(server, ADMIN) as log:
        return str((await log._info())["cluster"]["leader"])


async def everything(server: ExternalServer) -> list[tuple[int, bytes]]:
    async with opened(server, "scorer") as log:
        head = await log.head()
        async with aclosing(log.read()) as reader:
            return [await anext(reader) for _ in range(head)]


@pytest.mark.timeout(180 + 60 * TURNS)
async def test_one_after_the_other_is_killed(
    three: tuple[list[Node], ExternalServer],
) -> None:
    """Leader or not, under load: two of three go on; then all is there, once, in order."""
    nodes, server = three
    async with (
        opened(server, "supervisor") as log,
        opened(server, "scorer") as other,
        anyio.create_task_group() as tasks,
    ):
        load, reader = Load(log), Load(other)
        tasks.start_soon(reader.follow)
        async with anyio.create_task_group() as writers:
            for writer in range(WRITERS):
                writers.start_soon(load.write, writer)
            for turn in range(TURNS):
                await load.until_written(len(load.acknowledged) + 200)
                named = await leader(server)
                leads = [node.name == named for node in nodes]
                victim = nodes[leads.index(turn % 2 == 0)]
                await victim.kill()
                await load.until_written(len(load.acknowledged) + 200)
                await victim.start()
            load.stop()
        await reader.until_read(len(load.acknowledged))
        tasks.cancel_scope.cancel()
    stored = await everything(server)
    check(stored, load.acknowledged)
    assert reader.read[: len(stored)] == stored


def check(stored: list[tuple[int, bytes]], acknowledged: dict[int, Stored]) -> None:
    """Every acknowledged event is there once, under its number, in its writer's order."""
    assert [seq for seq, _ in stored] == list(range(1, len(stored) + 1))
    runs = [event.run for _, line in stored if isinstance(event := decode(line).event, RunEnded)]
    assert len(set(runs)) == len(runs) == len(stored)
    for run, kept in acknowledged.items():
        assert kept.new
        assert stored[kept.seq - 1] == (kept.seq, kept.line)
        assert runs[kept.seq - 1] == run
    for writer in range(WRITERS):
        own = [run for run in runs if run % WRITERS == writer]
        assert own == sorted(own)


async def test_one_server_alone_acknowledges_nothing(
    three: tuple[list[Node], ExternalServer],
) -> None:
    """Without a majority an append ends in an error, not in a promise; with it, it goes on."""
    nodes, server = three
    async with opened(server, "supervisor") as log:
        log._writer._patience = log._wire.patience = 4
        draft = Draft(actor="supervisor", cause=0, event=RunEnded(run=1, reason="done"))
        for node in nodes[:2]:
            await node.kill()
        with pytest.raises(LogError, match="does not answer"):
            await log.append([draft])
        for node in nodes[:2]:
            await node.start()
        log._writer._patience = log._wire.patience = 60
        assert (await log.append([draft]))[0].seq == 1


async def test_fewer_copies_than_wanted(three: tuple[list[Node], ExternalServer]) -> None:
    """A stream with one copy is not taken for one with three."""
    _, server = three
    async with opened(server, ADMIN) as log:
        config = (await log._info())["config"] | {"num_replicas": 1}
        await log._wire.api(f"STREAM.UPDATE.{STREAM}", config)
    with pytest.raises(LogError, match="is kept 1 times where 3 are wanted"):
        async with opened(server, ADMIN):
            pass


INFO = b'INFO {"version": "2.15.1", "max_payload": 1048576, "headers": true}\r\n'
UNAVAILABLE = b'{"error": {"code": 503, "err_code": 10008, "description": "unavailable"}}'


async def put_off(client: SocketStream) -> None:
    """What a server does that was cut off from its cluster: it answers that it cannot now."""
    lines = BufferedByteReceiveStream(client)
    async with client:
        with suppress(anyio.IncompleteRead, anyio.BrokenResourceError):
            await client.send(INFO)
            while words := (await lines.receive_until(b"\r\n", 65_536)).split():
                if words[0] == b"PING":
                    await client.send(b"PONG\r\n")
                elif words[0] == b"PUB":
                    await lines.receive_exactly(int(words[-1]) + 2)
                    size = len(UNAVAILABLE)
                    await client.send(b"MSG %b 1 %d\r\n%b\r\n" % (words[2], size, UNAVAILABLE))


async def test_a_server_that_only_puts_us_off(
    tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that goes on answering that it cannot is left for another."""
    monkeypatch.setattr(jetstream_wire, "_REQUEST_S", 0.5)
    monkeypatch.setattr("nats.aio.client.shuffle", lambda servers: None)
    proofs = new_proofs(secrets.token_bytes, passwords=True)
    config = server_config(listen="127.0.0.1:-1", store=tmp_path / "js", proofs=proofs)
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
        serving(tmp_path / "server", config) as (url, _),
    ):
        tasks.start_soon(listener.serve, put_off)
        port = listener.extra(SocketAttribute.local_port)
        login = Login(ADMIN, proofs[ADMIN].password)
        server = ExternalServer(url=f"nats://127.0.0.1:{port},{url}", logins={ADMIN: login})
        with anyio.fail_after(50):
            async with opened(server, ADMIN) as log:
                assert await log.head() == 0
                assert log._wire.address.port == int(url.rpartition(":")[2])
        tasks.cancel_scope.cancel()
