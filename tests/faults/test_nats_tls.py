"""Encrypted connections: both of them trust whom they were told to trust, and nobody else."""

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from quasar.errors import LogError, UsageError
from quasar.events import Draft, RunEnded
from quasar.log.access import ADMIN, USERS, inbox_of
from quasar.log.blobs import MemoryBlobs
from quasar.log.external import ExternalServer, trust
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.jetstream_frames import mark_of
from quasar.log.jetstream_socket import LoginRefused, connect
from quasar.log.jetstream_wire import Wire
from quasar.log.server_config import Certificates, new_proofs, server_config
from tests.nats_servers import Files, certificates, serving

pytestmark = [pytest.mark.anyio, pytest.mark.nats]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certificates(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certificates(tmp_path_factory.mktemp("tls") / "others")


PROOFS = new_proofs(secrets.token_bytes, passwords=True)
soon = partial(anyio.fail_after, 9)
"""At once, on a machine under load: a server that does not answer is waited for longer."""


def external(url: str, files: Files | None, client: Files | None = None) -> ExternalServer:
    """How a validator sees the server at ``url``; ``client`` shows a certificate of its own."""
    tls = trust(
        files.ca if files else None,
        client.cert if client else None,
        client.key if client else None,
    )
    logins = {
        user: Login(user, PROOFS[user].password, inbox=inbox_of(user), tls=tls) for user in USERS
    }
    return ExternalServer(url=url, logins=logins)


@asynccontextmanager
async def encrypted(folder: Path, files: Files, *, ask: bool = False) -> AsyncIterator[str]:
    """A server with a certificate; ``ask``: it wants one of each client too. Gives its address."""
    tls = Certificates(cert=str(files.cert), key=str(files.key), ca=str(files.ca) if ask else None)
    config = server_config(listen="127.0.0.1:-1", store=folder / "js", proofs=PROOFS, tls=tls)
    async with serving(folder / "server", config) as (url, _):
        yield url.replace("tls://", "nats://")


@asynccontextmanager
async def opened(server: ExternalServer, user: str) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        server.url, "0000abcd", 1, MemoryBlobs(), login=server.login(user), patience=60
    ) as log:
        yield log


@pytest.mark.parametrize("ask", [False, True])
@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_writing_and_reading(tmp_path: Path, ours: Files, ask: bool, scheme: str) -> None:
    """Both connections, the writer's and the reader's, are encrypted; thousands of events pass."""
    async with encrypted(tmp_path, ours, ask=ask) as url:
        url = url.replace("nats://", f"{scheme}://")
        server = await external(url, ours, ours if ask else None).checked()
        assert server.version.startswith("2.")
        async with opened(server, ADMIN), opened(server, "supervisor") as log:
            for start in range(1, 5_001, 1_000):
                events = [RunEnded(run=n, reason="r" * 200) for n in range(start, start + 1_000)]
                await log.append([Draft(actor="supervisor", cause=0, event=e) for e in events])
            async with aclosing(log.read()) as reader, opened(server, "scorer") as other:
                seen = [(await anext(reader))[0] for _ in range(5_000)]
                async with aclosing(other.read(4_990)) as more:
                    seen += [(await anext(more))[0] for _ in range(10)]
    assert seen == [*range(1, 5_001), *range(4_991, 5_001)]


@pytest.mark.parametrize("known", ["another", "none"])
async def test_an_unknown_authority(tmp_path: Path, ours: Files, others: Files, known: str) -> None:
    """A certificate that nobody vouches for ends it at once, on either connection."""
    async with encrypted(tmp_path, ours) as url:
        server = external(url, others if known == "another" else None)
        with soon(), pytest.raises(LogError, match=r"cannot be trusted \(.*certif"):
            await server.checked()
        with pytest.raises(LogError, match="is not who it should be"):
            await dial(url, server.login(ADMIN))


async def test_a_certificate_of_another_host(tmp_path: Path, others: Files) -> None:
    """A good signature over another name does not do."""
    elsewhere = certificates(tmp_path / "elsewhere", "DNS:elsewhere.example")
    async with encrypted(tmp_path, elsewhere) as url:
        server = external(url, elsewhere)
        with soon(), pytest.raises(LogError, match=r"cannot be trusted.*127\.0\.0\.1"):
            await server.checked()


async def test_a_server_that_asks_for_a_certificate(
    tmp_path: Path, ours: Files, others: Files
) -> None:
    """A client without one, or with a stranger's, learns at once what is missing."""
    async with encrypted(tmp_path, ours, ask=True) as url:
        for client in (None, others):
            with soon(), pytest.raises(LogError, match="wants a client's certificate"):
                await external(url, ours, client).checked()


@pytest.mark.parametrize("scheme", ["tls", "nats"])
async def test_nothing_is_said_in_the_open(tmp_path: Path, ours: Files, scheme: str) -> None:
    """Whoever asked for TLS shows no password to a server that does not encrypt."""
    config = server_config(listen="127.0.0.1:-1", store=tmp_path / "js", proofs=PROOFS)
    async with serving(tmp_path / "server", config) as (url, _):
        url = url.replace("nats://", f"{scheme}://")
        server = external(url, ours if scheme == "nats" else None)
        with soon(), pytest.raises(LogError, match="does not encrypt"):
            await server.checked()
        with pytest.raises(LogError, match="does not encrypt"):
            await dial(url, server.login(ADMIN))


async def test_a_wrong_password_behind_tls(tmp_path: Path, ours: Files) -> None:
    """The reader's own connection says so as well."""
    async with encrypted(tmp_path, ours) as url:
        login = external(url, ours).login(ADMIN)._replace(password="guess")
        with pytest.raises(LoginRefused):
            await dial(url, login)
        with soon(), pytest.raises(LogError, match="refuses this login"):
            async with Wire.open(url, login, 60):
                pass


async def dial(url: str, login: Login) -> None:
    """As the reader connects."""
    socket = await connect(urlsplit(url), login, mark_of("S", "c"))
    await socket.close()


def test_files_that_cannot_be_used(tmp_path: Path, ours: Files, others: Files) -> None:
    """A missing file, one that holds no certificate, and a key of another are named."""
    for files, words in (
        ((tmp_path / "none", None, None), "none: No such file"),
        ((ours.key, None, None), "key.pem"),
        ((ours.ca, ours.cert, others.key), "cert.pem"),
        ((ours.ca, ours.cert, None), "give both or neither"),
    ):
        with pytest.raises(UsageError, match=words):
            trust(*files)
    assert trust(None, None, None) is None
