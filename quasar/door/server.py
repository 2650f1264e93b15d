"""The miner's side of the door: an HTTP server in front of a Desk."""

import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import msgspec
from aiohttp import web

from quasar.door import btauth, wire
from quasar.door.contexts import Contexts
from quasar.door.desk import Desk
from quasar.door.packing import max_packed
from quasar.errors import Refused
from quasar.events.receipt import Acceptance, Refusal, TaskRequest

CHUNK_BYTES = 1 << 16

_STATUS = {
    "malformed-auth": 401,
    "wrong-receiver": 401,
    "stale-request": 401,
    "bad-signature": 401,
    "replayed-request": 401,
    "not-admitted": 403,
    "unknown": 404,
    "timeout": 408,
    "too-large": 413,
    "full": 507,
}
"""Any other code is 400."""


class ServerLimits(NamedTuple):
    """What a caller may cost."""

    request_bytes: int = 131_072
    outcome_bytes: int = 262_144
    upload_s: float = 600.0
    """For one context."""
    body_s: float = 30.0
    """For any other body."""
    wait_s: float = 30.0
    """Longest that a poll for an answer is held."""
    max_age_s: float = 30.0
    """Of a signed request; includes the difference of the two clocks."""


DEFAULT_LIMITS = ServerLimits()


class Door:
    """Checks who calls and what comes in, then asks the desk.

    ``admit`` says which hotkeys may call: validators of the subnet, from a cached metagraph.
    """

    def __init__(
        self,
        hotkey: str,
        desk: Desk,
        contexts: Contexts,
        admit: Callable[[str], bool],
        limits: ServerLimits = DEFAULT_LIMITS,
    ) -> None:
        self._hotkey = hotkey
        self._desk = desk
        self._contexts = contexts
        self._admit = admit
        self._limits = limits
        self._nonces = btauth.NonceStore()

    @asynccontextmanager
    async def listen(self, host: str, port: int) -> AsyncIterator[int]:
        """Serve while the context is open; gives the port, which 0 lets the system choose."""
        # The server must not decompress bodies: what is signed and counted is what is sent.
        runner = web.AppRunner(
            self._app(), access_log=None, auto_decompress=False, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            yield runner.addresses[0][1]
        finally:
            with anyio.CancelScope(shield=True):
                await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_say_refused])
        app.router.add_get("/v1/health", self._health)
        app.router.add_head("/v1/contexts/{sha256}", self._has_context)
        app.router.add_put("/v1/contexts/{sha256}", self._put_context)
        app.router.add_post("/v1/tasks", self._take_task)
        app.router.add_get("/v1/answers/{log_id}/{round}/{task}", self._give_answer)
        app.router.add_post("/v1/outcomes", self._take_outcome)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return _json(200, {"status": "ok", "hotkey": self._hotkey})

    async def _has_context(self, request: web.Request) -> web.Response:
        self._caller(request)
        found = self._contexts.has(request.match_info["sha256"])
        return web.Response(status=200 if found else 404)

    async def _put_context(self, request: web.Request) -> web.Response:
        self._caller(request)
        sha256 = request.match_info["sha256"]
        if self._contexts.has(sha256):
            return web.Response(status=200)
        chunks = _chunks(request, max_packed(self._contexts.max_text_bytes))
        with anyio.fail_after(self._limits.upload_s):
            await self._contexts.receive(sha256, _announced(request), chunks)
        return web.Response(status=201)

    async def _take_task(self, request: web.Request) -> web.Response:
        validator = self._caller(request)
        checkpoint = wire.parse_checkpoint(request.query.get("checkpoint"))
        block = wire.parse_block(request.query.get("block"))
        body = await self._body(request, self._limits.request_bytes)
        task = wire.decode(body, TaskRequest)
        if task.hotkey != self._hotkey:
            raise Refused("wrong-miner", f"this door is {self._hotkey}'s")
        if not self._contexts.has(task.context.sha256):
            return _json(409, {"need": "context"})
        statement, signature = await self._desk.accept(validator, task, checkpoint, block)
        return _json(200, _verdict(statement, signature))

    async def _give_answer(self, request: web.Request) -> web.Response:
        validator = self._caller(request)
        asked = request.match_info
        round_, task = _number(asked["round"]), _number(asked["task"])
        wait_s = _number(request.query.get("wait_ms", "0")) / 1000
        # Never nothing: a desk that has the answer may still need a turn of the loop.
        with anyio.move_on_after(min(max(wait_s, 0.05), self._limits.wait_s)):
            answer = await self._desk.answer(validator, asked["log_id"], round_, task)
            return web.Response(
                body=wire.join_answer(answer.receipt, answer.signature, answer.data),
                content_type="application/octet-stream",
            )
        return web.Response(status=202)

    async def _take_outcome(self, request: web.Request) -> web.Response:
        validator = self._caller(request)
        body = await self._body(request, self._limits.outcome_bytes)
        outcome = wire.decode(body, wire.Outcome)
        await self._desk.outcome(validator, outcome.event, outcome.proof)
        return web.Response(status=204)

    def _caller(self, request: web.Request) -> str:
        """The hotkey that signed. Raises Refused, before a byte of the body is read."""
        claimed = request.headers.get(btauth.HOTKEY)
        if claimed and not self._admit(claimed):
            raise Refused("not-admitted", "this miner serves validators of its subnet only")
        return btauth.verify(
            request.headers,
            _announced(request),
            request.method,
            request.raw_path,
            self._hotkey,
            self._limits.max_age_s,
            time.time_ns(),
            self._nonces,
        )

    async def _body(self, request: web.Request, max_bytes: int) -> bytes:
        with anyio.fail_after(self._limits.body_s):
            body = b"".join([chunk async for chunk in _chunks(request, max_bytes)])
        if hashlib.sha256(body).hexdigest() != _announced(request):
            raise Refused("wrong-hash", "the body is not the one that was signed")
        return body


async def _chunks(request: web.Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises Refused(too-large)."""
    left = max_bytes - (request.content_length or 0)
    if left >= 0:
        left = max_bytes
        async for chunk in request.content.iter_chunked(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
    if left < 0:
        raise Refused("too-large", f"the body may have {max_bytes} bytes")


def _announced(request: web.Request) -> str:
    return request.headers.get(wire.BODY_SHA256, wire.EMPTY_SHA256)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Refused("bad-query", "rounds, tasks and waits are decimal numbers")
    return int(text)


def _verdict(statement: Acceptance | Refusal, signature: str) -> wire.Verdict:
    if isinstance(statement, Acceptance):
        return wire.Verdict(acceptance=statement, signature=signature)
    return wire.Verdict(refusal=statement, signature=signature)


def _json(status: int, value: object) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(status=status, body=body, content_type="application/json")


@web.middleware
async def _say_refused(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        code, detail = refused.code, refused.detail
    except TimeoutError:
        code, detail = "timeout", "the body came too slowly"
    return _json(_STATUS.get(code, 400), {"error": code, "detail": detail})
