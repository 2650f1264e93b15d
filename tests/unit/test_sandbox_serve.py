"""Upstream's HTTP contract: what is asked for, what is answered, and who is sent away."""

import json
import socket
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import ClientSession, UnixConnector

from quasar.sandbox import Outcome, SandboxError, SandboxIdentity, http_server
from quasar.sandbox.http_server import CodeServer
from quasar.sandbox.loopback import tcp_socket, unix_socket

ADD = "def add(a, b): return a + b"
GOLDEN = {"code": ADD, "function_name": "add", "test_input": "[1, 2]"}


class Sandbox:
    """Answers as it is told; ``gate`` holds its answers back."""

    identity = SandboxIdentity(
        driver="none", image="", layers=[], python="3", machine="m", engine="e", runtime="r"
    )

    def __init__(self, answer: Outcome | Exception) -> None:
        self._answer = answer
        self.gate = anyio.Event()
        self.gate.set()
        self.calls: list[tuple[str, str, list[Any]]] = []
        self.called = anyio.Event()
        self.left = anyio.Event()

    async def run(self, code: str, name: str, inputs: Sequence[Sequence[Any]]) -> list[Outcome]:
        self.calls.append((code, name, list(inputs[0])))
        self.called.set()
        try:
            await self.gate.wait()
        finally:
            self.left.set()
        if isinstance(self._answer, Exception):
            raise self._answer
        return [self._answer]


class Client:
    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of the answer; a GET without a body."""
        method = "GET" if body is None else "POST"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        url = f"{self.url}{path}"
        async with self._session.request(method, url, data=data, headers=headers) as answer:
            return answer.status, json.loads(await answer.read())


@asynccontextmanager
async def serving(sandbox: Sandbox, drain_s: float = 5.0) -> AsyncIterator[Client]:
    listening = tcp_socket("127.0.0.1", 0)
    port = listening.getsockname()[1]
    async with CodeServer(sandbox, drain_s).listen(listening), ClientSession() as session:
        yield Client(session, f"http://127.0.0.1:{port}")


THREE = Outcome(status="ok", output=3, execution_time_ms=2)


@pytest.mark.anyio
async def test_the_golden_case() -> None:
    """Both answers, field by field, as upstream's scripts read them."""
    sandbox = Sandbox(THREE)
    async with serving(sandbox) as client:
        assert await client.ask("/health") == (200, {"status": "healthy", "version": "1.0"})
        said = {"success": True, "output": 3, "error": None, "execution_time_ms": 2}
        assert await client.ask("/execute", GOLDEN) == (200, said)
    assert sandbox.calls == [(ADD, "add", [1, 2])]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome(status="error", error="ValueError: x"), "ValueError: x"),
        (Outcome(status="timeout", error="too slow"), "timeout: too slow"),
    ],
    ids=["error", "timeout"],
)
async def test_what_the_code_does_is_an_answer(outcome: Outcome, error: str) -> None:
    """Status 200 with success false; an end that is no exception of the code is named."""
    async with serving(Sandbox(outcome)) as client:
        status, said = await client.ask("/execute", GOLDEN)
    assert (status, said["success"], said["error"]) == (200, False, error)


@pytest.mark.anyio
async def test_an_integer_of_any_length_is_an_output() -> None:
    """JSON has no largest number."""
    async with serving(Sandbox(Outcome(status="ok", output=10**4000))) as client:
        assert (await client.ask("/execute", GOLDEN))[1]["output"] == 10**4000


@pytest.mark.anyio
async def test_a_failure_of_the_sandbox_is_no_answer() -> None:
    """Status 503, so that no script takes it for the code's."""
    async with serving(Sandbox(SandboxError("the engine is away; start it"))) as client:
        assert await client.ask("/execute", GOLDEN) == (
            503,
            {"detail": "the engine is away; start it"},
        )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/execute", b"{", {}, 400),
        ("/execute", b"\x1f\x8b", {"Content-Encoding": "gzip"}, 400),
        ("/execute", [], {}, 400),
        ("/execute", {"function_name": "f"}, {}, 400),
        ("/execute", {"code": 1}, {}, 400),
        ("/execute", {"code": "", "function_name": 1}, {}, 400),
        ("/execute", {"code": "", "test_input": "[1"}, {}, 400),
        ("/execute", GOLDEN, {"Origin": "null"}, 403),
        ("/execute", GOLDEN, {"Origin": "http://localhost"}, 403),
        ("/health", None, {"Sec-Fetch-Site": "none"}, 403),
        ("/health", None, {"Host": "rebound.example"}, 403),
        ("/health", None, {"Host": "127.0.0.1.rebound.example:80"}, 403),
        ("/health", None, {"Host": "192.0.2.1"}, 403),
        ("/nothing", None, {}, 404),
        ("/execute", None, {}, 405),
        ("/execute", b"#" * 1001, {}, 413),
    ],
)
async def test_a_bad_request_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, path: str, body: object, headers: dict[str, str], status: int
) -> None:
    """No code runs for it."""
    monkeypatch.setattr(http_server, "REQUEST_BYTES", 1000)
    sandbox = Sandbox(THREE)
    async with serving(sandbox) as client:
        got, said = await client.ask(path, body, **headers)
    assert got == status
    assert said.keys() == {"detail"}
    assert "\n" not in said["detail"]
    assert not sandbox.calls


@pytest.mark.anyio
async def test_this_machine_by_its_other_names() -> None:
    """With a port or without: a tunnel may listen on another one."""
    async with serving(Sandbox(THREE)) as client:
        for host in ("localhost", "localhost:1", "127.0.0.1", "[::1]:8765", "[::1]", "LOCALHOST"):
            assert (await client.ask("/health", Host=host))[0] == 200, host


def raw(port: int, request: bytes) -> bytes:
    """The first line of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as file:
            return file.readline()


@pytest.mark.anyio
async def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a promise of bytes nor a flood in pieces holds a place."""
    monkeypatch.setattr(http_server, "BODY_S", 0.05)
    monkeypatch.setattr(http_server, "REQUEST_BYTES", 1000)
    async with serving(Sandbox(THREE)) as client:
        port = int(client.url.rpartition(":")[2])
        head = b"POST /execute HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        slow = await anyio.to_thread.run_sync(raw, port, head + b"Content-Length: 9\r\n\r\n{")
        assert slow.startswith(b"HTTP/1.1 408 ")
        pieces = b"Transfer-Encoding: chunked\r\n\r\n" + b"80\r\n" + b"#" * 128 + b"\r\n"
        flood = head + pieces + (b"80\r\n" + b"#" * 128 + b"\r\n") * 9
        assert (await anyio.to_thread.run_sync(raw, port, flood)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.anyio
async def test_who_comes_when_all_places_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """One runs, one waits, the third is told to try again; then both are answered."""
    monkeypatch.setattr(http_server, "RUNNING", 1)
    monkeypatch.setattr(http_server, "WAITING", 1)
    sandbox = Sandbox(THREE)
    sandbox.gate = anyio.Event()
    answers: list[int] = []
    sent_away = anyio.Event()

    async def ask(client: Client) -> None:
        status, _ = await client.ask("/execute", GOLDEN)
        answers.append(status)
        if status == 503:
            sent_away.set()

    async with serving(sandbox) as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask, client)
        await sent_away.wait()
        await sandbox.called.wait()
        assert len(sandbox.calls) == 1
        sandbox.gate.set()
    assert sorted(answers) == [200, 200, 503]
    assert len(sandbox.calls) == 2


@pytest.mark.anyio
async def test_the_end_waits_for_what_runs_and_not_for_what_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call that has begun is answered; one that has not is sent away; nobody new comes in."""
    monkeypatch.setattr(http_server, "RUNNING", 1)
    sandbox = Sandbox(THREE)
    sandbox.gate = anyio.Event()
    statuses: list[int] = []
    server = CodeServer(sandbox, 30.0)
    listening = tcp_socket("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    async def ask(client: Client) -> None:
        statuses.append((await client.ask("/execute", GOLDEN))[0])

    async with ClientSession() as session, anyio.create_task_group() as tasks:
        client = Client(session, url)
        async with server.listen(listening):
            tasks.start_soon(ask, client)
            await sandbox.called.wait()
            tasks.start_soon(ask, client)
            await until(lambda: server._turns.statistics().tasks_waiting == 1)
            tasks.start_soon(open_when_closed, sandbox, listening)
    assert statuses == [200, 503]
    assert len(sandbox.calls) == 1


async def open_when_closed(sandbox: Sandbox, listening: socket.socket) -> None:
    await until(lambda: listening.fileno() < 0)
    sandbox.gate.set()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # nobody tells when
        await anyio.sleep(0.001)


@pytest.mark.anyio
async def test_the_end_does_not_wait_for_ever() -> None:
    """After its time a call that still runs is ended."""
    sandbox = Sandbox(THREE)
    sandbox.gate = anyio.Event()

    async def ask(client: Client) -> None:
        with pytest.raises(Exception, match="disconnected"):
            await client.ask("/execute", GOLDEN)

    async with anyio.create_task_group() as tasks, serving(sandbox, drain_s=0.01) as client:
        tasks.start_soon(ask, client)
        await sandbox.called.wait()
    assert sandbox.left.is_set()


@pytest.mark.anyio
async def test_a_caller_who_leaves_frees_the_turn() -> None:
    """Its call is cancelled in the sandbox."""
    sandbox = Sandbox(THREE)
    sandbox.gate = anyio.Event()
    async with serving(sandbox) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.ask, "/execute", GOLDEN)
        await sandbox.called.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await sandbox.left.wait()


@pytest.mark.anyio
async def test_a_unix_socket_is_this_users_alone_and_is_removed(tmp_path: Path) -> None:
    """Nobody else may open it; there a call has no Host to check."""
    path = tmp_path / "s"
    with unix_socket(path) as listening:
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600
        async with (
            CodeServer(Sandbox(THREE), 5.0).listen(listening),
            ClientSession(connector=UnixConnector(str(path))) as session,
        ):
            client = Client(session, "http://sandbox")
            assert (await client.ask("/execute", GOLDEN))[1]["output"] == 3
            assert (await client.ask("/execute", GOLDEN, Origin="null"))[0] == 403
    assert not path.exists()
