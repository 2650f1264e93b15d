"""The node as a websocket server on 127.0.0.1."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import msgspec
from aiohttp import WSMsgType, web
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from quasar.chain.node.pool import Reject
from quasar.chain.node.production import Node
from quasar.chain.node.rpc import Methods
from quasar.chain.node.subscriptions import Subscriptions

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
OUTBOX = 4096
"""Messages that a client may leave unread before it is disconnected."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Server:
    """Answers requests, makes blocks when they are due, and tells subscribers."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._methods = Methods(node)
        self._subscriptions = Subscriptions(node)
        self._released = anyio.Event()

    @asynccontextmanager
    async def listen(self, port: int) -> AsyncIterator[int]:
        """Accept clients; gives the port, which 0 lets the system choose. Raises OSError."""
        app = web.Application()
        app.router.add_get("/", self._connect)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield runner.addresses[0][1]
        finally:
            with anyio.CancelScope(shield=True):
                await runner.cleanup()

    async def make_blocks(self) -> None:
        """For ever, each when it is due."""
        if math.isinf(self._node.wait_s()):
            await self._released.wait()
        while True:
            await anyio.sleep(self._node.wait_s())
            included = self._node.advance()
            if included is not None:
                self._subscriptions.publish(included)

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_MESSAGE_BYTES)
        await socket.prepare(request)
        send, receive = anyio.create_memory_object_stream[bytes](OUTBOX)
        with send, receive:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_write, socket, receive)
                await self._read(socket, send)
                tasks.cancel_scope.cancel()
        self._subscriptions.forget(send)
        return socket

    async def _read(
        self, socket: web.WebSocketResponse, send: MemoryObjectSendStream[bytes]
    ) -> None:
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            try:
                send.send_nowait(self._reply(message.data, send))
            except anyio.WouldBlock:
                return

    def _reply(self, data: str | bytes, send: MemoryObjectSendStream[bytes]) -> bytes:
        try:
            frame = _decode(data)
        except msgspec.MsgspecError as error:
            return _encode(_error(None, Reject(-32700, f"Parse error: {error}")))
        if isinstance(frame, list):
            return _encode([self._answer(one, send) for one in frame])
        return _encode(self._answer(frame, send))

    def _answer(self, frame: Any, send: MemoryObjectSendStream[bytes]) -> dict[str, Any]:
        if not isinstance(frame, dict) or not isinstance(frame.get("method"), str):
            return _error(None, Reject(-32600, "Invalid request"))
        method, params = frame["method"], frame.get("params") or []
        try:
            if not isinstance(params, list):
                raise Reject(-32602, "Invalid params: give a list")
            result = self._call(method, params, send)
        except Reject as reject:
            return _error(frame.get("id"), reject)
        return {"jsonrpc": "2.0", "id": frame.get("id"), "result": result}

    def _call(self, method: str, params: list[Any], send: MemoryObjectSendStream[bytes]) -> Any:
        if self._subscriptions.handles(method):
            return self._subscriptions.answer(method, params, send, self._methods.submit)
        result = self._methods.answer(method, params)
        if not math.isinf(self._node.wait_s()):
            self._released.set()
        return result


async def _write(socket: web.WebSocketResponse, receive: MemoryObjectReceiveStream[bytes]) -> None:
    with suppress(ConnectionError):
        async for message in receive:
            await socket.send_str(message.decode())


def _error(number: Any, reject: Reject) -> dict[str, Any]:
    error = {"code": reject.code, "message": reject.message}
    if reject.data is not None:
        error["data"] = reject.data
    return {"jsonrpc": "2.0", "id": number, "error": error}
