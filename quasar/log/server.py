"""A nats-server of our own: a child process that dies with this one and leaves its store whole."""

import fcntl
import json
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from typing import Any

import anyio
import msgspec
from anyio.abc import Process

from quasar.errors import LogError, TryAgain
from quasar.log.access import ADMIN, USERS, configured_users, inbox_of
from quasar.log.child_process import ending_with_parent
from quasar.log.jetstream_api import Login
from quasar.log.server_program import find_server, version_of

_POLL_S = 0.01
_STOP_S = 10.0
_MAX_PAYLOAD = 2**20
_ANY = -1
"""A port that is free."""


class _Access(msgspec.Struct, frozen=True):
    """What stays from one start to the next, so that clients find the server again."""

    port: int
    passwords: dict[str, str] = {}
    """By user."""
    password: str | None = None
    """Of the only user that earlier programs knew."""


class NatsServer:
    """A running server with JetStream on a loopback port. Make one with ``open``."""

    replicas = 1

    def __init__(self, version: str, process: Process, access: _Access, ports: Any) -> None:
        self.version = version
        """Such as ``2.15.1``."""
        self.process = process
        self.user = ADMIN
        self.password = access.passwords[ADMIN]
        self._passwords = access.passwords
        self.url = f"nats://127.0.0.1:{access.port}"
        self.monitoring_url: str | None = next(iter(ports.get("monitoring", [])), None)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        *,
        sync_always: bool = True,
        monitoring: bool = False,
        wait_s: float = 30.0,
        ready_s: float = 60.0,
    ) -> AsyncIterator["NatsServer"]:
        """Start a server on the store in ``folder``, and stop it at the end.

        ``sync_always``: what is acknowledged survives a power cut; False is for tests.
        ``wait_s``: how long another server that still drains there is waited for; ``ready_s``:
        how long this one may read its store. Address and login stay the same from one start to
        the next, while the port is free. The server ends with the thread that started it.

        Raises MissingExtra without a server program, TryAgain where another server keeps the
        folder, LogError where this one does not start.
        """
        binary = find_server()
        version = await version_of(binary)
        folder = _make(folder)
        lock = await _lock(folder, wait_s)
        try:
            access = _load_access(folder)
            settings = _settings(folder, sync_always, monitoring)
            process, ports = await _start(binary, folder, access, settings, lock, ready_s)
        finally:
            os.close(lock)  # the server holds it too: the folder is free when that has ended
        try:
            access = msgspec.structs.replace(access, port=_port(ports["nats"][0]))
            _write_private(folder / "access.json", msgspec.json.encode(access))
            yield cls(version, process, access, ports)
        finally:
            await _stop(process)

    def login(self, user: str) -> Login:
        """How a user of ``quasar.log.access.USERS`` connects."""
        return Login(user, self._passwords[user], inbox=inbox_of(user))

    async def wait(self) -> int:
        """Wait until the server ends, which it should not do by itself; its exit status."""
        return await self.process.wait()


def set_aside(folder: Path) -> Path | None:
    """Give a store another name, so that the next server begins with an empty one.

    Gives the new name; None where there is no store. Raises TryAgain while a server uses it.
    """
    if not folder.exists():
        return None
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        names = (folder.with_name(f"{folder.name}.aside-{n}") for n in count(1))
        return folder.rename(next(name for name in names if not name.exists()))
    except BlockingIOError:
        raise TryAgain(f"a nats-server still uses {folder}: stop its validator first") from None
    finally:
        os.close(file)


def _make(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


async def _lock(folder: Path, wait_s: float) -> int:
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with anyio.move_on_after(wait_s):
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return file
                await anyio.sleep(_POLL_S)
        raise TryAgain(f"another nats-server still uses {folder}: stop its validator first")
    except BaseException:
        os.close(file)
        raise


def _load_access(folder: Path) -> _Access:
    """As the last start left it, completed with whoever is new since then."""
    try:
        kept = msgspec.json.decode((folder / "access.json").read_bytes(), type=_Access)
    except (FileNotFoundError, msgspec.DecodeError):
        kept = _Access(port=_ANY)
    known = {ADMIN: kept.password} if kept.password else kept.passwords
    passwords = {user: known.get(user) or secrets.token_hex(32) for user in USERS}
    return _Access(port=kept.port, passwords=passwords)


def _settings(folder: Path, sync_always: bool, monitoring: bool) -> dict[str, Any]:
    """The configuration but for access: JSON, which the server reads."""
    store = {"store_dir": str(folder / "jetstream")}
    if sync_always:
        store["sync_interval"] = "always"
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "max_payload": _MAX_PAYLOAD,
        "ports_file_dir": str(folder / "ports"),
        "jetstream": store,
    }
    if monitoring:
        settings["http"] = "127.0.0.1:-1"
    return settings


async def _start(
    binary: Path,
    folder: Path,
    access: _Access,
    settings: dict[str, Any],
    lock: int,
    ready_s: float,
) -> tuple[Process, dict[str, Any]]:
    """The server's process, and its addresses by kind, once it answers."""
    proofs = {user: {"user": user, "password": p} for user, p in access.passwords.items()}
    users = {"users": configured_users(proofs)}
    for port in dict.fromkeys((access.port, _ANY)):
        config = settings | {"port": port, "authorization": users}
        _write_private(folder / "nats.conf", json.dumps(config, ensure_ascii=False).encode())
        process = await _spawn(binary, folder, lock)
        try:
            if ports := await _ready(process, folder, ready_s):
                return process, ports
        except BaseException:
            await _stop(process)
            raise
        last = _last_line(folder / "server.log")
        if "address already in use" not in last:
            break
    raise LogError(f"nats-server did not start: {last}; see {folder / 'server.log'}")


async def _spawn(binary: Path, folder: Path, lock: int) -> Process:
    shutil.rmtree(folder / "ports", ignore_errors=True)
    (folder / "ports").mkdir(mode=0o700)
    command = ending_with_parent([str(binary), "-c", str(folder / "nats.conf")])
    log = os.open(folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return await anyio.open_process(
            command,
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
            start_new_session=True,
            pass_fds=[lock],
        )
    finally:
        os.close(log)


async def _ready(process: Process, folder: Path, ready_s: float) -> dict[str, Any] | None:
    """Addresses by kind; None where the server ended instead."""
    file = folder / "ports" / f"nats-server_{process.pid}.ports"
    with anyio.move_on_after(ready_s):
        while process.returncode is None:
            with suppress(FileNotFoundError, msgspec.DecodeError):
                return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
            await anyio.sleep(_POLL_S)
        return None
    raise LogError(f"nats-server was not ready after {ready_s:.0f} s: see {folder / 'server.log'}")


async def _stop(process: Process) -> None:
    """Let it flush and go; end it if it does not."""
    with anyio.CancelScope(shield=True):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                process.send_signal(number)
            with anyio.move_on_after(_STOP_S):
                await process.wait()
                return


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _last_line(log: Path) -> str:
    lines = log.read_bytes()[-4096:].decode(errors="replace").splitlines()
    return lines[-1].strip() if lines else "it said nothing"


def _write_private(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)
    part.replace(path)
