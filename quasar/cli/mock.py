"""Mock mode: a local chain, loopback and public keys, so that nothing needs to be configured."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import anyio
import structlog

from quasar.chain import Chain
from quasar.cli.flags import LOCAL_PORT
from quasar.cli.identity import demo_miner, demo_validator
from quasar.cli.processes import child
from quasar.cli.source import is_local
from quasar.errors import ChainError, UsageError

SEED = 7
"""Public: whoever knows it has the keys."""
MINERS = 8
"""Registered from the start; those that serve no endpoint are asked nothing."""
BLOCK_MS = 250
TEMPO = 25
LOOK_S = 0.5

logger = structlog.get_logger()


def registered(seed: int = SEED) -> list[str]:
    """Hotkeys of the mock subnet, by uid."""
    miners = [demo_miner(seed, i).ss58_address for i in range(MINERS)]
    return [demo_validator(seed).hotkey.ss58_address, *miners]


def check_local(url: str) -> None:
    """Raises UsageError for a chain that is not on this machine."""
    if not is_local(url):
        raise UsageError(f"--mock runs its own chain on this machine, not {url}: leave one out")


@asynccontextmanager
async def mock_chain(url: str, seed: int, netuid: int, work: Path) -> AsyncIterator[None]:
    """A local chain at ``url``, as a child process."""
    # Its blocks are its own, so that no miner takes this subnet for an earlier one.
    arguments = ["--seed", token_hex(8), "--block-ms", str(BLOCK_MS), "--tempo", str(TEMPO)]
    arguments += ["--netuid", str(netuid), "--hotkeys", ",".join(registered(seed))]
    arguments += ["--port", str(urlsplit(url).port or LOCAL_PORT)]
    async with child("quasar.chain.local", arguments, work / "chain.log"):
        yield


async def wait_for_chain(chain: Chain, url: str) -> None:
    """Return once the chain answers; say so if it has to be waited for."""
    told = False
    while True:
        try:
            await chain.head()
            return
        except ChainError:
            if not told:
                start = "start `quasar validate --mock` or `quasar chain up` in another terminal"
                logger.info("waiting for a local chain", url=url, hint=start)
                told = True
        await anyio.sleep(LOOK_S)
