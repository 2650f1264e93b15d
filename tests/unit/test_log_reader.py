"""The reader's parts without a NATS server: frames, the socket under them, the login."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import create_default_context as create_context
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from hypothesis import given
from hypothesis import strategies as st

from quasar.errors import LogError
from quasar.log.jetstream_api import Login
from quasar.log.jetstream_frames import mark_of, parse
from quasar.log.jetstream_login import connect_command
from quasar.log.jetstream_socket import LoginRefused, Lost, Socket, connect
from quasar.log.nkeys import Nkey

Delivery = tuple[int, bytes, dict[str, str] | None, str]
"""How far its number is from the one before, payload, headers, place."""

MARK = mark_of("Q-1-0", "c0ffee")
PLACE = "$JS.ACK.Q-1-0.c0ffee"
LONGER_PLACE = "$JS.ACK.hub.Ab3dEf.Q-1-0.c0ffee"
"""As a server in a JetStream domain says it."""
STATUS = b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 7\r\n\r\n"


def event(
    number: int, payload: bytes, headers: dict[str, str] | None = None, place: str = PLACE
) -> bytes:
    """A delivery as the server sends it."""
    reply = f"{place}.1.{number}.{number}.1764000000000000000.12"
    if headers is None:
        return f"MSG q.1.0.run.1 1 {reply} {len(payload)}\r\n".encode() + payload + b"\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    block = f"NATS/1.0\r\n{lines}\r\n".encode()
    line = f"HMSG q.1.0.run.1 1 {reply} {len(block)} {len(block) + len(payload)}\r\n"
    return line.encode() + block + payload + b"\r\n"


def status(block: bytes = STATUS) -> bytes:
    """A message of the server's own."""
    return f"HMSG _INBOX.c0ffee 1 {len(block)} {len(block)}\r\n".encode() + block + b"\r\n"


def flat(runs: list[tuple[int, list[bytes]]]) -> list[tuple[int, bytes]]:
    return [(first + i, line) for first, lines in runs for i, line in enumerate(lines)]


PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\r\n", b"PING\r\n", b"x" * 300_000, event(9, b"inside", {}), STATUS]),
)
HEADERS = st.sampled_from([None, {}, {"Nats-Batch-Id": "a" * 32, "Nats-Batch-Sequence": "1"}])
DELIVERIES = st.tuples(st.integers(1, 3), PAYLOADS, HEADERS, st.sampled_from([PLACE, LONGER_PLACE]))
DENIED = f"-ERR 'Permissions Violation for Publish to \"{PLACE}.1.5.5.1.1\"'".encode()
WORDS = st.sampled_from([b"PONG", b"+OK", DENIED, b'INFO {"a":1}', STATUS])


@given(
    st.lists(st.one_of(DELIVERIES, WORDS), max_size=12),
    st.lists(st.integers(1, 5000), max_size=30),
)
def test_any_stream_cut_anywhere(frames: list[bytes | Delivery], cuts: list[int]) -> None:
    """However the bytes arrive, each event comes once with its number, and each word."""
    number, sent = 0, b""
    events: list[tuple[int, bytes]] = []
    words: list[bytes] = []
    for frame in frames:
        if isinstance(frame, bytes):
            sent += status(frame) if frame == STATUS else frame + b"\r\n"
            words.append(frame)
        else:
            step, payload, headers, place = frame
            number += step
            sent += event(number, payload, headers, place)
            events.append((number, payload))
    socket = Socket(MARK)
    sizes = iter(cuts)
    while sent:
        view = socket.get_buffer(-1)
        n = min(next(sizes, len(sent)), len(view), len(sent))
        view[:n], sent = sent[:n], sent[n:]
        socket.buffer_updated(n)
    assert flat(socket.runs) == events
    assert socket.words == words


@pytest.mark.parametrize("numbers", [[4, 5, 6, 8, 9, 10], [4, 5, 5, 6], [7], [3, 1, 2], [1, 9]])
def test_a_run_ends_where_a_number_is_missing(numbers: list[int]) -> None:
    """A run claims no number that did not come."""
    sent = b"".join(event(n, b"%d" % n, {"A": "b"}) for n in numbers)
    parsed = parse(sent + b"PING\r\nHMSG q", MARK)
    assert flat(parsed.runs) == [(n, b"%d" % n) for n in numbers]
    assert parsed.words == [b"PING"]
    assert parsed.used == len(sent) + len(b"PING\r\n")


@pytest.mark.parametrize("frame", [b"MSG q 1 many\r\n", b"HMSG q 1 r x 9\r\n"])
def test_what_is_no_frame(frame: bytes) -> None:
    """A message without a size is no protocol that we know."""
    with pytest.raises(ValueError, match="invalid literal"):
        parse(frame, MARK)


def sent_by(url: str, login: Login, nonce: str = "") -> dict[str, object]:
    command = connect_command({"nonce": nonce}, urlsplit(url), login)
    assert command.startswith(b"CONNECT ")
    assert command.endswith(b"\r\n")
    return dict(json.loads(command[8:]))


def test_login_by_password_or_token() -> None:
    """A login goes before the address; a password may be asked for each time."""
    passwords = iter(["old", "new"])
    login = Login("ann", lambda: next(passwords))
    first, second = (sent_by("nats://u:p@h", login) for _ in range(2))
    assert (first["user"], first["pass"], second["pass"]) == ("ann", "old", "new")
    found = sent_by("nats://u:p@h", Login())
    assert (found["user"], found["pass"]) == ("u", "p")
    assert sent_by("nats://t0ken@h", Login())["auth_token"] == "t0ken"
    assert not {"user", "pass", "auth_token", "jwt"} & set(sent_by("nats://h", Login()))


CREDENTIALS = """-----BEGIN NATS USER JWT-----
eyJ0.eyJq.c2ln
------END NATS USER JWT------

************************* IMPORTANT *************************
-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


def test_login_by_credentials(tmp_path: Path) -> None:
    """The token is sent, and the server's nonce signed with the key beside it."""
    key, file = Nkey(bytes(range(32))), tmp_path / "actor.creds"
    file.write_text(CREDENTIALS.format(seed=key.seed))
    found = sent_by("nats://u:p@h", Login(credentials=str(file)), "n0nce")
    assert found["jwt"] == "eyJ0.eyJq.c2ln"
    assert found["sig"] == key.sign("n0nce")
    assert "user" not in found


@pytest.mark.parametrize("in_file", [True, False])
def test_login_by_key(tmp_path: Path, in_file: bool) -> None:
    """An nkey alone: its public half is sent, and the nonce under it."""
    key, file = Nkey(bytes(range(32))), tmp_path / "actor.nk"
    file.write_text(key.seed + "\n")
    login = Login(credentials=str(file)) if in_file else Login(seed=lambda: key.seed)
    found = sent_by("nats://h", login, "n0nce")
    assert (found["nkey"], found["sig"]) == (key.public, key.sign("n0nce"))


def test_nothing_is_said_to_a_server_that_does_not_encrypt() -> None:
    """A password leaves this machine only where TLS was asked for and is there."""
    for url, login in (("tls://u:p@h", Login()), ("nats://u:p@h", Login(tls=create_context()))):
        with pytest.raises(LogError, match="h does not encrypt"):
            connect_command({}, urlsplit(url), login)
        assert connect_command({"tls_required": True}, urlsplit(url), login)


@pytest.mark.parametrize("text", [None, "", "-----BEGIN NATS USER JWT-----\neyJ0\n", "ä"])
def test_credentials_that_cannot_be_used(tmp_path: Path, text: str | None) -> None:
    """A file that is missing or damaged is named."""
    file = tmp_path / "actor.creds"
    if text is not None:
        file.write_text(text)
    with pytest.raises(LogError, match=r"cannot use the credentials .*actor\.creds"):
        connect_command({}, urlsplit("nats://h"), Login(credentials=str(file)))


@asynccontextmanager
async def serving(serve: Callable[[SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """A server by script; its address."""

    async def handle(stream: SocketStream) -> None:
        async with stream:
            await serve(stream)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, handle)
        yield f"nats://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


async def until(stream: SocketStream, word: bytes) -> bytes:
    """What came up to ``word``."""
    got = b""
    while word not in got:
        got += await stream.receive()
    return got


INFO = b'INFO {"server_id":"x"}\r\n'


@pytest.mark.anyio
async def test_pings_are_answered_by_themselves() -> None:
    """The server may ask whether this side lives while nobody looks at what came."""
    answered = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        await stream.send(INFO)
        await until(stream, b"PING\r\n")
        await stream.send(b"PONG\r\nPING\r\n" + event(1, b"one", {}))
        await until(stream, b"PONG\r\n")
        answered.set()

    with anyio.fail_after(30):
        async with serving(serve) as url:
            socket = await connect(urlsplit(url), Login(), MARK)
            await answered.wait()
            assert socket.runs == [(1, [b"one"])]
            while not socket.lost:
                await socket.changed()
            with pytest.raises(Lost):
                socket.send(b"PING\r\n")
            await socket.close()


@pytest.mark.anyio
async def test_a_login_that_is_refused() -> None:
    """The server's own words say why."""

    async def serve(stream: SocketStream) -> None:
        await stream.send(INFO)
        await until(stream, b"PING\r\n")
        await stream.send(b"-ERR 'Authorization Violation'\r\n")

    with anyio.fail_after(30):
        async with serving(serve) as url:
            with pytest.raises(LoginRefused, match="Authorization Violation"):
                await connect(urlsplit(url), Login("u", "p"), MARK)


@pytest.mark.anyio
@pytest.mark.parametrize("greeting", [b"", b"INFO {", INFO])
async def test_a_server_that_ends_the_handshake(greeting: bytes) -> None:
    """A connection that ends before the login counts as lost."""

    async def serve(stream: SocketStream) -> None:
        await stream.send(greeting or b"\r")

    with anyio.fail_after(30):
        async with serving(serve) as url:
            with pytest.raises(Lost):
                await connect(urlsplit(url), Login(), MARK)


@pytest.mark.anyio
async def test_a_server_of_another_kind() -> None:
    """What greets otherwise is no NATS server, and waiting would not help."""

    async def serve(stream: SocketStream) -> None:
        await stream.send(b"SSH-2.0-OpenSSH_9.2\r\n")

    with anyio.fail_after(30):
        async with serving(serve) as url:
            with pytest.raises(LogError, match=r"127\.0\.0\.1 does not speak NATS"):
                await connect(urlsplit(url), Login(), MARK)


@pytest.mark.anyio
async def test_no_server_there() -> None:
    """A port on which nobody listens counts as lost; an address of another kind is an error."""
    with anyio.fail_after(30), pytest.raises(Lost):
        await connect(urlsplit("nats://127.0.0.1:9"), Login(), MARK)
    with pytest.raises(LogError, match="cannot read from ws://h: give nats:// or tls://"):
        await connect(urlsplit("ws://h:1"), Login(), MARK)
