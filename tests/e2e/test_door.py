"""Both sides of the door over real HTTP: an honest pair, hostile miners, hostile callers."""

import gzip
import hashlib
import io
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import anyio
import msgspec
import pytest
from aiohttp import web
from anyio.abc import SocketAttribute, SocketStream
from yarl import URL

from quasar.chain.keys import hotkey_from_seed
from quasar.door import Answer, btauth, wire
from quasar.door.client import ClientLimits, MinerDoor, open_session
from quasar.door.contexts import Contexts
from quasar.door.failure import DoorError
from quasar.door.packing import Packed, pack
from quasar.door.server import Door, ServerLimits
from quasar.errors import Refused
from quasar.events.receipt import (
    Acceptance,
    QuotedBlock,
    Receipt,
    Refusal,
    SignedCheckpoint,
    TaskRequest,
    request_body,
    statement_bytes,
)
from quasar.events.task import Context, TextPart

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.anyio

VALIDATOR = hotkey_from_seed(b"test", "validator")
MINER = hotkey_from_seed(b"test", "miner")
STRANGER = hotkey_from_seed(b"test", "stranger")
CHECKPOINT = SignedCheckpoint(size=9, root="ab" * 32)
BLOCK = QuotedBlock(number=4, hash="0x" + "cd" * 32)
TEXT = b"It was a dark and stormy night. " * 1000
NAME = hashlib.sha256(TEXT).hexdigest()
CLIENT = ClientLimits(connect_s=2, upload_s=20, accept_s=20, poll_s=5)


def request_of(text: bytes = TEXT, n: int = 1, hotkey: str = MINER.ss58_address) -> TaskRequest:
    return TaskRequest(
        log_id="0123abcd",
        round=3,
        task=5,
        hotkey=hotkey,
        n=n,
        family="factbook@1",
        bucket="32k",
        metric="exact@1",
        context=Context(sha256=hashlib.sha256(text).hexdigest(), bytes=len(text), tokens=7),
        question=[TextPart(text="Where was the night?")],
        answer_bytes=4096,
        deadline_ms=60_000,
    )


def accept(request: TaskRequest) -> Acceptance:
    return Acceptance(
        log_id=request.log_id,
        round=request.round,
        task=request.task,
        hotkey=request.hotkey,
        n=request.n,
        request=hashlib.sha256(request_body(request)).hexdigest(),
    )


def receipt_for(
    request: TaskRequest, answer: bytes, checkpoint: SignedCheckpoint | None = CHECKPOINT
) -> Receipt:
    a = accept(request)
    return Receipt(
        log_id=a.log_id,
        round=a.round,
        task=a.task,
        hotkey=a.hotkey,
        n=a.n,
        request=a.request,
        answer=hashlib.sha256(answer).hexdigest(),
        checkpoint=checkpoint,
        block=BLOCK,
        previous=None,
        unacknowledged=[],
    )


def signed(statement: Acceptance | Refusal | Receipt) -> str:
    return bytes(MINER.sign(statement_bytes(statement))).hex()


class SmallDesk:
    """Answers each request with its question; refuses n = 13."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, TaskRequest]] = []
        self.outcomes: list[tuple[str, str, str]] = []
        self.ready = anyio.Event()
        self.answer_bytes = b"dark\nand stormy \xff\x00"

    async def accept(
        self,
        validator: str,
        request: TaskRequest,
        checkpoint: SignedCheckpoint | None,
        block: QuotedBlock | None,
    ) -> tuple[Acceptance | Refusal, str]:
        assert (checkpoint, block) == (CHECKPOINT, BLOCK)
        self.requests.append((validator, request))
        statement: Acceptance | Refusal = accept(request)
        if request.n == 13:
            fields = msgspec.structs.asdict(statement)
            statement = Refusal(**fields, reason="this engine takes 32k at most")
        return statement, signed(statement)

    async def answer(self, validator: str, log_id: str, round_: int, task: int, /) -> Answer:
        for asker, request in self.requests:
            asked = (asker, request.log_id, request.round, request.task)
            if asked == (validator, log_id, round_, task):
                await self.ready.wait()
                receipt = receipt_for(request, self.answer_bytes)
                return Answer(self.answer_bytes, receipt, signed(receipt))
        raise Refused("unknown", "you never asked that")

    async def outcome(self, validator: str, event: str, proof: str) -> None:
        self.outcomes.append((validator, event, proof))


class Pair(NamedTuple):
    """A miner's server and a validator's client."""

    desk: SmallDesk
    contexts: Contexts
    client: MinerDoor
    session: aiohttp.ClientSession
    endpoint: str


@asynccontextmanager
async def open_pair(
    folder: Path,
    server: ServerLimits = ServerLimits(),  # noqa: B008
    client: ClientLimits = CLIENT,
    max_text_bytes: int = 16_000_000,
) -> AsyncIterator[Pair]:
    desk, contexts = SmallDesk(), Contexts(folder / "contexts", max_text_bytes)
    admitted = {VALIDATOR.ss58_address}
    door = Door(MINER.ss58_address, desk, contexts, admitted.__contains__, server)
    async with door.listen("127.0.0.1", 0) as port, open_session() as session:
        miner = MinerDoor(VALIDATOR, client, session, allow_private=True)
        yield Pair(desk, contexts, miner, session, f"127.0.0.1:{port}")


@pytest.fixture(name="pair")
async def fixture_pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with open_pair(tmp_path) as pair:
        yield pair


@pytest.fixture(name="context")
def fixture_context(tmp_path: Path) -> Packed:
    return pack(TEXT, tmp_path / "packed")


# An honest pair.


async def test_a_long_context_goes_there_and_an_answer_comes_back(
    pair: Pair, tmp_path: Path
) -> None:
    """8 MB travel once, are stored under their hash, and the signed answer arrives raw."""
    words = (hashlib.sha256(b"%d" % i).hexdigest() for i in range(125_000))
    text = " ".join(words).encode()[:8_000_000]
    request, context = request_of(text), pack(text, tmp_path / "packed")
    statement, signature = await pair.client.deliver(
        pair.endpoint, request, context, CHECKPOINT, BLOCK
    )
    assert statement == accept(request)
    assert pair.contexts.path(request.context.sha256).read_bytes() == text
    assert pair.desk.requests == [(VALIDATOR.ss58_address, request)]
    assert len(bytes.fromhex(signature)) == 64

    async with anyio.create_task_group() as tasks:

        async def fetch() -> None:
            answer = await pair.client.fetch_answer(pair.endpoint, request, {CHECKPOINT}, 20)
            assert answer.data == pair.desk.answer_bytes
            assert answer.receipt == receipt_for(request, answer.data)

        tasks.start_soon(fetch)
        pair.desk.ready.set()
    # The packed file is gone: a context that is there is not sent again.
    context.path.unlink()
    assert (await deliver(pair, request, context))[0] == statement


async def deliver(
    pair: Pair, request: TaskRequest, context: Packed
) -> tuple[Acceptance | Refusal, str]:
    return await pair.client.deliver(pair.endpoint, request, context, CHECKPOINT, BLOCK)


async def test_a_signed_refusal_is_no_error(pair: Pair, context: Packed) -> None:
    """A refusal comes back as a statement under the miner's signature."""
    statement, _ = await deliver(pair, request_of(n=13), context)
    assert isinstance(statement, Refusal)


async def test_a_poll_waits_for_the_answer(tmp_path: Path, context: Packed) -> None:
    """Short polls end with 202 and are repeated until the deadline of the fetch."""
    async with open_pair(tmp_path, client=CLIENT._replace(poll_s=0.05)) as pair:
        await deliver(pair, request_of(), context)
        failure = await failure_of(pair.client.fetch_answer(pair.endpoint, request_of(), [], 0.5))
        assert (failure.stage, failure.code) == ("answer", "timeout")
        assert failure.elapsed_ms >= 500


async def test_an_unknown_task_is_404(pair: Pair) -> None:
    """An answer to what was never asked is an error of the answer's stage."""
    failure = await failure_of(pair.client.fetch_answer(pair.endpoint, request_of(), [], 5))
    assert (failure.stage, failure.code) == ("answer", "http-404")


async def test_an_outcome_reaches_the_desk(pair: Pair) -> None:
    """Line and proof arrive as they were sent, with who sent them."""
    line, proof = '{"key":"answer.3.5","ü":"\\u0000"}', "c2sp.org/tlog-proof@v1\n…\n" * 1000
    await pair.client.prove(pair.endpoint, MINER.ss58_address, line, proof)
    assert pair.desk.outcomes == [(VALIDATOR.ss58_address, line, proof)]


async def test_health_is_open(pair: Pair) -> None:
    """Anyone may ask whether the miner is up and who it is."""
    async with pair.session.get(f"http://{pair.endpoint}/v1/health") as response:
        assert await response.json() == {"status": "ok", "hotkey": MINER.ss58_address}


async def test_our_own_disk_is_not_the_miners_fault(pair: Pair, tmp_path: Path) -> None:
    """A context that we cannot read is our OSError, never evidence against the miner."""
    gone = Packed(tmp_path / "gone", "0" * 64, 100)
    with pytest.raises(FileNotFoundError):
        await deliver(pair, request_of(), gone)


# Hostile miners.


class Failure(NamedTuple):
    stage: str
    code: str
    bytes: int
    elapsed_ms: int


async def failure_of(call: Awaitable[object]) -> Failure:
    """The evidence of a call that must fail."""
    with anyio.fail_after(60), pytest.raises(DoorError) as failed:
        await call
    assert failed.value.code == failed.value.evidence.code
    return Failure(*msgspec.structs.astuple(failed.value.evidence))


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def hostile(
    handler: Handler, limits: ClientLimits = CLIENT
) -> AsyncIterator[tuple[MinerDoor, str]]:
    """A miner that claims to have every context and treats all else with ``handler``."""

    async def have(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_head("/v1/contexts/{name}", have)
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with open_session() as session:
            door = MinerDoor(VALIDATOR, limits, session, allow_private=True)
            yield door, f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def failed_delivery(
    handler: Handler, context: Packed, limits: ClientLimits = CLIENT
) -> Failure:
    async with hostile(handler, limits) as (door, endpoint):
        return await failure_of(door.deliver(endpoint, request_of(), context, CHECKPOINT, BLOCK))


async def failed_fetch(
    handler: Handler, limits: ClientLimits = CLIENT, within_s: float = 10
) -> Failure:
    async with hostile(handler, limits) as (door, endpoint):
        return await failure_of(door.fetch_answer(endpoint, request_of(), {CHECKPOINT}, within_s))


async def test_a_redirect_is_not_followed(context: Packed) -> None:
    """A redirect is a failure; no second request is made."""
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    failure = await failed_delivery(redirect, context)
    assert (failure.stage, failure.code) == ("accept", "http-307")
    assert asked == ["/v1/tasks"]


async def test_an_endless_body_is_cut() -> None:
    """Reading stops a little above the cap."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    failure = await failed_fetch(endless, CLIENT._replace(answer_bytes=100_000))
    assert (failure.stage, failure.code) == ("answer", "too-large")
    assert 100_000 < failure.bytes < 300_000


async def test_a_slow_body_is_cut_in_time(context: Packed) -> None:
    """One byte now and then does not keep the connection beyond the deadline."""

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x")
            await anyio.sleep(0.02)
        return response

    failure = await failed_delivery(slow, context, CLIENT._replace(accept_s=1.0))
    assert (failure.stage, failure.code) == ("accept", "timeout")
    assert 0 < failure.bytes < 100
    failure = await failed_fetch(slow, within_s=1.0)
    assert (failure.stage, failure.code) == ("answer", "timeout")


async def test_a_silent_miner_is_cut_in_time(context: Packed) -> None:
    """A miner that takes the request and says nothing costs its time and no more."""

    async def silent(_: web.Request) -> web.Response:
        await anyio.sleep(10)
        return web.Response()

    failure = await failed_delivery(silent, context, CLIENT._replace(accept_s=0.2))
    assert failure == Failure("accept", "timeout", 0, failure.elapsed_ms)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x"])
async def test_a_compressed_response_is_refused(encoding: str) -> None:
    """A bomb is not opened: what was not asked for is not decoded."""
    bomb = gzip.compress(bytes(50_000_000))

    async def compressed(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": encoding})

    failure = await failed_fetch(compressed)
    assert failure == Failure("answer", "encoded", 0, failure.elapsed_ms)


@pytest.mark.parametrize("headers", [{"X-Big": "x" * 20_000}, {f"X-{i}": "x" for i in range(1000)}])
async def test_huge_headers_are_refused(headers: dict[str, str], context: Packed) -> None:
    """Neither one long header nor a thousand short ones are taken."""

    async def big(_: web.Request) -> web.Response:
        return web.Response(headers=headers)

    failure = await failed_delivery(big, context)
    assert (failure.stage, failure.code) == ("accept", "bad-http")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "bad-http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "cut-short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "bad-http"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad-http"),
        (b"", "disconnected"),
    ],
    ids=["not-http", "cut", "negative", "bad-chunk", "closed"],
)
async def test_what_is_not_http_is_named(sent: bytes, code: str) -> None:
    """Broken HTTP becomes evidence with a code, never another exception."""

    async def handle(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            if sent:
                await stream.send(sent)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
        open_session() as session,
    ):
        tasks.start_soon(listener.serve, handle)
        door = MinerDoor(VALIDATOR, CLIENT, session, allow_private=True)
        endpoint = f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        failure = await failure_of(door.fetch_answer(endpoint, request_of(), [None], 5))
        assert (failure.stage, failure.code) == ("answer", code)
        tasks.cancel_scope.cancel()


async def test_a_closed_port_is_refused(context: Packed) -> None:
    """Nobody listens: stage connect, nothing sent."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        endpoint = f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    async with open_session() as session:
        door = MinerDoor(VALIDATOR, CLIENT, session, allow_private=True)
        failure = await failure_of(door.deliver(endpoint, request_of(), context, None, None))
    assert failure == Failure("connect", "refused", 0, failure.elapsed_ms)


async def test_a_private_endpoint_is_never_called(context: Packed) -> None:
    """Without leave for private addresses no connection is made."""

    async def never(_: web.Request) -> web.Response:
        raise AssertionError

    async with hostile(never) as (_, endpoint), open_session() as session:
        door = MinerDoor(VALIDATOR, CLIENT, session)
        failure = await failure_of(door.deliver(endpoint, request_of(), context, None, None))
    assert failure == Failure("connect", "bad-endpoint", 0, failure.elapsed_ms)


def verdict(statement: Acceptance, signature: str | None = None) -> bytes:
    signature = signature or signed(statement)
    return wire.encode(wire.Verdict(acceptance=statement, signature=signature))


GOOD = accept(request_of())
REPLIES = {
    "other-task": (verdict(msgspec.structs.replace(GOOD, task=6)), "wrong-assignment"),
    "other-n": (verdict(msgspec.structs.replace(GOOD, n=2)), "wrong-assignment"),
    "other-log": (verdict(msgspec.structs.replace(GOOD, log_id="f" * 8)), "wrong-assignment"),
    "other-request": (verdict(msgspec.structs.replace(GOOD, request="0" * 64)), "wrong-assignment"),
    "other-hotkey": (
        verdict(msgspec.structs.replace(GOOD, hotkey=STRANGER.ss58_address)),
        "wrong-assignment",
    ),
    "strangers": (
        verdict(GOOD, STRANGER.sign(statement_bytes(GOOD)).hex()),
        "bad-signature",
    ),
    "unsigned": (verdict(GOOD, "0" * 128), "bad-signature"),
    "blanks": (verdict(GOOD) + b" ", "not-canonical"),
    "not-json": (b"<html>", "not-canonical"),
    "empty": (b"", "not-canonical"),
    "deep": (b"[" * 16_000, "not-canonical"),
}


@pytest.mark.parametrize("name", REPLIES)
async def test_a_false_verdict_is_not_believed(name: str, context: Packed) -> None:
    """A statement about something else, or not signed right, fails at verify."""
    body, code = REPLIES[name]

    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=body)

    failure = await failed_delivery(reply, context)
    assert failure == Failure("verify", code, len(body), failure.elapsed_ms)


def answer_body(receipt: Receipt, answer: bytes = b"dark", signature: str | None = None) -> bytes:
    return wire.join_answer(receipt, signature or signed(receipt), answer)


RECEIPT = receipt_for(request_of(), b"dark")
ANSWERS = {
    "other-answer": (answer_body(RECEIPT, b"light"), "wrong-digest"),
    "other-n": (answer_body(msgspec.structs.replace(RECEIPT, n=2)), "wrong-assignment"),
    "other-request": (answer_body(receipt_for(request_of(n=2), b"dark")), "wrong-assignment"),
    "invented-checkpoint": (
        answer_body(receipt_for(request_of(), b"dark", SignedCheckpoint(size=9, root="0" * 64))),
        "wrong-checkpoint",
    ),
    "no-checkpoint": (answer_body(receipt_for(request_of(), b"dark", None)), "wrong-checkpoint"),
    "unsigned": (answer_body(RECEIPT, signature="0" * 128), "bad-signature"),
    "acceptance-signature": (answer_body(RECEIPT, signature=signed(GOOD)), "bad-signature"),
    "many-open": (
        answer_body(msgspec.structs.replace(RECEIPT, unacknowledged=["0" * 64] * 17)),
        "not-canonical",
    ),
    "blanks": (b" " + answer_body(RECEIPT), "not-canonical"),
    "no-head": (b"dark", "not-canonical"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_false_answer_is_not_believed(name: str) -> None:
    """An answer without a right receipt for exactly this request fails at verify."""
    body, code = ANSWERS[name]

    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=body)

    failure = await failed_fetch(reply)
    assert failure == Failure("verify", code, len(body), failure.elapsed_ms)


async def test_a_miner_that_does_not_hold_polls_is_not_spun_on() -> None:
    """A miner that says 202 at once is asked about once a second."""
    asked = 0

    async def not_yet(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=202)

    failure = await failed_fetch(not_yet, within_s=0.9)
    assert (failure.code, asked) == ("timeout", 1)


async def test_cookies_are_not_kept(context: Packed) -> None:
    """Nothing that one response sets goes into another request."""
    seen: list[str | None] = []

    async def cookie(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(body=verdict(GOOD), headers={"Set-Cookie": "a=b"})

    async with hostile(cookie) as (door, endpoint):
        for _ in range(2):
            await door.deliver(endpoint, request_of(), context, CHECKPOINT, BLOCK)
    assert seen == [None, None]


# Hostile callers.


async def call(
    pair: Pair,
    method: str,
    target: str,
    body: bytes = b"",
    signer: object = VALIDATOR,
    receiver: str = MINER.ss58_address,
    change: dict[str, str] | None = None,
    nonce_ns: int | None = None,
) -> tuple[int, str]:
    """One signed request, with headers changed after signing; status and error code."""
    sha256 = hashlib.sha256(body).hexdigest()
    nonce_ns = nonce_ns or time.time_ns()
    headers = btauth.sign(signer, method, target, sha256, receiver, nonce_ns)  # type: ignore[arg-type]
    headers = headers | {wire.BODY_SHA256: sha256} | (change or {})
    url = URL(f"http://{pair.endpoint}{target}", encoded=True)
    data = io.BytesIO(body) if body else None
    async with pair.session.request(method, url, data=data, headers=headers) as response:
        text = await response.read()
    try:
        return response.status, msgspec.json.decode(text, type=dict[str, str]).get("error", "")
    except msgspec.MsgspecError:
        return response.status, ""


def headers_of(method: str, target: str, sha256: str) -> dict[str, str]:
    """Right headers for a body with this hash, whatever body is sent."""
    now_ns = time.time_ns()
    headers = btauth.sign(VALIDATOR, method, target, sha256, MINER.ss58_address, now_ns)
    return headers | {wire.BODY_SHA256: sha256}


async def test_an_unsigned_call_is_401(pair: Pair) -> None:
    """Nothing but health is open."""
    for method, target in (
        ("HEAD", f"/v1/contexts/{NAME}"),
        ("PUT", f"/v1/contexts/{NAME}"),
        ("POST", "/v1/tasks"),
        ("GET", "/v1/answers/0123abcd/3/5"),
        ("POST", "/v1/outcomes"),
    ):
        async with pair.session.request(method, f"http://{pair.endpoint}{target}") as response:
            assert response.status == 401
    assert pair.desk.requests == []


async def test_a_stranger_is_403(pair: Pair) -> None:
    """A right signature of a hotkey that is not admitted opens nothing."""
    assert await call(pair, "POST", "/v1/tasks", b"{}", STRANGER) == (403, "not-admitted")


async def test_a_stranger_cannot_borrow_a_name(pair: Pair) -> None:
    """Claiming an admitted hotkey under one's own signature is 401."""
    claim = {btauth.HOTKEY: VALIDATOR.ss58_address}
    got = await call(pair, "POST", "/v1/tasks", b"{}", STRANGER, change=claim)
    assert got == (401, "bad-signature")


async def test_a_call_for_another_miner_is_401(pair: Pair) -> None:
    """A request cannot be passed on to another miner."""
    got = await call(pair, "POST", "/v1/tasks", b"{}", receiver=STRANGER.ss58_address)
    assert got == (401, "wrong-receiver")


async def test_a_replay_is_401(pair: Pair) -> None:
    """The same signed request counts once; an old one not at all."""
    target, nonce = f"/v1/contexts/{NAME}", time.time_ns()
    body = zstd.compress(TEXT)
    assert await call(pair, "PUT", target, body, nonce_ns=nonce) == (201, "")
    pair.contexts.discard(NAME)
    assert await call(pair, "HEAD", target) == (404, "")
    # sr25519 signs differently each time: it is the nonce that gives a replay away.
    assert await call(pair, "PUT", target, body, nonce_ns=nonce) == (401, "replayed-request")
    old = nonce - 60_000_000_000
    assert await call(pair, "PUT", target, body, nonce_ns=old) == (401, "stale-request")
    assert not pair.contexts.has(NAME)


async def test_a_changed_body_is_refused(pair: Pair) -> None:
    """The body must be the announced one, and the announcement the signed one."""
    body = zstd.compress(TEXT)
    other = {wire.BODY_SHA256: hashlib.sha256(b"other").hexdigest()}
    target = f"/v1/contexts/{NAME}"
    assert await call(pair, "PUT", target, body, change=other) == (401, "bad-signature")
    sha256 = hashlib.sha256(b"other").hexdigest()
    for method, where in (("PUT", target), ("POST", "/v1/tasks"), ("POST", "/v1/outcomes")):
        headers = headers_of(method, where, sha256)
        url = f"http://{pair.endpoint}{where}"
        async with pair.session.request(method, url, data=body, headers=headers) as response:
            assert (response.status, (await response.json())["error"]) == (400, "wrong-hash")
    assert not pair.contexts.has(NAME)


async def test_a_bomb_upload_is_413(tmp_path: Path) -> None:
    """64 MiB in 2 kB stop at the cap and leaves nothing on disk."""
    bomb = zstd.compress(bytes(1 << 26))
    name = hashlib.sha256(bytes(1 << 26)).hexdigest()
    async with open_pair(tmp_path, max_text_bytes=1_000_000) as pair:
        assert await call(pair, "PUT", f"/v1/contexts/{name}", bomb) == (413, "too-large")
        large = await call(pair, "PUT", f"/v1/contexts/{name}", bytes(2_000_000))
        assert large == (413, "too-large")
        assert list(pair.contexts.path(name).parent.iterdir()) == []


async def test_a_bomb_in_http_is_not_opened(pair: Pair) -> None:
    """A body with Content-Encoding is taken as the bytes it is."""
    body = gzip.compress(request_body(request_of()))
    gzipped = {"Content-Encoding": "gzip"}
    assert await call(pair, "POST", "/v1/tasks", body, change=gzipped) == (400, "not-canonical")


async def test_a_wrong_context_is_400(pair: Pair) -> None:
    """A text under another hash, or no zstd at all, is refused."""
    target = "/v1/contexts/" + "0" * 64
    assert await call(pair, "PUT", target, zstd.compress(TEXT)) == (400, "wrong-hash")
    assert await call(pair, "PUT", target, TEXT) == (400, "bad-zstd")
    assert await call(pair, "HEAD", target) == (404, "")


@pytest.mark.parametrize(
    "name", ["..", "..%2f..%2fetc%2fpasswd", "%2e%2e", "A" * 64, "0" * 63, "0" * 64 + "%00"]
)
async def test_a_name_leads_nowhere(name: str, pair: Pair) -> None:
    """A context's name is a hash; anything else is refused before the disk is touched."""
    for method in ("HEAD", "PUT"):
        status, _ = await call(pair, method, f"/v1/contexts/{name}", zstd.compress(TEXT))
        assert status in (400, 404)
    assert not any(pair.contexts.path(NAME).parent.iterdir())


async def test_a_large_body_is_413(pair: Pair) -> None:
    """Requests and outcomes have caps of their own, announced or streamed."""
    assert await call(pair, "POST", "/v1/tasks", b"x" * 200_000) == (413, "too-large")
    assert await call(pair, "POST", "/v1/outcomes", b"x" * 300_000) == (413, "too-large")

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 10_000

    where, sha256 = "/v1/tasks", hashlib.sha256(b"x" * 500_000).hexdigest()
    headers = headers_of("POST", where, sha256)
    url = f"http://{pair.endpoint}{where}"
    async with pair.session.post(url, data=stream(), headers=headers) as response:
        assert response.status == 413


async def test_a_slow_upload_is_408(tmp_path: Path) -> None:
    """A caller that dawdles loses the connection and leaves nothing."""
    body = zstd.compress(TEXT)
    sha256, target = hashlib.sha256(body).hexdigest(), f"/v1/contexts/{NAME}"

    async def dawdle() -> AsyncIterator[bytes]:
        yield body[:10]
        await anyio.sleep(0.5)
        yield body[10:]

    async with open_pair(tmp_path, ServerLimits(upload_s=0.1)) as pair:
        headers = headers_of("PUT", target, sha256)
        url = f"http://{pair.endpoint}{target}"
        async with pair.session.put(url, data=dawdle(), headers=headers) as response:
            assert response.status == 408
        assert not pair.contexts.has(NAME)


async def test_a_task_without_its_context_is_409(pair: Pair) -> None:
    """The miner says what it needs before the desk hears of the task."""
    status, _ = await call(pair, "POST", "/v1/tasks", request_body(request_of()))
    assert status == 409
    assert pair.desk.requests == []


async def test_a_malformed_task_is_400(pair: Pair) -> None:
    """A request in another form, for another miner, or with a bad quote never gets to the desk."""
    body = request_body(request_of())
    other = request_body(request_of(hotkey=STRANGER.ss58_address))
    assert await call(pair, "POST", "/v1/tasks", body + b"\n") == (400, "not-canonical")
    assert await call(pair, "POST", "/v1/tasks", other) == (400, "wrong-miner")
    for query in ("checkpoint=1", "block=1-0xzz", "checkpoint=" + "9" * 40 + "-" + "a" * 64):
        assert await call(pair, "POST", f"/v1/tasks?{query}", body) == (400, "bad-query")
    assert pair.desk.requests == []


async def test_a_malformed_poll_is_400(pair: Pair) -> None:
    """Rounds, tasks and waits are numbers."""
    for target in ("x/3/5", "0123abcd/3/5"):
        assert await call(pair, "GET", f"/v1/answers/{target}") == (404, "unknown")
    for target in ("0123abcd/-1/5", "0123abcd/3/5?wait_ms=1e3", "0123abcd/%D9%A3/5"):
        assert await call(pair, "GET", f"/v1/answers/{target}") == (400, "bad-query")
