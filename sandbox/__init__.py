"""Runs the code of strangers, trusted with nothing.

    async with open_sandbox(SandboxConfig()) as sandbox:
        outcomes = await sandbox.run("def add(a, b): return a + b", "add", [[1, 2], [3, 4]])

One cell for a submission (a container, or bubblewrap's where no engine answers), without network,
files to write, powers or a way out; in it a fresh process for each case, which sees its own input
and no other. Expected values never go in: compare outputs out here, with ``same_json``. Knows
nothing of actors or rules.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from quasar.events.json_value import read_json as read_json
from quasar.events.json_value import same_json as same_json
from quasar.sandbox.choice import Choice as Choice
from quasar.sandbox.choice import choose as choose
from quasar.sandbox.choice import open_driver
from quasar.sandbox.config import SandboxConfig as SandboxConfig
from quasar.sandbox.engine import find_engine as find_engine
from quasar.sandbox.engine import probe_engine as probe_engine
from quasar.sandbox.errors import SandboxError as SandboxError
from quasar.sandbox.identity import SandboxIdentity as SandboxIdentity
from quasar.sandbox.outcome import Outcome as Outcome
from quasar.sandbox.policy import NO_POLICY as NO_POLICY
from quasar.sandbox.policy import LintPolicy as LintPolicy


class Sandbox(Protocol):
    """What every driver offers."""

    @property
    def identity(self) -> SandboxIdentity:
        """Who runs the code."""
        ...

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        """Call ``function_name`` of ``code`` once with each list of arguments (JSON values).

        One outcome per input, in order, never fewer; whatever the code does is an outcome. Calls
        may run at the same time: each has a cell of its own.

        Raises SandboxError where the engine fails, and UsageError for arguments that are not
        JSON or longer than 64 MiB.
        """
        ...


@asynccontextmanager
async def open_sandbox(config: SandboxConfig | None = None) -> AsyncIterator[Sandbox]:
    """A sandbox that was seen to hold. Nothing of it is left afterwards.

    Raises SandboxError where no driver is to be had or its walls do not stand.
    """
    from quasar.sandbox.pool import open_pool
    from quasar.sandbox.submissions import Submissions

    config = config or SandboxConfig()
    async with open_driver(config) as driver, open_pool(driver, config.pool) as pool:
        sandbox = Submissions(driver, pool, config)
        await sandbox.check()
        yield sandbox
