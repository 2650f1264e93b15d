"""What a validator needs besides its log, for as long as its process lives."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import anyio
import structlog
from msgspec.structs import replace

from quasar.events.signing import log_id_of
from quasar.log.access import LogServer
from quasar.log.server import NatsServer, set_aside
from quasar.rules import policy as policies
from quasar.rules.plan import runs_code
from quasar.sandbox import Sandbox, SandboxConfig, SandboxError, choose, open_sandbox
from quasar.supervisor.sandbox_limits import limited
from quasar.supervisor.setup import Setup
from quasar.supervisor.volume import LOG_NUMBER

LOOK_S = 60.0
"""Between two looks for a sandbox, where there was none at the start."""

logger = structlog.get_logger()


class Services(NamedTuple):
    """What outlasts a volume."""

    server: LogServer
    sandbox: Sandbox | None

    @property
    def versions(self) -> dict[str, str]:
        """Name to version of what is not Python."""
        found = {"nats-server": self.server.version}
        if self.sandbox is not None:
            identity = self.sandbox.identity
            found["sandbox-engine"] = f"{identity.engine}, {identity.runtime}"
            found["sandbox-python"] = identity.python
        return found


@asynccontextmanager
async def open_server(setup: Setup) -> AsyncIterator[LogServer]:
    """The operator's, once it is known to do; else one of our own."""
    if setup.nats is not None:
        yield await setup.nats.checked()
        return
    store = setup.state / "nats"
    if setup.recover and (aside := set_aside(store)) is not None:
        logger.warning("validator.store-set-aside", store=str(aside))
    async with NatsServer.open(store) as server:
        yield server


@asynccontextmanager
async def open_programs(setup: Setup, *, again: bool = False) -> AsyncIterator[Sandbox | None]:
    """A sandbox if the policy has tasks in code and there is a driver for one; else None.

    Raises SandboxError where the driver fails, unless ``again``: a validator that ran without one
    goes on without.
    """
    config = await _chosen(setup) if wants_sandbox(setup) else None
    async with AsyncExitStack() as stack:
        sandbox = None
        try:
            if config is not None:
                sandbox = await stack.enter_async_context(open_sandbox(config))
        except SandboxError as error:
            if not again:
                raise
            _say_none(str(error))
        yield sandbox


def wants_sandbox(setup: Setup) -> bool:
    """Whether the policy has tasks in code."""
    return any(runs_code(entry.family) for entry in policies.parse(setup.policy).mix)


async def _chosen(setup: Setup) -> SandboxConfig | None:
    """What to open, by the flags and the policy; None where there is nothing to open."""
    choice = await choose(setup.sandbox)
    if choice.driver is None:
        _say_none(choice.reason)
        return None
    logger.info("validator.sandbox", driver=choice.driver, reason=choice.reason)
    genesis, netuid = await setup.chain.genesis(), setup.chain.netuid
    log_id = log_id_of(genesis, netuid, setup.identity.hotkey.ss58_address, LOG_NUMBER)
    config = replace(setup.sandbox, driver=choice.driver, owner=log_id)
    return limited(config, policies.parse(setup.policy).execution)


def _say_none(reason: str) -> None:
    effect = f"no tasks in code; looked for again every {LOOK_S:g} s"
    logger.warning("validator.no-sandbox", reason=reason, effect=effect)


async def sandbox_came_up(setup: Setup) -> None:
    """Return once there is a driver, and a cell of it whose walls were seen to stand."""
    while True:
        await anyio.sleep(LOOK_S)
        choice = await choose(setup.sandbox)
        if choice.driver is None:
            continue
        try:
            async with open_sandbox(replace(setup.sandbox, driver=choice.driver, pool=0)):
                return
        except SandboxError as error:
            _say_none(str(error))
