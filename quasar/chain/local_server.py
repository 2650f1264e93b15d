"""The minimal local block source as a process: HTTP on 127.0.0.1."""

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

import anyio
import msgspec
from aiohttp import web

from quasar.chain.history import History, Options, Serve
from quasar.errors import ChainError, UsageError
from quasar.events.base import BlockHash, Part

MAX_WAIT_S = 20.0
"""A long poll ends after this time, with 204."""


class Info(Part, frozen=True):
    """What a client needs to know before its first call."""

    genesis: BlockHash
    netuid: int


class _Entry(Part, frozen=True):
    """One line of the journal after the first."""

    since: int
    serve: Serve


class LocalServer:
    """Answers for one history, against the clock."""

    def __init__(
        self, history: History, journal: BinaryIO | None = None, *, held: bool = False
    ) -> None:
        """``held``: block 0 is the only one until ``/release`` is called, so that every round of
        a demo comes at the same block, however long its processes take to start."""
        self.history = history
        self._journal = journal
        # From here on the monotonic clock: a wall clock that is set back must not undo blocks.
        self._start_s = time.monotonic() - (time.time() - history.options.start_ms / 1000)
        self._released = anyio.Event()
        if not held:
            self._released.set()

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[_say_chain_errors], client_max_size=4096)
        app.router.add_get("/info", self._info)
        app.router.add_get("/head", self._head)
        app.router.add_get("/blocks", self._next_head)
        app.router.add_get(r"/block/{number:\d{1,15}}", self._block)
        app.router.add_get(r"/metagraph/{number:\d{1,15}}", self._metagraph)
        app.router.add_get(r"/hyperparameters/{number:\d{1,15}}", self._hyperparameters)
        app.router.add_post("/serve", self._serve)
        app.router.add_post("/release", self._release)
        return app

    def _elapsed_ms(self) -> int:
        if not self._released.is_set():
            return 0
        return max(int((time.monotonic() - self._start_s) * 1000), 0)

    async def _info(self, _: web.Request) -> web.Response:
        return _json(Info(genesis=self.history.genesis, netuid=self.history.options.netuid))

    async def _head(self, _: web.Request) -> web.Response:
        elapsed = self._elapsed_ms()
        return _json(self.history.block(self.history.head(elapsed), elapsed))

    async def _next_head(self, request: web.Request) -> web.Response:
        after = _number(request.query.get("after", ""))
        with anyio.move_on_after(MAX_WAIT_S):
            await self._released.wait()
        left_ms = self.history.final_at_ms(after + 1) - self._elapsed_ms()
        with anyio.move_on_after(MAX_WAIT_S):
            # One more, since a timer may be early by its resolution.
            await anyio.sleep(left_ms / 1000 + 0.001 if left_ms > 0 else 0)
            return await self._head(request)
        return web.Response(status=204)

    async def _block(self, request: web.Request) -> web.Response:
        return _json(self.history.block(_asked(request), self._elapsed_ms()))

    async def _metagraph(self, request: web.Request) -> web.Response:
        return _json(self.history.metagraph(_asked(request), self._elapsed_ms()))

    async def _hyperparameters(self, request: web.Request) -> web.Response:
        return _json(self.history.hyperparameters(_asked(request), self._elapsed_ms()))

    async def _release(self, _: web.Request) -> web.Response:
        """Let time begin, once."""
        if not self._released.is_set():
            self._start_s = time.monotonic()
            self.history.begin(time.time_ns() // 1_000_000)
            self._released.set()
        return web.Response(status=204)

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            serve = msgspec.json.decode(await request.read(), type=Serve)
        except msgspec.MsgspecError as error:
            raise ChainError(f"not a serve request: {error}") from None
        self.take(serve)
        return web.Response(status=204)

    def take(self, serve: Serve) -> None:
        """Accept an endpoint and write it down. Raises ChainError."""
        since = self.history.serve(serve, self._elapsed_ms())
        if self._journal:
            _append(self._journal, _Entry(since=since, serve=serve))


def open_journal(path: Path, options: Options) -> tuple[History, BinaryIO]:
    """Continue the chain that a file remembers, or begin it. Its first line is the options.

    Raises UsageError where the file belongs to another chain.
    """
    lines = path.read_bytes().splitlines() if path.exists() else []
    history = _restore(path, lines, options) if lines else History(options)
    journal = path.open("ab")
    if not lines:
        _append(journal, options)
    return history, journal


def _restore(path: Path, lines: list[bytes], options: Options) -> History:
    try:
        known = msgspec.json.decode(lines[0], type=Options)
        entries = [msgspec.json.decode(line, type=_Entry) for line in lines[1:]]
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is not a local chain's journal ({error}): move it away") from None
    if msgspec.structs.replace(known, start_ms=options.start_ms) != options:
        raise UsageError(f"{path} belongs to a chain with other options: give those, or move it")
    history = History(known)
    for entry in entries:
        history.restore(entry.since, entry.serve)
    return history


async def run(server: LocalServer, port: int, ready: Callable[[int], None]) -> None:
    """Serve until cancelled. Calls ``ready`` with the port once it listens."""
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ready(runner.addresses[0][1])
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


@web.middleware
async def _say_chain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ChainError as error:
        return web.Response(status=409, text=str(error))


def _append(journal: BinaryIO, entry: Part) -> None:
    journal.write(msgspec.json.encode(entry) + b"\n")
    journal.flush()
    os.fsync(journal.fileno())


def _asked(request: web.Request) -> int:
    return _number(request.match_info["number"])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ChainError(f"{text!r} is not a block number")
    return int(text)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
