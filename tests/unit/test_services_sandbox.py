"""The sandbox that a validator opens: as its flags say, or none, and openly so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from quasar.cli.sandbox_flags import Programs
from quasar.config import load_policy
from quasar.sandbox import Choice, SandboxConfig
from quasar.supervisor import services
from quasar.supervisor.setup import Setup

pytestmark = pytest.mark.anyio


def setup(programs: Programs) -> Setup:
    """What is read of a Setup whose policy has tasks in code."""
    given = SimpleNamespace(policy=load_policy("full-v1"), sandbox=programs.config())
    return cast(Setup, given)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[SandboxConfig]:
    """Configurations of the sandboxes that were opened; none is."""
    configs: list[SandboxConfig] = []

    @asynccontextmanager
    async def open_sandbox(config: SandboxConfig) -> AsyncIterator[str]:
        configs.append(config)
        yield "open"

    async def choose(config: SandboxConfig) -> Choice:
        return Choice(None if config.driver == "docker" else "bubblewrap", f"for {config.driver}")

    monkeypatch.setattr(services, "open_sandbox", open_sandbox)
    monkeypatch.setattr(services, "choose", choose)
    return configs


async def test_the_flags_reach_the_sandbox(opened: list[SandboxConfig]) -> None:
    """With the log as its owner; the driver and its reason are logged."""
    with capture_logs() as logged:
        async with services._open_sandbox(setup(Programs(sandbox_runtime="runsc")), "ab12"):
            pass
    (config,) = opened
    assert (config.driver, config.runtime, config.owner) == ("bubblewrap", "runsc", "ab12")
    assert [(line["driver"], line["reason"]) for line in logged] == [("bubblewrap", "for auto")]


async def test_without_a_driver_there_is_none(opened: list[SandboxConfig]) -> None:
    """The reason is logged, with what follows from it."""
    with capture_logs() as logged:
        async with services._open_sandbox(setup(Programs(sandbox="docker")), "ab12") as sandbox:
            assert sandbox is None
    assert opened == []
    assert [(line["reason"], line["effect"]) for line in logged] == [
        ("for docker", "no tasks in code")
    ]
