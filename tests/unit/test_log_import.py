"""A recorded log goes into a real server and comes back byte for byte; nothing is written over."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from quasar.cli import app
from quasar.cli.run import run
from quasar.events.envelope import tag_of
from quasar.log.access import ADMIN
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.blobs import MemoryBlobs
from quasar.log.files import FolderLock
from quasar.log.jetstream import JetStreamLog
from quasar.log.manifest import ArchiveIdentity
from quasar.log.server import NatsServer
from tests.forging import identity_of, played, write_archive
from tests.unit.volume_folder import snapshot, worlds, write_folder

Quasar = Callable[..., tuple[int, str, str]]


@pytest.fixture
def quasar(capsys: pytest.CaptureFixture[str]) -> Quasar:
    """Runs a command in this process: exit code, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(app, [str(a) for a in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded log. Not to be changed."""
    return write_archive(tmp_path_factory.mktemp("import") / "archive", played(), played().lines)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that somebody else runs."""
    folder = tmp_path_factory.mktemp("server")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(NatsServer.open(folder, sync_always=False)) as opened,
    ):
        yield opened


def address(server: NatsServer) -> str:
    return server.url.replace("://", f"://{server.user}:{server.password}@")


async def lines_on(server: NatsServer, identity: ArchiveIdentity) -> list[bytes]:
    """What the server holds of a volume."""
    async with JetStreamLog.open(
        server.url, identity.log_id, identity.volume, MemoryBlobs(), login=server.login(ADMIN)
    ) as log:
        head, lines = await log.head(), list[bytes]()
        async for _, line in log.read() if head else ():  # type: ignore[union-attr]
            lines.append(line)
            if len(lines) == head:
                break
        return lines


async def lines_in(store: Path, identity: ArchiveIdentity) -> list[bytes]:
    async with NatsServer.open(store) as opened:
        return await lines_on(opened, identity)


def is_one_line(ran: tuple[int, str, str], code: int) -> bool:
    return ran[:2] == (code, "") and ran[2].startswith("quasar: ") and ran[2].count("\n") == 1


def test_round_trip(quasar: Quasar, archive: Path, tmp_path: Path) -> None:
    """Export, import, and read back: the same lines under the same numbers, and the same file."""
    assert quasar("log", "export", archive, tmp_path / "copy")[0] == 0
    code, said, _ = quasar("log", "import", tmp_path / "copy", "--state", tmp_path / "s", "--json")
    assert code == 0
    assert json.loads(said)["events"] == len(played().lines)
    lines = anyio.run(lines_in, tmp_path / "s" / "nats", identity_of(played()))
    assert lines == played().lines
    assert quasar("log", "export", archive, tmp_path / "a.jsonl")[0] == 0
    assert (tmp_path / "a.jsonl").read_bytes() == b"".join(line + b"\n" for line in lines)
    assert snapshot(archive) == snapshot(tmp_path / "copy")


def test_lines_become_an_unsigned_archive(quasar: Quasar, archive: Path, tmp_path: Path) -> None:
    """It says that nobody signed it; it is shown and exported, and never judged."""
    file, folder = tmp_path / "a.jsonl", tmp_path / "unsigned"
    quasar("log", "export", archive, file)
    code, _, said = quasar("log", "import", file, "--out", folder)
    assert (code, "unsigned" in said) == (0, True)
    assert quasar("log", "export", folder, tmp_path / "b.jsonl")[0] == 0
    assert (tmp_path / "b.jsonl").read_bytes() == file.read_bytes()
    assert "nobody signed this archive" in quasar("log", "info", folder)[1]
    assert quasar("log", "tail", folder)[0] == 0
    for command in (("audit",), ("log", "verify")):
        ran = quasar(*command, folder)
        assert is_one_line(ran, 2)
        assert "is unsigned" in ran[2]
    code, _, said = quasar("log", "import", folder, "--state", tmp_path / "state")
    assert (code, "is unsigned" in said) == (0, True)


def test_another_server(
    quasar: Quasar, server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every volume becomes a stream there; a second import, of one or of all, changes nothing."""
    monkeypatch.delenv("QUASAR_NATS", raising=False)
    folder = write_folder(tmp_path / "volumes")
    code, said, _ = quasar("log", "import", folder, "--nats", address(server), "--json")
    assert (code, json.loads(said)["volumes"]) == (0, 4)
    for source in (folder, folder / "3"):
        ran = quasar("log", "import", source, "--nats", address(server))
        assert is_one_line(ran, 2)
        assert "nothing is imported over a log" in ran[2]
    for number, world in enumerate(worlds(), 1):
        identity = ArchiveLog(folder / str(number)).manifest.identity
        assert anyio.run(lines_on, server, identity) == world.lines


def test_a_store_is_not_written_over(quasar: Quasar, archive: Path, tmp_path: Path) -> None:
    """What is there stays, to the byte; what an interrupted import left is no store."""
    state = tmp_path / "state"
    (state / "nats").mkdir(parents=True)
    (state / "nats" / "file").write_bytes(b"precious")
    before = snapshot(state)
    assert is_one_line(quasar("log", "import", archive, "--state", state), 2)
    assert snapshot(state) == before
    shutil.rmtree(state / "nats")
    (state / ".nats.importing" / "half").mkdir(parents=True)
    assert quasar("log", "import", archive, "--state", state)[0] == 0
    assert [path.name for path in state.iterdir()] == ["nats"]


def test_two_imports_at_once(quasar: Quasar, archive: Path, tmp_path: Path) -> None:
    """The second one waits its turn, and takes nothing away from the first."""
    partial = tmp_path / ".nats.importing"
    partial.mkdir()
    lock = FolderLock(tmp_path)
    try:
        assert is_one_line(quasar("log", "import", archive, "--state", tmp_path), 75)
    finally:
        lock.release()
    assert partial.exists()


@pytest.mark.parametrize("part", ["segments/*", "tile/**/150", "checkpoint", "blobs/*/*"])
def test_a_damaged_archive(quasar: Quasar, archive: Path, tmp_path: Path, part: str) -> None:
    """Whatever is damaged, it is said before anything is made."""
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    path = min(copy.glob(part))
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    ran = quasar("log", "import", copy, "--state", tmp_path / "state")
    assert is_one_line(ran, 1)
    assert not (tmp_path / "state").exists()


def test_a_live_archive(quasar: Quasar, archive: Path, tmp_path: Path) -> None:
    """While a validator writes, its log is not moved."""
    shutil.copytree(archive, tmp_path / "copy")
    with ArchiveWriter.open(tmp_path / "copy", identity_of(played())):
        ran = quasar("log", "import", tmp_path / "copy", "--state", tmp_path / "state")
    assert is_one_line(ran, 75)


BAD_LINES = {
    "empty": b"",
    "no event": b"hello\n",
    "not the first": played().lines[1] + b"\n",
    "twice": played().lines[0] + b"\n" + played().lines[0] + b"\n",
    "cut": played().lines[0] + b"\n" + played().lines[1][:-9],
    "long": played().lines[0] + b"\n" + b'{"key":"a.b","x":"' + b"x" * 70_000 + b'"}\n',
    "blank": played().lines[0] + b"\n\n",
    "slot": played().lines[0] + b'\n{"key":"a.>"}\n',
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_bad_lines(quasar: Quasar, tmp_path: Path, name: str) -> None:
    """What no log could hold is named, and no half of an archive stays behind."""
    (tmp_path / "a.jsonl").write_bytes(BAD_LINES[name])
    ran = quasar("log", "import", tmp_path / "a.jsonl", "--out", tmp_path / "archive")
    assert ran[0] in (1, 2)
    assert is_one_line(ran, ran[0])
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_newer_log(quasar: Quasar, tmp_path: Path) -> None:
    """Events that this program does not know are carried as they are."""
    line = b'{"key":"future.1","at":0,"actor":"scorer","cause":1,"event":{"type":"Future","a":[1]}}'
    (tmp_path / "a.jsonl").write_bytes(played().lines[0] + b"\n" + line + b"\n")
    code, *_ = quasar("log", "import", tmp_path / "a.jsonl", "--state", tmp_path / "state")
    assert code == 0
    lines = anyio.run(lines_in, tmp_path / "state" / "nats", identity_of(played()))
    assert [tag_of(line) for line in lines] == ["LogOpened", "Future"]
    assert lines[1] == line


@pytest.mark.parametrize(
    "flags",
    [(), ("--state", "s", "--out", "o"), ("--out", "o")],
    ids=["no target", "two targets", "an archive to an archive"],
)
def test_where_to(quasar: Quasar, archive: Path, flags: tuple[str, ...]) -> None:
    """One place must be named, and a copy of an archive is for export."""
    assert is_one_line(quasar("log", "import", archive, *flags), 2)
