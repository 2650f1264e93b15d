"""The local chain as a process: ``python -m quasar.chain.local``.

A websocket on 127.0.0.1 to which the unmodified bittensor client connects. It emulates the rules
of subtensor in Python, under recorded metadata; it is not the Rust runtime. What it emulates and
what not stands in ``quasar.chain.node.rules`` and is the answer to the RPC method
``quasar_rules``. Its block hashes can be foretold by whoever knows the seed.
"""

import argparse
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import anyio

from quasar.chain.node.journal import Journal
from quasar.chain.node.options import Options
from quasar.chain.node.production import Node
from quasar.chain.node.rules import EMULATED, NOT_EMULATED
from quasar.chain.node.server import Server
from quasar.errors import QuasarError, UsageError


class Rules(NamedTuple):
    """What the chain does as subtensor does, and what not."""

    emulated: Sequence[str] = EMULATED
    not_emulated: Sequence[str] = NOT_EMULATED


Ready = Callable[[int, Rules], None]
"""Called with the port once the chain listens."""


def _parse(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m quasar.chain.local", description=__doc__)
    parser.add_argument("--seed", required=True, help="block hashes and coldkeys follow from it")
    parser.add_argument("--block-ms", type=int, default=1000)
    parser.add_argument("--tempo", type=int, default=100, help="blocks an epoch")
    parser.add_argument("--netuid", type=int, default=24)
    parser.add_argument("--hotkeys", required=True, help="SS58 addresses by uid, with commas")
    parser.add_argument("--validators", type=int, default=1, help="the first so many have stake")
    parser.add_argument("--weights-rate-limit", type=int, default=10, help="blocks")
    parser.add_argument("--serving-rate-limit", type=int, default=1, help="blocks")
    parser.add_argument("--min-weights", type=int, default=1)
    parser.add_argument("--max-weight", type=int, default=65535)
    parser.add_argument("--version-key", type=int, default=0, help="the least that is accepted")
    parser.add_argument("--commit-reveal", action="store_true", help="refuse plain weights")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--journal", type=Path, help="file that lets a restart go on")
    parser.add_argument("--hold", action="store_true", help="stay at block 0 until released")
    return parser.parse_args(args)


def _options(args: argparse.Namespace) -> Options:
    return Options(
        seed=args.seed,
        block_ms=args.block_ms,
        tempo=args.tempo,
        netuid=args.netuid,
        hotkeys=[hotkey for hotkey in args.hotkeys.split(",") if hotkey],
        validators=args.validators,
        weights_rate_limit=args.weights_rate_limit,
        serving_rate_limit=args.serving_rate_limit,
        min_allowed_weights=args.min_weights,
        max_weights_limit=args.max_weight,
        weights_version=args.version_key,
        commit_reveal=args.commit_reveal,
    )


async def serve(
    options: Options, port: int, journal: Path | None, held: bool, ready: Ready
) -> None:
    """Run a local chain until SIGTERM or Ctrl-C; ``held`` keeps it at block 0 until released.

    Raises UsageError where the port is taken or the journal is another chain's.
    """
    kept = Journal.open(journal, options) if journal else None
    server = Server(Node(options, journal=kept, held=held))
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as told:
        async with _listening(server, port) as taken, anyio.create_task_group() as tasks:
            ready(taken, Rules())
            tasks.start_soon(server.make_blocks)
            async for _ in told:
                tasks.cancel_scope.cancel()


@asynccontextmanager
async def _listening(server: Server, port: int) -> AsyncIterator[int]:
    async with AsyncExitStack() as stack:
        try:
            taken = await stack.enter_async_context(server.listen(port))
        except OSError as problem:
            raise UsageError(
                f"the local chain cannot listen on port {port} ({problem.strerror}): name another"
            ) from None
        yield taken


def _say_ready(port: int, _: Rules) -> None:
    sys.stdout.write(f'{{"port":{port}}}\n')
    sys.stdout.flush()


def main(args: Sequence[str]) -> int:
    """Run the local chain until SIGTERM. Returns the exit code."""
    parsed = _parse(args)
    try:
        options = _options(parsed)
        anyio.run(serve, options, parsed.port, parsed.journal, parsed.hold, _say_ready)
    except QuasarError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
