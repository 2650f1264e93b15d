"""The minimal local block source: ``python -m quasar.chain.local``, and its client.

A stand-in, and it says so: it produces numbered, finalised blocks on time and remembers
endpoints. It has no extrinsics, no stake, no weights, no rate limits and no consensus, and its
block hashes can be foretold by whoever knows the seed. A real local chain replaces it behind the
protocol ``quasar.chain.Chain``.
"""

import argparse
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import anyio
import msgspec

from quasar.chain import Block, Hyperparameters
from quasar.chain.history import History, Options, Serve, serve_statement
from quasar.chain.local_server import MAX_WAIT_S, Info, LocalServer, open_journal, run
from quasar.errors import ChainError, QuasarError
from quasar.events.chain import Neuron
from quasar.events.signing import Signer

CALL_S = 10.0
"""Deadline of one call."""

T = TypeVar("T")


class LocalChain:
    """The client; implements ``quasar.chain.Chain``. Enter it before use."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._info: Info | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(trust_env=False)
        try:
            self._info = await self._get("/info", Info)
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session:
            await self._session.close()

    @property
    def netuid(self) -> int:
        """The subnet."""
        return self._known().netuid

    async def genesis(self) -> str:
        """Hash of block 0."""
        return self._known().genesis

    async def head(self) -> Block:
        """The newest finalised block."""
        return await self._get("/head", Block)

    async def block(self, number: int) -> Block:
        """A finalised block. Raises ChainError for one that is not finalised yet."""
        return await self._get(f"/block/{number}", Block)

    async def metagraph(self, number: int) -> list[Neuron]:
        """Who was registered at a finalised block, by uid."""
        return await self._get(f"/metagraph/{number}", list[Neuron])

    async def hyperparameters(self, number: int) -> Hyperparameters:
        """The subnet's parameters at a finalised block."""
        return await self._get(f"/hyperparameters/{number}", Hyperparameters)

    async def serve(self, signer: Signer, endpoint: str) -> None:
        """Publish ``ip:port``; metagraphs of blocks produced later show it."""
        info, hotkey = self._known(), signer.ss58_address
        statement = serve_statement(info.genesis, info.netuid, hotkey, endpoint)
        serve = Serve(hotkey=hotkey, endpoint=endpoint, signature=signer.sign(statement).hex())
        await self._call("POST", "/serve", msgspec.json.encode(serve))

    async def release(self) -> None:
        """Start a chain that is held at block 0."""
        await self._call("POST", "/release")

    async def blocks(self, after: int) -> AsyncIterator[Block]:
        """Finalised heads above ``after``, for ever; a slow reader gets the newest only."""
        head = await self.head()
        if head.number > after:
            yield head
        after = max(after, head.number)
        while True:
            body = await self._call("GET", f"/blocks?after={after}", wait_s=MAX_WAIT_S)
            if not body:
                continue
            block = _decode(body, Block)
            if block.number > after:
                after = block.number
                yield block

    async def _get(self, path: str, kind: type[T]) -> T:
        return _decode(await self._call("GET", path), kind)

    async def _call(
        self, method: str, path: str, body: bytes | None = None, wait_s: float = 0.0
    ) -> bytes:
        if self._session is None:
            raise ChainError("the local chain is not connected: use `async with LocalChain(url)`")
        try:
            with anyio.fail_after(CALL_S + wait_s):
                async with self._session.request(method, self._url + path, data=body) as response:
                    data = await response.read()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # TimeoutError is an OSError.
            raise ChainError(
                f"the local chain at {self._url} does not answer ({type(error).__name__}): "
                "start it with `python -m quasar.chain.local`, or try again"
            ) from error
        if response.status >= 400:
            raise ChainError(
                f"the local chain refuses {path}: {data[:200].decode(errors='replace')}"
            )
        return data

    def _known(self) -> Info:
        if self._info is None:
            raise ChainError("the local chain is not connected: use `async with LocalChain(url)`")
        return self._info


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise ChainError(f"the local chain sent {error}: is this its address?") from None


def _parse(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m quasar.chain.local", description=__doc__)
    parser.add_argument("--seed", required=True, help="block hashes follow from it")
    parser.add_argument("--block-ms", type=int, default=1000)
    parser.add_argument("--tempo", type=int, default=100, help="blocks an epoch")
    parser.add_argument("--netuid", type=int, default=24)
    parser.add_argument("--hotkeys", required=True, help="SS58 addresses by uid, with commas")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--journal", type=Path, help="file that lets a restart go on")
    parser.add_argument("--hold", action="store_true", help="stay at block 0 until released")
    options = parser.parse_args(args)
    if options.block_ms < 1 or options.tempo < 1:
        parser.error("--block-ms and --tempo must be at least 1")
    return options


def _server(args: argparse.Namespace) -> LocalServer:
    options = Options(
        seed=args.seed,
        start_ms=time.time_ns() // 1_000_000,
        block_ms=args.block_ms,
        tempo=args.tempo,
        netuid=args.netuid,
        hotkeys=[hotkey for hotkey in args.hotkeys.split(",") if hotkey],
    )
    if args.journal:
        return LocalServer(*open_journal(args.journal, options))
    return LocalServer(History(options), held=args.hold)


def _say_ready(port: int) -> None:
    sys.stdout.write(f'{{"port":{port}}}\n')
    sys.stdout.flush()


async def _run_until_told(server: LocalServer, port: int) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as told:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, server, port, _say_ready)
            async for _ in told:
                tasks.cancel_scope.cancel()


def main(args: Sequence[str]) -> int:
    """Run the block source until SIGTERM. Returns the exit code."""
    parsed = _parse(args)
    try:
        anyio.run(_run_until_told, _server(parsed), parsed.port)
    except QuasarError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
