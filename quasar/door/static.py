"""Static files over HTTP, read only: what a source gives out, whole or in ranges."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
import anyio.to_thread
import structlog
from aiohttp import web

from quasar.errors import QuasarError, UsageError

PIECE_BYTES = 1 << 18
READERS = 64
"""Files that are sent at the same time; who comes then is told to try again."""
SEND_S = 900.0
"""For one file: who reads slower asks for the rest with a range."""

logger = structlog.get_logger()


class Readable(Protocol):
    """A file that may be read up to ``size``."""

    size: int

    def read(self, start: int, size: int) -> bytes: ...

    def close(self) -> None: ...


class Source(Protocol):
    """What is served. It alone judges paths; both calls block, and run in a thread."""

    def refresh(self) -> None: ...

    def open(self, path: str) -> Readable | None: ...


class StaticServer:
    """GET and HEAD, with Range; anything that the source does not give out is not found."""

    def __init__(self, source: Source, refresh_s: float = 30.0) -> None:
        """``refresh_s``: seconds between two looks at what is new."""
        self._source = source
        self._refresh_s = refresh_s
        self._free = READERS

    @asynccontextmanager
    async def listen(self, host: str, port: int) -> AsyncIterator[int]:
        """Serve while the context is open; gives the port, which 0 lets the system choose.

        Raises UsageError where the address cannot be had.
        """
        app = web.Application()
        app.router.add_get("/{path:.*}", self._get)  # and HEAD
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await _start(runner, host, port)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._follow)
                yield runner.addresses[0][1]
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await runner.cleanup()

    async def _follow(self) -> None:
        while True:
            await anyio.sleep(self._refresh_s)
            try:
                await anyio.to_thread.run_sync(self._source.refresh)
            except (QuasarError, OSError) as problem:  # what was published stays
                logger.warning("serve.not-refreshed", problem=str(problem))

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if self._free == 0:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
        self._free -= 1
        try:
            path = request.match_info["path"]
            found = await anyio.to_thread.run_sync(self._source.open, path)
            if found is None:
                raise web.HTTPNotFound
            try:
                with anyio.fail_after(SEND_S):
                    return await _send(request, found)
            finally:
                found.close()
        finally:
            self._free += 1


async def _start(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"cannot listen on {host}:{port} ({reason}): name another --port or --host"
        ) from None


async def _send(request: web.Request, found: Readable) -> web.StreamResponse:
    start, stop = _range(request, found.size)
    partial = "Range" in request.headers
    response = web.StreamResponse(status=206 if partial else 200)
    response.content_type = "application/octet-stream"
    response.content_length = stop - start
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if partial:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
    await response.prepare(request)
    if request.method != "HEAD":
        await _write(response, found, start, stop)
    await response.write_eof()
    return response


def _range(request: web.Request, size: int) -> tuple[int, int]:
    """First byte that is asked for, and the one behind the last."""
    if "Range" not in request.headers:
        return 0, size
    try:
        start, stop, _ = request.http_range.indices(size)
    except ValueError:
        start = stop = size
    if start >= stop:
        headers = {"Content-Range": f"bytes */{size}"}
        raise web.HTTPRequestRangeNotSatisfiable(headers=headers)
    return start, stop


async def _write(response: web.StreamResponse, found: Readable, start: int, stop: int) -> None:
    while start < stop:
        size = min(PIECE_BYTES, stop - start)
        data = await anyio.to_thread.run_sync(found.read, start, size)
        if not data:
            raise ConnectionResetError("the file became shorter while it was sent")
        await response.write(data)
        start += len(data)
