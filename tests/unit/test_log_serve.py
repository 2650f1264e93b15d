"""Archives over HTTP: what is published, what is hidden, and what never leaves the folder."""

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from aiohttp import ClientSession
from yarl import URL

from quasar.cli.source import volumes_of
from quasar.door import static
from quasar.door.static import StaticServer
from quasar.errors import Damaged, UsageError
from quasar.events import RoundRevealed, TaskAssigned
from quasar.events.envelope import decode
from quasar.log.archive import ArchiveWriter
from quasar.log.manifest import Manifest
from quasar.log.published_folder import PublishedFolder
from quasar.log.whole import verify_whole
from quasar.replay.volumes import audit_volumes
from tests.builders import World
from tests.forging import few_tasks
from tests.unit.volume_folder import (
    extend,
    identity_of,
    snapshot,
    worlds,
    write_folder,
    write_volume,
)


class Got(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class Client:
    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def get(self, path: str, method: str = "GET", **headers: str) -> Got:
        url = URL(f"{self._url}/{path}", encoded=True)
        async with self._session.request(method, url, headers=headers) as answer:
            return Got(answer.status, await answer.read(), dict(answer.headers))


@pytest.fixture(autouse=True, scope="module")
def recorded() -> None:
    """Played before any event loop runs."""
    worlds()


@asynccontextmanager
async def serving(folder: Path | PublishedFolder) -> AsyncIterator[Client]:
    source = PublishedFolder(folder) if isinstance(folder, Path) else folder
    server = StaticServer(source)
    async with server.listen("127.0.0.1", 0) as port, ClientSession() as session:
        yield Client(session, f"http://127.0.0.1:{port}")


def raw(port: int, request: bytes) -> bytes:
    """The answer to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return connection.makefile("rb").read()


@pytest.mark.anyio
async def test_volumes_are_served_byte_for_byte(tmp_path: Path) -> None:
    """Every part of every volume, each behind its number; a fetched copy audits clean."""
    folder, copy = write_folder(tmp_path / "log"), tmp_path / "copy"
    async with serving(folder) as client:
        for name, data in snapshot(folder).items():
            got = await client.get(name)
            assert (got.status, got.body) == (200, data), name
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(got.body)
        assert (await client.get("5/manifest.json")).status == 404
    report = await audit_volumes(volumes_of(copy))
    assert report.result == "clean", report.first_divergence


@pytest.mark.anyio
async def test_a_range_is_a_part(tmp_path: Path) -> None:
    """From, to, and the end; what lies outside is refused, and HEAD has no body."""
    folder = write_volume(worlds()[0], tmp_path / "archive")
    data = (folder / "manifest.json").read_bytes()
    async with serving(folder) as client:
        for asked, part in (
            ("bytes=0-9", data[:10]),
            ("bytes=10-", data[10:]),
            ("bytes=-7", data[-7:]),
            ("bytes=5-999999", data[5:]),
        ):
            got = await client.get("manifest.json", Range=asked)
            assert (got.status, got.body) == (206, part), asked
            start = data.index(part)
            wanted = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
            assert got.headers["Content-Range"] == wanted
        for asked in (f"bytes={len(data)}-", "bytes=9-3", "lines=1-2", "bytes=0-1,4-5"):
            got = await client.get("manifest.json", Range=asked)
            assert (got.status, got.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
        head = await client.get("manifest.json", "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(data))
        assert head.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.anyio
async def test_nothing_can_be_written(tmp_path: Path, method: str) -> None:
    """Only reading has a meaning."""
    folder = write_volume(worlds()[0], tmp_path / "archive")
    before = snapshot(folder)
    async with serving(folder) as client:
        assert (await client.get("manifest.json", method)).status == 405
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "1/../../secret",
        "..%2fsecret",
        "1/%2e%2e/%2e%2e/secret",
        "1/segments/../../../secret",
        "1/blobs/..%2f..%2f..%2fsecret",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "1//manifest.json",
        "1/manifest.json%00",
        "1/master.key",
        "1/notes/mine",
        "1/.manifest.json.1.1.tmp",
        "1/segments/",
        "1/segments/linked.jsonl.zst",
        "1/blobs/aa/link",
        "01/manifest.json",
        "1/checkpoints/",
        "secret",
        "",
        "9/manifest.json",
        "link/manifest.json",
    ],
)
@pytest.mark.anyio
async def test_nothing_else_leaves_the_folder(tmp_path: Path, path: str) -> None:
    """Neither by dots, nor by links, nor because it lies in the folder."""
    folder = write_folder(tmp_path / "log")
    for secret in ("secret", "log/secret", "log/1/master.key", "log/1/.manifest.json.1.1.tmp"):
        (tmp_path / secret).write_bytes(b"SECRET")
    (folder / "1" / "notes").mkdir()
    (folder / "1" / "notes" / "mine").write_bytes(b"SECRET")
    (folder / "1" / "segments" / "linked.jsonl.zst").symlink_to(tmp_path / "secret")
    (folder / "9").symlink_to(folder / "1")
    (folder / "link").symlink_to(folder / "1")
    server = StaticServer(PublishedFolder(folder))
    async with server.listen("127.0.0.1", 0) as port:
        request = f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await anyio.to_thread.run_sync(raw, port, request.encode())
    assert answer.split(b" ")[1] in {b"404", b"400"}, answer
    assert b"SECRET" not in answer


def test_a_part_that_became_a_link_is_not_served(tmp_path: Path) -> None:
    """Also under a name that is published."""
    folder, secret = write_volume(worlds()[0], tmp_path / "archive"), tmp_path / "secret"
    secret.write_bytes(b"SECRET")
    source = PublishedFolder(folder)
    names = [n for n in snapshot(folder) if n.startswith(("segments/", "tile/", "checkpoints/"))]
    assert len(names) >= 3
    for name in names:
        found = source.open(name)
        assert found
        found.close()
        (folder / name).unlink()
        (folder / name).symlink_to(secret)
        assert source.open(name) is None


def two_rounds() -> World:
    """Round 1 is over and revealed; round 2 has been asked, and one miner has answered."""
    world = World(policy=few_tasks())

    async def play() -> None:
        await world.play_round(1)
        await world.start_round(2)
        d = world.open_deliveries()[0]
        await world.deliver(d, world.acceptance(d), world.received(d, b"x" * 5000))

    anyio.run(play)
    return world


@pytest.mark.anyio
async def test_an_open_volume_ends_before_what_is_not_revealed(tmp_path: Path) -> None:
    """Events, hashes and blobs alike; the rest appears when the round is revealed."""
    world = await anyio.to_thread.run_sync(two_rounds)
    asked = next(i for i, line in enumerate(world.lines, 1) if b'{"key":"task.2.0"' in line)
    early, late, size = asked - 2, asked + 1, len(world.lines)
    folder = tmp_path / "archive"
    hidden = next(e.blob for e in reversed(world.events()) if getattr(e, "blob", None))
    name = f"blobs/{hidden.sha256[:2]}/{hidden.sha256}"
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        extend(writer, world, 3, early, late, size)
        source = PublishedFolder(folder)
        async with serving(source) as client:
            copy = await fetch(client, folder, tmp_path / "copy")
            assert copy.last == early
            assert (await client.get(f"checkpoints/{late}")).status == 404
            assert (await client.get(f"tile/0/000.p/{late}")).status == 404
            assert (await client.get(name)).status == 404
            (log,) = volumes_of(tmp_path / "copy")
            verify_whole(log)
            seen = [decode(line).event for _, line in log.lines()]
            assert {e.round for e in seen if isinstance(e, TaskAssigned)} == {1}
            assert [e for e in seen if isinstance(e, RoundRevealed)]

            for d in world.open_deliveries():
                answered = world.acceptance(d), world.received(d, b"ANSWER: 1")
                await world.deliver(d, *(answered[1:] if d.accepted else answered))
            await world.settle()
            extend(writer, world, len(world.lines))
            assert (await client.get(name)).status == 404
            source.refresh()
            assert (await client.get(name)).status == 200
            assert (await fetch(client, folder, tmp_path / "whole")).last == len(world.lines)
    (log,) = volumes_of(tmp_path / "whole")
    assert (await audit_volumes([log])).result == "clean"


async def fetch(client: Client, folder: Path, copy: Path) -> Manifest:
    """A copy of all that is given out; names come from the folder, as a reader's from events."""
    for name in snapshot(folder):
        got = await client.get(name)
        if got.status == 200:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(got.body)
    (log,) = volumes_of(copy)
    return log.manifest


@pytest.mark.anyio
async def test_without_a_checkpoint_below_nothing_is_published(tmp_path: Path) -> None:
    """A frame that holds both sides of the line is not cut."""
    world = await anyio.to_thread.run_sync(two_rounds)
    folder = write_volume(world, tmp_path / "archive")
    async with serving(folder) as client:
        shown = json.loads((await client.get("manifest.json")).body)
        assert (shown["last"], shown["segments"]) == (0, [])
        assert (await client.get("checkpoint")).status == 404
        (segment,) = (folder / "segments").iterdir()
        assert (await client.get(f"segments/{segment.name}")).status == 404


@pytest.mark.anyio
async def test_too_many_readers_are_told_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with Retry-After, and the places come free again."""
    folder = write_volume(worlds()[0], tmp_path / "archive")
    monkeypatch.setattr(static, "READERS", 0)
    async with serving(folder) as client:
        got = await client.get("manifest.json")
        assert (got.status, got.headers["Retry-After"]) == (503, "5")
    monkeypatch.setattr(static, "READERS", 1)
    async with serving(folder) as client:
        for _ in range(5):
            assert (await client.get("nothing")).status == 404
        assert (await client.get("manifest.json")).status == 200


@pytest.mark.anyio
async def test_no_archive_and_a_taken_port_are_said(tmp_path: Path) -> None:
    """One line each."""
    with pytest.raises(UsageError, match="holds no archive"):
        PublishedFolder(tmp_path)
    source = PublishedFolder(write_volume(worlds()[0], tmp_path / "archive"))
    async with StaticServer(source).listen("127.0.0.1", 0) as port:
        with pytest.raises(UsageError, match="cannot listen"):
            async with StaticServer(source).listen("127.0.0.1", port):
                pass


@pytest.mark.anyio
async def test_a_source_that_fails_to_refresh_is_asked_again() -> None:
    """What is published stays, and the server lives."""
    asked, again = [], anyio.Event()

    class Failing:
        def refresh(self) -> None:
            asked.append(1)
            if len(asked) > 2:
                anyio.from_thread.run_sync(again.set)
            raise Damaged(3, "altered")

        def open(self, path: str) -> None:
            return None

    async with StaticServer(Failing(), refresh_s=0.001).listen("127.0.0.1", 0):
        with anyio.fail_after(10):
            await again.wait()


def test_the_command_says_where_and_ends_on_sigterm(tmp_path: Path) -> None:
    """A JSON line with the URL once it listens; exit 0."""
    folder = write_folder(tmp_path / "log")
    code = (
        "from pathlib import Path; import sys; from quasar.cli.log_serve import serve;"
        f"sys.exit(serve(Path({str(folder)!r}), port=0, json=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            url = json.loads(process.stdout.readline())["url"]
            with urlopen(f"{url}/2/manifest.json", timeout=10) as answer:
                assert answer.read() == (folder / "2" / "manifest.json").read_bytes()
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
