"""Open sandboxes for tests, on each driver."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from quasar.sandbox import Outcome, Sandbox, SandboxConfig, SandboxError, open_sandbox
from quasar.sandbox.bwrap import find_bwrap

ON = {
    "docker": SandboxConfig(driver="docker"),
    "bubblewrap": SandboxConfig(driver="bubblewrap"),
}
DRIVERS = [pytest.param("docker", marks=pytest.mark.docker), "bubblewrap"]
"""For ``parametrize``; then call ``need`` with it."""


def need(name: str) -> None:
    """Skip a test whose driver this machine lacks. CI has all: there it must fail."""
    if name == "bubblewrap" and not os.environ.get("CI"):
        try:
            find_bwrap()
        except SandboxError as error:
            pytest.skip(str(error))


def on(name: str, config: SandboxConfig) -> SandboxConfig:
    """The same limits on another driver."""
    return msgspec.structs.replace(config, driver=ON[name].driver, engine=ON[name].engine)


class Bench(NamedTuple):
    """An open sandbox, used from tests that are not coroutines."""

    portal: BlockingPortal
    sandbox: Sandbox
    driver: str

    def run(self, code: str, name: str, inputs: list[list[Any]]) -> list[Outcome]:
        """All cases of one submission."""
        return self.portal.call(self.sandbox.run, code, name, inputs)

    def one(self, code: str, *arguments: object) -> Outcome:
        """One case of the function ``f``."""
        (outcome,) = self.run(code, "f", [list(arguments)])
        return outcome


@contextmanager
def bench(name: str, config: SandboxConfig) -> Iterator[Bench]:
    """A sandbox with these limits on that driver."""
    need(name)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_sandbox(on(name, config))) as sandbox,
    ):
        yield Bench(portal, sandbox, name)
