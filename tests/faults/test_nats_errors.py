"""What can be wrong with an operator's log server: one clear line each, exit code 2."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from quasar.chain.bittensor import BittensorChain
from quasar.cli import app, logs
from quasar.cli.identity import demo_validator
from quasar.cli.nats import config as nats_config
from quasar.cli.run import run
from quasar.events.signing import log_id_of
from quasar.log import external
from quasar.log.access import ADMIN
from quasar.log.external import read_logins
from quasar.log.jetstream_wire import Wire
from quasar.log.server_config import Certificates
from tests.e2e import programs
from tests.nats_servers import Files, certificates, serving
from tests.ports import free_port

pytestmark = pytest.mark.nats

SEED, NETUID = 7, 24


class Ran(NamedTuple):
    code: int
    err: str


Validate = Callable[..., Ran]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local chain with two miners on it."""
    with programs.subnet(tmp_path_factory.mktemp("chain"), SEED, miners=2) as url:
        yield url


@pytest.fixture
def validate(
    chain: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Validate:
    """Runs ``quasar validate`` in this process, with a server and its logins."""
    monkeypatch.setattr(logs, "set_up", lambda **_: None)

    def call(url: str, credentials: Path, *more: object) -> Ran:
        arguments = ["validate", "--chain", chain, "--seed", SEED, "--rounds", 1, "--nats", url]
        arguments += ["--state", tmp_path / "state", "--nats-credentials", credentials, *more]
        code = run(app, [str(a) for a in arguments])
        return Ran(code, capsys.readouterr().err)

    return call


class Kept(NamedTuple):
    """A server's configuration, and the file with its users' logins."""

    config: dict[str, Any]
    credentials: Path


@pytest.fixture(params=[False, True], ids=["keys", "passwords"])
def either(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Kept:
    return kept(tmp_path, capsys, passwords=request.param)


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Kept:
    return kept(tmp_path, capsys, passwords=False)


def kept(folder: Path, capture: pytest.CaptureFixture[str], *, passwords: bool) -> Kept:
    """As ``quasar nats config`` writes them."""
    file = folder / "logins.json"
    listen, store = "127.0.0.1:-1", folder / "js"
    nats_config(credentials=file, listen=listen, store=store, passwords=passwords, json=True)
    return Kept(json.loads(capture.readouterr().out), file)


@contextmanager
def running(folder: Path, config: dict[str, Any]) -> Iterator[tuple[str, BlockingPortal]]:
    """A server, and a loop in which to speak with it."""
    with start_blocking_portal() as portal:
        server: AbstractContextManager[Any] = portal.wrap_async_context_manager(
            serving(folder / "server", config)
        )
        with server as (url, _):
            yield url, portal


def is_one_line(ran: Ran, *words: str) -> bool:
    lines = ran.err.splitlines()
    return ran.code == 2 and len(lines) == 1 and all(word in lines[0] for word in words)


def test_wrong_logins(
    validate: Validate, either: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The login of another server is refused; its user is named, and no secret is shown."""
    ours = json.loads(either.credentials.read_text())
    other = tmp_path / "other.json"
    nats_config(credentials=other, passwords="seed" not in ours["admin"], json=True)
    theirs = json.loads(other.read_text())
    capsys.readouterr()
    with running(tmp_path, either.config) as (url, _):
        for user in (ADMIN, "scorer"):
            either.credentials.write_text(json.dumps(ours | {user: theirs[user]}))
            ran = validate(url, either.credentials)
            assert is_one_line(ran, "refuses this login", "" if user == ADMIN else user), ran
            assert not any(secret in ran.err for secret in theirs[user].values() if secret != user)


def test_a_user_with_the_rights_of_another(
    validate: Validate, either: Kept, tmp_path: Path
) -> None:
    """Two users mixed up: the first slot that is denied is named, before a round begins."""
    logins = json.loads(either.credentials.read_text())
    logins["scorer"], logins["weight-setter"] = logins["weight-setter"], logins["scorer"]
    either.credentials.write_text(json.dumps(logins))
    with running(tmp_path, either.config) as (url, _):
        ran = validate(url, either.credentials)
        assert ran.code == 2
        assert ran.err.count("\n") == 1, ran
        assert "the log's user scorer" in ran.err
        assert "permissions violation" in ran.err


def test_a_stream_with_another_configuration(
    validate: Validate, chain: str, keys: Kept, tmp_path: Path
) -> None:
    """A stream of that name that somebody else made is not written to."""
    login = read_logins(keys.credentials, None)[ADMIN]

    async def occupy(url: str) -> None:
        async with BittensorChain(chain, NETUID) as reader:
            genesis = await reader.genesis()
        hotkey = demo_validator(SEED).hotkey.ss58_address
        name = f"Q-{log_id_of(genesis, NETUID, hotkey, 1)}-1"
        async with Wire.open(url, login, 10) as wire:
            wanted = {"name": name, "subjects": ["q.>"], "storage": "file"}
            await wire.api(f"STREAM.CREATE.{name}", wanted)

    with running(tmp_path, keys.config) as (url, portal):
        portal.call(occupy, url)
        ran = validate(url, keys.credentials)
    assert is_one_line(ran, "stream Q-", "where a log needs"), ran


def test_no_server_there(validate: Validate, keys: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nothing listens, and one that no name server knows."""
    monkeypatch.setattr(external, "_PATIENCE_S", 1.0)
    port = free_port()
    ran = validate(f"nats://u:secret@127.0.0.1:{port}", keys.credentials)
    assert is_one_line(ran, f"cannot connect to the log server nats://127.0.0.1:{port}"), ran
    assert "secret" not in ran.err
    ran = validate("nats://nowhere.invalid", keys.credentials)
    assert is_one_line(ran, "cannot connect", "nowhere.invalid:4222"), ran


def test_a_server_without_jetstream(validate: Validate, keys: Kept, tmp_path: Path) -> None:
    """It is said to be off, not waited for."""
    config = {key: value for key, value in keys.config.items() if key != "jetstream"}
    with running(tmp_path, config) as (url, _):
        assert is_one_line(validate(url, keys.credentials), "has no JetStream"), "silent"


def test_copies_that_a_single_server_cannot_keep(
    validate: Validate, keys: Kept, tmp_path: Path
) -> None:
    """Three copies need a cluster; a stream with one copy is no stream with three."""
    with running(tmp_path, keys.config) as (url, _):
        ran = validate(url, keys.credentials, "--nats-replicas", 3)
        assert is_one_line(ran, "replicas"), ran


class Old(socketserver.BaseRequestHandler):
    """The first words of a nats-server that is too old."""

    def handle(self) -> None:
        info = {"server_id": "X", "version": "2.11.9", "max_payload": 2**20, "headers": True}
        self.request.sendall(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while data := self.request.recv(4096):
            if b"PING" in data:
                self.request.sendall(b"PONG\r\n")


def test_a_server_that_is_too_old(validate: Validate, keys: Kept) -> None:
    """Its version stands beside the one that is needed."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Old) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ran = validate(f"nats://127.0.0.1:{server.server_address[1]}", keys.credentials)
        server.shutdown()
    assert is_one_line(ran, "nats-server 2.11", "install 2.12 or later"), ran


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--nats-replicas", "3"], "need --nats"),
        (["--nats", "http://127.0.0.1:1"], "nats://HOST:PORT"),
        (["--nats", "nats://h", "--nats-replicas", "2"], "must be 1, 3 or 5"),
        (["--nats", "nats://h", "--nats-ca", "/no/such/file"], "/no/such/file"),
        (["--nats", "nats://h", "--nats-cert", "c"], "give both or neither"),
        (["--nats", "nats://h", "--nats-credentials", "/no/such/file"], "quasar nats config"),
        (["--mock", "--nats", "nats://h"], "leave --nats away"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_flags_that_do_not_fit(
    flags: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Said before anything is connected to."""
    monkeypatch.setattr(logs, "set_up", lambda **_: None)
    code = run(app, ["validate", "--seed", "1", "--chain", "ws://127.0.0.1:9", *flags])
    assert is_one_line(Ran(code, capsys.readouterr().err), words)


def test_logins_that_others_may_read(validate: Validate, keys: Kept, tmp_path: Path) -> None:
    """A file that is open to others, or lacks a user, is refused."""
    keys.credentials.chmod(0o644)
    ran = validate("nats://127.0.0.1:9", keys.credentials)
    assert is_one_line(ran, "chmod 600"), ran
    keys.credentials.chmod(0o600)
    logins = json.loads(keys.credentials.read_text())
    del logins["scorer"]
    keys.credentials.write_text(json.dumps(logins))
    ran = validate("nats://127.0.0.1:9", keys.credentials)
    assert is_one_line(ran, "has no scorer", "quasar nats config"), ran
    empty = tmp_path / "folder"
    empty.mkdir()
    assert is_one_line(validate("nats://127.0.0.1:9", empty), "has no admin.creds"), "silent"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certificates(tmp_path_factory.mktemp("tls") / "files")


def with_tls(config: dict[str, Any], files: Files) -> dict[str, Any]:
    return config | {
        "tls": Certificates(cert=str(files.cert), key=str(files.key), ca=str(files.ca)).block(
            verify=True
        )
    }


def test_a_certificate_that_nobody_vouches_for(
    validate: Validate, keys: Kept, files: Files, tmp_path: Path
) -> None:
    """Unknown authority, and no certificate where the server asks for one."""
    with running(tmp_path, with_tls(keys.config, files)) as (url, _):
        ran = validate(url, keys.credentials)
        assert is_one_line(ran, "cannot be trusted", "authority"), ran
        ran = validate(url, keys.credentials, "--nats-ca", files.ca)
        assert is_one_line(ran, "wants a client's certificate"), ran


def test_a_round_on_a_server_of_ones_own(
    chain: str, keys: Kept, files: Files, tmp_path: Path
) -> None:
    """All works through users with few rights, encrypted, both sides with certificates."""
    archive, hotkey = tmp_path / "archive", demo_validator(SEED).hotkey.ss58_address
    with running(tmp_path, with_tls(keys.config, files)) as (url, _):
        arguments = ["--chain", chain, "--seed", str(SEED), "--once", "1", "--nats", url]
        arguments += ["--nats-credentials", str(keys.credentials), "--out", str(archive)]
        arguments += ["--nats-ca", str(files.ca), "--nats-cert", str(files.cert)]
        arguments += ["--nats-key", str(files.key)]
        played = programs.run("validate", *arguments, "--state", str(tmp_path / "state"))
    assert played.code == 0, played
    audited = programs.run("audit", str(archive), "--hotkey", hotkey, "--json")
    assert json.loads(audited.out)["result"] == "clean", audited
    assert not (tmp_path / "state" / "nats").exists()
