"""All ways that ``bench/sandbox.py`` compares, opened together, so that they can take turns."""

import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from aiodocker import Docker
from sandbox_peers import PEERS, environment, started
from sandbox_ways import OWNER, Ours, Plain, Watch, Way, bench_image

from quasar.errors import QuasarError
from quasar.sandbox import SandboxConfig, open_sandbox
from quasar.sandbox.bubblewrap import Bubble
from quasar.sandbox.container import Container

POOLED = 2
"""Cells that wait."""


class Entry(NamedTuple):
    """A way, and how many turns it gets at most; 0: all."""

    way: Way
    turns: int


class Opened(NamedTuple):
    """Every way that this machine has."""

    ways: dict[str, Entry]
    further: dict[str, Callable[[], Awaitable[list[float]]]]
    missing: list[str]
    """What it has not, and why."""
    watch: Watch


@asynccontextmanager
async def opened(docker: Docker, engine: str, quick: bool) -> AsyncIterator[Opened]:
    """All of them wait, ready, until the end."""
    found = Opened({}, {}, [], Watch())
    found.watch.over([Container, Bubble])
    async with AsyncExitStack() as stack:
        async with open_sandbox(SandboxConfig(driver="docker", pool=0, owner=OWNER)) as sandbox:
            ours = sandbox.identity.image
        image = await stack.enter_async_context(bench_image(docker, f"sha256:{ours}"))
        await open_ours(found, stack, image)
        plain = Plain(docker, image)
        found.ways["docker exec per case"] = Entry(plain.exec_per_case, 0)
        found.ways["docker run per case"] = Entry(plain.run_per_case, 0)
        if not quick:
            open_peers(found, stack, image, engine)
        yield found


async def open_ours(found: Opened, stack: AsyncExitStack, image: str) -> None:
    for driver, name in (("docker", "Docker"), ("bubblewrap", "bubblewrap")):
        for pool, how in ((POOLED, "from the pool"), (0, "cold")):
            opening = Ours.open(driver, pool, image, found.watch)
            try:
                ours = await stack.enter_async_context(opening)
            except QuasarError as error:
                found.missing.append(f"{name}, {how}: {error}")
                continue
            found.ways[f"{name}, {how}"] = Entry(ours.once, 0)
            if pool:
                found.further[name] = ours.further


def open_peers(found: Opened, stack: AsyncExitStack, image: str, engine: str) -> None:
    for peer in PEERS:
        try:
            python = environment(peer)
        except (OSError, subprocess.CalledProcessError) as error:
            found.missing.append(f"{peer.package}: pip did not install it ({type(error).__name__})")
            continue
        for name, turns in peer.ways.items():
            way = stack.enter_context(started(python, name, image, engine))
            found.ways[name] = Entry(way, turns)
