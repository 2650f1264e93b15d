"""Which driver runs the code: told openly, and never none that pretends to be one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

import anyio

from quasar.sandbox.bwrap import find_bwrap
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.driver import Driver
from quasar.sandbox.engine import probe_engine
from quasar.sandbox.errors import SandboxError


class Choice(NamedTuple):
    """What this machine would run code with."""

    driver: Literal["docker", "bubblewrap"] | None
    """Null where there is nothing to run it with."""
    reason: str
    """One line for people: why this one, or why none and what to do."""


async def choose(config: SandboxConfig | None = None) -> Choice:
    """The configured driver; by default Docker where an engine answers, else bubblewrap.

    Starts no cell: ``open_sandbox`` shows whether its walls stand. Never raises.
    """
    config = config or SandboxConfig()
    if config.driver == "bubblewrap":
        return await _bubblewrap(config)
    probe = await probe_engine(config.engine)
    if probe.url is not None:
        return Choice("docker", f"{probe.reason} answers at {probe.url}")
    if config.driver == "docker":
        return Choice(None, probe.reason)
    driver, reason = await _bubblewrap(config)
    return Choice(driver, f"{probe.reason}; {reason}")


async def _bubblewrap(config: SandboxConfig) -> Choice:
    for name in ("engine", "image", "runtime"):
        if getattr(config, name) is not None:
            return Choice(None, f"no bubblewrap: {name!r} is configured, which needs an engine")
    try:
        found = await anyio.to_thread.run_sync(find_bwrap)
    except SandboxError as error:
        return Choice(None, str(error))
    return Choice("bubblewrap", f"bubblewrap {found.version} works")


@asynccontextmanager
async def open_driver(config: SandboxConfig) -> AsyncIterator[Driver]:
    """The chosen one. Raises SandboxError where there is none, or it fails."""
    from quasar.sandbox.bubblewrap import open_bubblewrap
    from quasar.sandbox.docker import open_docker

    choice = await choose(config)
    if choice.driver is None:
        raise SandboxError(choice.reason)
    opened = open_docker if choice.driver == "docker" else open_bubblewrap
    async with opened(config) as driver:
        yield driver
