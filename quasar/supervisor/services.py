"""What a validator needs besides its log, for as long as its process lives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import structlog
from msgspec.structs import replace

from quasar.events.signing import log_id_of
from quasar.log.access import LogServer
from quasar.log.server import NatsServer, set_aside
from quasar.rules import policy as policies
from quasar.rules.plan import runs_code
from quasar.sandbox import Sandbox, choose, open_sandbox
from quasar.supervisor.sandbox_limits import limited
from quasar.supervisor.setup import Setup
from quasar.supervisor.volume import LOG_NUMBER

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
async def open_services(setup: Setup) -> AsyncIterator[Services]:
    """Start them; they end in the other order."""
    genesis = await setup.chain.genesis()
    hotkey = setup.identity.hotkey.ss58_address
    log_id = log_id_of(genesis, setup.chain.netuid, hotkey, LOG_NUMBER)
    async with (
        _open_server(setup) as server,
        _open_sandbox(setup, log_id) as sandbox,
    ):
        yield Services(server, sandbox)


@asynccontextmanager
async def _open_server(setup: Setup) -> AsyncIterator[LogServer]:
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
async def _open_sandbox(setup: Setup, log_id: str) -> AsyncIterator[Sandbox | None]:
    """A sandbox if the policy has tasks in code and there is a driver for one; else None."""
    policy = policies.parse(setup.policy)
    wanted = any(runs_code(entry.family) for entry in policy.mix)
    choice = await choose(setup.sandbox) if wanted else None
    if choice is None or choice.driver is None:
        if choice is not None:
            logger.warning("validator.no-sandbox", reason=choice.reason, effect="no tasks in code")
        yield None
        return
    logger.info("validator.sandbox", driver=choice.driver, reason=choice.reason)
    config = replace(setup.sandbox, driver=choice.driver, owner=log_id)
    async with open_sandbox(limited(config, policy.execution)) as sandbox:
        yield sandbox
