"""Fifty appenders at once, and what server and network do to them: nothing acknowledged is lost."""

import json
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute, TaskGroup

from quasar.draw import Draw
from quasar.errors import LogError
from quasar.events import Draft, RunEnded
from quasar.events.envelope import decode
from quasar.log import Stored, jetstream_wire
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.jetstream_stream import stream_config
from quasar.log.jetstream_wire import Wire
from quasar.log.server import NatsServer
from quasar.log.server_program import find_server
from tests.faults.log_faults import everything

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

APPENDERS = 50
SEEDS = [b"one", b"two", b"three"]


def fact(run: int) -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason="done"))


@asynccontextmanager
async def opened(url: str, login: Login, patience: float = 60) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        url, "0000abcd", 0, MemoryBlobs(), login=login, patience=patience
    ) as log:
        yield log


class Load:
    """Appenders, each with steps of its own, one after the other."""

    def __init__(self, log: JetStreamLog, seed: bytes) -> None:
        self.log = log
        self.lengths = Draw(seed, "lengths")
        self.patience = Draw(seed, "patience")
        self.steps: dict[int, list[list[int]]] = {who: [] for who in range(APPENDERS)}
        self.stored: list[list[Stored]] = []
        self.acknowledged: dict[int, list[int]] = {who: [] for who in range(APPENDERS)}
        self.stopping = False
        self.done = anyio.Event()

    async def run(self, cancelled: bool = False) -> None:
        async with anyio.create_task_group() as tasks:
            for who in self.steps:
                tasks.start_soon(self._append, who, cancelled)
        self.done.set()

    async def stop(self) -> None:
        """Let everyone finish; without cancellations every step must be acknowledged."""
        self.stopping = True
        with anyio.fail_after(60):
            await self.done.wait()

    async def _append(self, who: int, cancelled: bool) -> None:
        at = 10**6 * who
        while not self.stopping:
            length = self.lengths.choice([1, 1, 1, 2, 3, 40])
            step = list(range(at, at + length))
            at += length
            self.steps[who].append(step)
            patience = self.patience.below(60) / 1000 if cancelled else float("inf")
            with anyio.move_on_after(patience):
                got = await self.log.append([fact(run) for run in step])
                assert all(s.new for s in got)
                self.stored.append(got)
                self.acknowledged[who].append(got[0].seq)

    async def check(self, least: int) -> None:
        """What was acknowledged is there, once, in order; what was not, at most once."""
        assert len(self.stored) >= least
        lines = await everything(self.log)
        runs: list[int] = [decode(line).event.run for line in lines]  # type: ignore[union-attr]
        assert len(set(runs)) == len(runs)
        for got in self.stored:
            assert [lines[s.seq - 1] for s in got] == [s.line for s in got]
        for seqs in self.acknowledged.values():
            assert seqs == sorted(seqs)
        place = {run: seq for seq, run in enumerate(runs)}
        for steps in self.steps.values():
            for step in steps:  # whole, or not at all
                first = place.get(step[0])
                expected = [None if first is None else first + i for i in range(len(step))]
                assert [place.get(run) for run in step] == expected


@pytest.mark.parametrize("seed", SEEDS)
async def test_kill_9_of_the_server_at_any_moment(tmp_path: Path, seed: bytes) -> None:
    """The server dies five times under load and comes back; all appends end well."""
    moments = Draw(seed, "moments")
    async with NatsServer.open(tmp_path) as server:
        login = Login(server.user, server.password)
        async with opened(server.url, login) as log, anyio.create_task_group() as tasks:
            load = Load(log, seed)
            tasks.start_soon(load.run)
            await kill_again_and_again(tmp_path, server, load, moments, 5)
            async with NatsServer.open(tmp_path):
                await load.stop()
                await load.check(least=5 * APPENDERS)
                assert len(load.stored) == sum(map(len, load.steps.values()))


async def kill_again_and_again(
    folder: Path, server: NatsServer, load: Load, moments: Draw, times: int
) -> None:
    before = len(load.stored)
    while len(load.stored) < before + APPENDERS:  # noqa: ASYNC110 - the load is under way
        await anyio.sleep(0.001)
    await anyio.sleep(moments.below(100) / 1000)
    server.process.kill()
    await server.wait()
    if times > 1:
        async with NatsServer.open(folder) as again:
            assert again.url == server.url
            await kill_again_and_again(folder, again, load, moments, times - 1)


class Proxy:
    """A network between client and server that can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: set[ByteStream] = set()
        self._flowing = anyio.Event()
        self._flowing.set()
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def open(cls, server: NatsServer) -> AsyncIterator["Proxy"]:
        proxy = cls(int(server.url.rpartition(":")[2]))
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        proxy.url = f"nats://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, proxy._connect)
            yield proxy
            tasks.cancel_scope.cancel()

    def stall(self) -> None:
        """Nothing passes, and nobody is told."""
        self._flowing = anyio.Event()

    def flow(self) -> None:
        self._flowing.set()

    async def drop(self) -> None:
        """All connections end at once, with what was under way."""
        for stream in list(self._streams):
            await anyio.aclose_forcefully(stream)

    async def _connect(self, client: ByteStream) -> None:
        with suppress(OSError):
            server = await anyio.connect_tcp("127.0.0.1", self._port)
            async with client, server, anyio.create_task_group() as tasks:
                self._streams |= {client, server}
                tasks.start_soon(self._pump, client, server, tasks)
                tasks.start_soon(self._pump, server, client, tasks)

    async def _pump(self, source: ByteStream, target: ByteStream, tasks: TaskGroup) -> None:
        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            while True:
                data = await source.receive(10_000)
                await self._flowing.wait()
                await target.send(data)
        self._streams -= {source, target}
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_network_that_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: bytes
) -> None:
    """Connections break, or fall silent with what was under way; all appends end well."""
    monkeypatch.setattr(jetstream_wire, "_REQUEST_S", 0.3)
    moments = Draw(seed, "moments")
    async with NatsServer.open(tmp_path) as server, Proxy.open(server) as proxy:
        login = Login(server.user, server.password)
        async with opened(proxy.url, login) as log, anyio.create_task_group() as tasks:
            load = Load(log, seed)
            tasks.start_soon(load.run)
            for cut in moments.shuffled(["drop", "stall"] * 3):
                await anyio.sleep(moments.below(100) / 1000)
                if cut == "drop":
                    await proxy.drop()
                else:
                    proxy.stall()
                    await anyio.sleep(0.5)
                    proxy.flow()
            await load.stop()
            await load.check(least=APPENDERS)
            assert len(load.stored) == sum(map(len, load.steps.values()))


@pytest.mark.parametrize("seed", SEEDS)
async def test_publishes_that_come_twice_or_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: bytes
) -> None:
    """Batches and singles arrive twice, or after they were given up; each is stored once."""
    monkeypatch.setattr(jetstream_wire, "_REQUEST_S", 0.1)
    real: Callable[[Wire, bytes], Awaitable[None]] = Wire._write
    fates, late = Draw(seed, "fates"), list[bytes]()
    count = {"twice": 0, "late": 0}

    async def write(self: Wire, commands: bytes) -> None:
        fate = fates.choice(["fine"] * 6 + ["twice", "late"])
        if not commands.startswith(b"HPUB q.") or fate == "fine":
            await real(self, commands)
            while late:
                await real(self, late.pop())
            return
        count[fate] += 1
        if fate == "late":
            late.append(commands)
            return
        await real(self, commands)
        await real(self, commands)

    async with (
        NatsServer.open(tmp_path, sync_always=False) as server,
        opened(server.url, Login(server.user, server.password)) as log,
        anyio.create_task_group() as tasks,
    ):
        load = Load(log, seed)
        with monkeypatch.context() as m:
            m.setattr(Wire, "_write", write)
            tasks.start_soon(load.run)
            while min(count.values()) < 5:  # noqa: ASYNC110 - what the load does
                await anyio.sleep(0.01)
            await load.stop()
        await load.check(least=APPENDERS)
        assert len(load.stored) == sum(map(len, load.steps.values()))


@pytest.mark.parametrize("seed", SEEDS)
async def test_cancelled_appenders(tmp_path: Path, seed: bytes) -> None:
    """Appends are cancelled at any moment: steps stay whole, and the log usable."""
    async with (
        NatsServer.open(tmp_path, sync_always=False) as server,
        opened(server.url, Login(server.user, server.password)) as log,
        anyio.create_task_group() as tasks,
    ):
        load = Load(log, seed)
        tasks.start_soon(load.run, True)
        while len(load.stored) < 5 * APPENDERS:  # noqa: ASYNC110 - what the load does
            await anyio.sleep(0.01)
        await load.stop()
        await load.check(least=APPENDERS)
        assert len(load.stored) < sum(map(len, load.steps.values()))
        assert (await log.append([fact(10**8)]))[0].new


def conf(folder: Path, users: list[dict[str, Any]]) -> Path:
    """Write the configuration of a server; its path."""
    config = {
        "host": "127.0.0.1",
        "port": -1,
        "ports_file_dir": str(folder),
        "jetstream": {"store_dir": str(folder / "js")},
        "authorization": {"users": users},
    }
    if ports := list(folder.glob("*.ports")):  # a reload may not change the port
        config["port"] = int(json.loads(ports[0].read_text())["nats"][0].rpartition(":")[2])
    path = folder / "conf"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def configured(folder: Path, users: list[dict[str, Any]]) -> AsyncIterator[tuple[str, int]]:
    """A server with these users: its address and process."""
    command = [str(find_server()), "-c", str(conf(folder, users))]
    async with await anyio.open_process(command, stdin=DEVNULL, stdout=DEVNULL) as process:
        ports = folder / f"nats-server_{process.pid}.ports"
        while not (ports.exists() and ports.stat().st_size):  # noqa: ASYNC110 - a file
            await anyio.sleep(0.01)
        yield str(json.loads(ports.read_text())["nats"][0]), process.pid
        process.terminate()


async def test_a_password_that_changes(tmp_path: Path) -> None:
    """The server drops a login; the next connection asks again what the password is."""
    known = ["old"]
    async with (
        configured(tmp_path, [{"user": "u", "password": "old"}]) as (url, pid),
        opened(url, Login("u", lambda: known[-1]), patience=60) as log,
        aclosing(log.read()) as reader,
    ):
        await log.append([fact(1)])
        assert (await anext(reader))[0] == 1
        conf(tmp_path, [{"user": "u", "password": "new"}])
        os.kill(pid, signal.SIGHUP)
        while log._wire._client.is_connected:  # noqa: ASYNC110 - another process
            await anyio.sleep(0.01)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(log.append, [fact(2)])
            await anyio.sleep(0.3)  # some vain attempts
            known.append("new")
        with anyio.fail_after(30):
            assert (await anext(reader))[0] == 2
        assert await log.head() == 2


def one_line(error: LogError) -> str:
    """The message of an error for which a person must do something."""
    assert error.exit_code == 2
    assert "\n" not in str(error)
    return str(error)


async def test_a_denied_slot_among_others(tmp_path: Path) -> None:
    """Only the step that this user may not write is refused, by name; its group is stored."""
    own = {"publish": ["q.*.*.run.1.>", "q.*.*.run.2.>", "$JS.API.>"]}
    users: list[dict[str, Any]] = [
        {"user": "admin", "password": "a"},
        {"user": "actor", "password": "s", "permissions": own},
    ]
    refused: list[str] = []

    async def append(log: JetStreamLog, step: list[Draft]) -> None:
        try:
            await log.append(step)
        except LogError as e:
            refused.append(one_line(e))

    async with (
        configured(tmp_path, users) as (url, _),
        opened(url, Login("admin", "a")),
        opened(url, Login("actor", "s")) as log,
    ):
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(append, log, [fact(1)])
                tasks.start_soon(append, log, [fact(3), fact(4)])
                tasks.start_soon(append, log, [fact(2)])
        assert await log.head() == 2
    [line] = refused
    assert re.search(r'violation for publish to "q\.0000abcd\.0\.run\.[34]\.end"', line)
    assert line.endswith("give this user that permission")


async def test_a_wrong_password(tmp_path: Path) -> None:
    """One line says that the login is refused, and does not show it."""
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        with anyio.fail_after(30), pytest.raises(LogError, match="refuses this login") as caught:
            async with opened(server.url, Login(server.user, "guess")):
                pass
    assert "guess" not in one_line(caught.value)


async def test_a_server_of_an_old_version() -> None:
    """One line says what runs there and what is needed, before anything is asked of it."""
    asked: list[bytes] = []
    info = {"version": "2.10.22", "headers": True, "max_payload": 2**20, "server_id": "x"}

    async def serve(stream: ByteStream) -> None:
        async with stream:
            await stream.send(b"INFO %b\r\n" % json.dumps(info).encode())
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    asked.append(await stream.receive())
                    if b"PING" in asked[-1]:
                        await stream.send(b"PONG\r\n")

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        url = f"nats://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            with anyio.fail_after(30), pytest.raises(LogError) as caught:
                async with opened(url, Login()):
                    pass
            tasks.cancel_scope.cancel()
    assert one_line(caught.value) == (
        f"{url} runs nats-server 2.10, which cannot store a step whole: install 2.12 or later"
    )
    assert b"JS.API" not in b"".join(asked)


@pytest.mark.parametrize(("key", "value"), [("allow_atomic", False), ("max_age", 10**12)])
async def test_a_stream_of_another_make(tmp_path: Path, key: str, value: object) -> None:
    """One line names the setting: also where a server ignored what it does not know."""
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        login = Login(server.user, server.password)
        async with Wire.open(server.url, login, 5) as wire:
            config = stream_config("Q-0000abcd-0", "q.0000abcd.0", 1) | {key: value}
            await wire.api("STREAM.CREATE.Q-0000abcd-0", config)
        with pytest.raises(LogError, match=f"Q-0000abcd-0 has {key} = ") as caught:
            async with opened(server.url, login):
                pass
    one_line(caught.value)
