"""Upstream's code runner over HTTP, on the trusted side of the wall.

``GET /health`` answers ``{"status": "healthy", "version": "1.0"}``. ``POST /execute`` takes
``{code, function_name, test_input}`` and answers ``{success, output, error, execution_time_ms}``.
What the code does is an answer; a failure of the sandbox is status 503, a bad request 4xx, each
with ``{"detail": "one line"}``. Whoever may call runs programs here: it is served to this machine
alone, and to no browser, which would carry the requests of any page that it shows.
"""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import structlog
from aiohttp import web

from quasar.errors import UsageError
from quasar.sandbox import Sandbox
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.http_request import answer_of, parse_request
from quasar.sandbox.loopback import is_loopback

REQUEST_BYTES = 16 << 20
BODY_S = 30.0
"""For the body of a request to arrive."""
LINGER_S = 2.0
"""For the rest of a body that is refused: who is cut off while sending reads no answer."""
RUNNING = 4
"""Programs that run at the same time."""
WAITING = 28
"""Requests beside those that run; who comes then is told to try again."""

logger = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CodeServer:
    """Answers requests from a sandbox that others open and close."""

    def __init__(self, sandbox: Sandbox, drain_s: float) -> None:
        """``drain_s``: longest that the end waits for programs that run."""
        self._sandbox = sandbox
        self._drain_s = drain_s
        self._turns = anyio.CapacityLimiter(RUNNING)
        self._free = RUNNING + WAITING
        self._ends = False

    @asynccontextmanager
    async def listen(self, listening: socket.socket) -> AsyncIterator[None]:
        """Serve while the context is open. Then what runs may end; what waits is sent away."""
        app = web.Application(middlewares=[_explain, _no_browser], client_max_size=REQUEST_BYTES)
        app.router.add_get("/health", self._health)
        app.router.add_post("/execute", self._execute)
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,  # what is counted is what was sent
            handler_cancellation=True,  # a caller who leaves frees the turn
            lingering_time=LINGER_S,
            shutdown_timeout=self._drain_s,
        )
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            yield
        finally:
            self._ends = True
            with anyio.CancelScope(shield=True):
                await runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return _json(200, {"status": "healthy", "version": "1.0"})

    async def _execute(self, request: web.Request) -> web.Response:
        if self._free == 0:
            raise _busy("too many requests wait")
        self._free -= 1
        try:
            call = await anyio.to_thread.run_sync(parse_request, await _body(request))
            async with self._turns:
                if self._ends:
                    raise _busy("the server ends")
                code, function, arguments = call
                (outcome,) = await self._sandbox.run(code, function, [arguments])
        finally:
            self._free += 1
        return _json(200, answer_of(outcome))


async def _body(request: web.Request) -> bytes:
    if (request.content_length or 0) > REQUEST_BYTES:
        raise web.HTTPRequestEntityTooLarge(REQUEST_BYTES, request.content_length or 0)
    try:
        with anyio.fail_after(BODY_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body took over {BODY_S:g} s") from None


def _busy(why: str) -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(text=f"{why}: try again", headers={"Retry-After": "5"})


def _json(status: int, value: object) -> web.Response:
    # Not msgspec: an output may be an integer of any length.
    text = json.dumps(value, allow_nan=False)
    headers = {"X-Content-Type-Options": "nosniff"}
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line of JSON for whatever goes wrong."""
    try:
        return await handler(request)
    except UsageError as error:
        return _json(400, {"detail": str(error)})
    except SandboxError as error:
        logger.warning("serve.sandbox-failed", problem=str(error))
        return _json(503, {"detail": str(error)})
    except web.HTTPException as error:
        answer = _json(error.status, {"detail": error.text})
        answer.headers.update(
            {k: v for k, v in error.headers.items() if k in {"Allow", "Retry-After"}}
        )
        return answer


@web.middleware
async def _no_browser(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page may make its reader's browser call this machine, under a name of the page's own."""
    if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
        raise web.HTTPForbidden(text="browsers are not served")
    peer = request.get_extra_info("socket")
    if peer is not None and peer.family != socket.AF_UNIX:
        names = request.headers.getall("Host", [])
        if len(names) != 1 or not is_loopback(_without_port(names[0])):
            raise web.HTTPForbidden(text="call this server as 127.0.0.1, localhost or [::1]")
    return await handler(request)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and not name.endswith(":") else host
