"""What the hostile suite runs on: each driver, and each engine that speaks Docker's API."""

import json
import os
from pathlib import Path

import aiodocker
import anyio
import pytest
from msgspec.structs import replace

from quasar.sandbox import NO_POLICY, SandboxConfig, find_engine
from quasar.sandbox.choice import choose

SMALL = SandboxConfig(
    timeout_s=0.5, memory_mib=128, pool=0, policy=NO_POLICY, owner=f"hostile-suite-{os.getpid()}"
)
"""Small limits, and the walls alone: no list of forbidden names before them."""
TARGETS = ("docker", "bubblewrap", "podman")
PODMAN = "QUASAR_PODMAN"
"""The variable that says at which address podman serves Docker's API."""


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    """Where there is no Docker its tests are left out, and the others are not."""
    return [pytest.mark.docker] if name == "docker" else []


def config_for(name: str) -> SandboxConfig:
    """Skips the test where the target is missing; on CI the test fails there."""
    if name == "podman":
        missing = None if PODMAN in os.environ else f"{PODMAN} is not set"
        config = replace(SMALL, driver="docker", engine=os.environ.get(PODMAN))
    else:
        config = replace(SMALL, driver=name)
        choice = anyio.run(choose, config)
        missing = None if choice.driver else choice.reason
    if missing and not os.environ.get("CI"):
        pytest.skip(missing)
    assert missing is None, missing
    return config


async def left_behind(config: SandboxConfig) -> list[str]:
    """Containers of this owner in the engine; processes of bubblewrap that this one started."""
    if config.driver == "bubblewrap":
        return _bubbles()
    async with aiodocker.Docker(config.engine or await find_engine()) as docker:
        wanted = json.dumps({"label": [f"quasar.owner={config.owner}"]})
        return [found.id for found in await docker.containers.list(all="true", filters=wanted)]


def _bubbles() -> list[str]:
    return [status for status in map(_status, Path("/proc").glob("[0-9]*")) if _ours(status)]


def _status(process: Path) -> str:
    try:
        return (process / "status").read_text()
    except OSError:  # it has just ended
        return ""


def _ours(status: str) -> bool:
    return "Name:\tbwrap\n" in status and f"\nPPid:\t{os.getpid()}\n" in status
