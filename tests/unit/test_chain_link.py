"""What the client does when the other side of the websocket misbehaves."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import anyio
import pytest
from aiohttp import web

from quasar.chain.bittensor import BittensorChain
from quasar.chain.endpoints import endpoint_of
from quasar.chain.errors import Busy, CallRefused, FateUnknown, RuntimeMismatch, Stale, refusal
from quasar.chain.keys import hotkey_from_seed
from quasar.chain.node.options import Options
from quasar.chain.node.pool import Reject
from quasar.chain.node.production import Node
from quasar.chain.node.rpc import Methods
from quasar.errors import ChainError, UsageError

pytestmark = pytest.mark.anyio

KEY = hotkey_from_seed(b"7", "validator")
OPTIONS = Options(seed="7", block_ms=100, tempo=10, netuid=24, hotkeys=[KEY.ss58_address])
Spoil = Callable[[web.WebSocketResponse, dict[str, Any]], Any]


async def answer(_: web.WebSocketResponse, reply: dict[str, Any]) -> dict[str, Any] | None:
    return reply


class Door:
    """A node whose answers to one method can be spoilt, so many times."""

    def __init__(self) -> None:
        self.methods = Methods(Node(OPTIONS, held=True))
        self.method = ""
        self.times = 0
        self.spoil: Spoil = answer
        self.url = ""

    def when(self, method: str, spoil: Spoil, times: int = 1) -> None:
        """Spoil the next answers."""
        self.method, self.spoil, self.times = method, spoil, times

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            frame = json.loads(message.data)
            reply = {"jsonrpc": "2.0", "id": frame["id"]} | self._result(frame)
            if frame["method"] == self.method and self.times:
                self.times -= 1
                reply = await self.spoil(socket, reply)
            if reply is not None:
                await socket.send_str(json.dumps(reply))
        return socket

    def _result(self, frame: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": self.methods.answer(frame["method"], frame["params"])}
        except Reject as reject:
            return {"error": {"code": reject.code, "message": reject.message, "data": reject.data}}


@asynccontextmanager
async def listening() -> AsyncIterator[Door]:
    """A door on a free port."""
    door, app = Door(), web.Application()
    app.router.add_get("/", door.connect)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield door
    finally:
        await runner.cleanup()


@pytest.fixture(name="door")
async def fixture_door() -> AsyncIterator[Door]:
    async with listening() as door:
        yield door


def closing(code: int) -> Spoil:
    """Hang up instead of answering."""

    async def spoil(socket: web.WebSocketResponse, _: dict[str, Any]) -> None:
        await socket.close(code=code)

    return spoil


async def silence(_: web.WebSocketResponse, __: dict[str, Any]) -> None:
    """Never answer."""


def error(code: int, message: str, data: Any = None) -> Spoil:
    """Answer with an error."""

    async def spoil(_: web.WebSocketResponse, reply: dict[str, Any]) -> dict[str, Any]:
        problem = {"code": code, "message": message, "data": data}
        return {"jsonrpc": "2.0", "id": reply["id"], "error": problem}

    return spoil


@contextmanager
def deadline(chain: BittensorChain, seconds: float) -> Iterator[None]:
    """Only while an answer is spoilt: honest ones may be slow on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain._link, "_deadline_s", seconds)
        yield


@pytest.mark.parametrize("code", [1000, 1001, 1011])
async def test_a_hang_up_ends_within_the_deadline(door: Door, code: int) -> None:
    """A clean close kills the SDK's reader; the call still ends, and the next one works."""
    async with BittensorChain(door.url, 24) as chain:
        door.when("chain_getFinalizedHead", closing(code))
        with anyio.fail_after(20):
            with suppress(ChainError), deadline(chain, 1):
                await chain.head()
            assert (await chain.head()).number == 0


async def test_silence_ends_at_the_deadline(door: Door) -> None:
    """No answer is an error that says so, and the next call asks anew."""
    async with BittensorChain(door.url, 24) as chain:
        door.when("chain_getFinalizedHead", silence)
        with anyio.fail_after(20):
            with pytest.raises(ChainError, match="TimeoutError"), deadline(chain, 0.5):
                await chain.head()
            assert (await chain.head()).number == 0


async def test_blocks_outlive_hang_ups(door: Door) -> None:
    """The stream of heads goes on by itself after connections that were lost."""
    async with BittensorChain(door.url, 24, deadline_s=0.5) as chain:
        door.when("chain_getFinalizedHead", closing(1001), times=2)
        with anyio.fail_after(20):
            assert (await anext(aiter(chain.blocks(-1)))).number == 0
        assert door.times == 0


@pytest.mark.parametrize("spoil", [closing(1001), closing(1011), silence])
async def test_a_call_without_an_answer_has_an_unknown_fate(
    door: Door, spoil: Spoil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be on chain: the error says so and carries its hash; here it is in the pool."""
    async with BittensorChain(door.url, 24) as chain:
        send = chain._link.send

        async def send_soon(unsigned: Any, signature: bytes) -> str:
            with deadline(chain, 1):
                return await send(unsigned, signature)

        monkeypatch.setattr(chain._link, "send", send_soon)
        door.when("author_submitExtrinsic", spoil)
        with pytest.raises(FateUnknown) as caught:
            await chain.set_commitment(KEY, "ab" * 32)
        nonce = await chain.request("account_nextIndex", KEY.ss58_address)
        assert nonce == 1
        assert caught.value.extrinsic.startswith("0x")
        assert caught.value.extrinsic in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (error(1010, "Invalid Transaction", "Transaction is outdated"), Stale),
        (error(1014, "Priority is too low: (5 vs 5)", "priority is too low"), Stale),
        (error(1010, "Invalid Transaction", "Custom error: 255"), CallRefused),
        (error(-32005, "slow down", {"retry_after": "7"}), Busy),
    ],
)
async def test_refusals_of_the_pool_are_typed(
    door: Door, spoil: Spoil, kind: type[ChainError]
) -> None:
    """The node's words decide what is to be done next."""
    async with BittensorChain(door.url, 24) as chain:
        door.when("author_submitExtrinsic", spoil)
        with pytest.raises(kind) as caught:
            await chain.set_commitment(KEY, "ab" * 32)
        assert type(caught.value) is kind


async def test_a_runtime_that_lacks_an_item_is_a_mismatch(door: Door) -> None:
    """What we ask for and the runtime does not have asks for another SDK."""
    async with BittensorChain(door.url, 24) as chain:
        with pytest.raises(RuntimeMismatch, match="update bittensor"):
            await chain._query(0, "RenamedByAnUpgrade")


async def test_an_unknown_network_is_a_usage_error() -> None:
    """A name that is no network, named as such."""
    with pytest.raises(UsageError, match="nowhere"):
        async with BittensorChain("nowhere", 24):
            pass


def test_names_of_reasons_that_nobody_knows() -> None:
    """A reason without a type of its own keeps its name in the message."""
    plain = refusal("SomethingNew", "text")
    assert type(plain) is CallRefused
    assert "SomethingNew" in str(plain)
    assert type(refusal(None, "text")) is CallRefused


@pytest.mark.parametrize(
    ("axon", "endpoint"),
    [
        ({"ip": 0, "port": 0, "ip_type": 4}, None),
        ({"ip": 0, "port": 80, "ip_type": 4}, None),
        ({"ip": 0x7F000001, "port": 0, "ip_type": 4}, None),
        ({"ip": 0x7F000001, "port": 80, "ip_type": 4}, "127.0.0.1:80"),
        ({"ip": 1, "port": 80, "ip_type": 6}, "[::1]:80"),
        ({"ip": 1 << 40, "port": 80, "ip_type": 4}, None),
    ],
)
def test_endpoints_of_axons(axon: dict[str, int], endpoint: str | None) -> None:
    """An address or a port of 0 is none; what miners write on chain never raises."""
    assert endpoint_of(axon) == endpoint
