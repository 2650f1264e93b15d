"""The Docker driver: a container for each cell, of any engine that speaks Docker's API."""

import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from quasar.sandbox.cell import Cell
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.container import Container, specification
from quasar.sandbox.engine import call, connect, engine_name, probe_engine, runtime_name
from quasar.sandbox.engine_image import EngineImage, ensure_image, restore_image
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.reaper import OWNER, PROCESS, reap, remove_each, this_process

if TYPE_CHECKING:
    from aiodocker import Docker


@asynccontextmanager
async def open_docker(config: SandboxConfig) -> AsyncIterator["DockerDriver"]:
    """Raises SandboxError where no engine answers, or has no image."""
    probe = await probe_engine(config.engine)
    if probe.url is None:
        raise SandboxError(probe.reason)
    async with connect(probe.url) as docker:
        image = await ensure_image(docker, config.image)
        with call("say its version"):
            version = await docker.version()
            runtime = config.runtime or (await docker.system.info()).get("DefaultRuntime")
        await reap(docker, config.owner)
        driver = DockerDriver(docker, config, image, Engine(version, runtime))
        try:
            yield driver
        finally:
            with anyio.CancelScope(shield=True):
                await driver.sweep()


class Engine(NamedTuple):
    """What an engine says about itself."""

    version: dict[str, Any]
    runtime: str | None
    """The OCI runtime that its containers get."""


class DockerDriver:
    """See ``quasar.sandbox.driver.Driver``."""

    def __init__(
        self,
        docker: "Docker",
        config: SandboxConfig,
        image: EngineImage,
        engine: Engine,
    ) -> None:
        self._docker = docker
        self._config = config
        self._image = image
        self._engine = engine
        self._token = os.urandom(6).hex()  # two sandboxes on one engine never share a name
        self._numbers = itertools.count(1)
        labels = {
            "quasar.sandbox": self._token,
            OWNER: config.owner,
            "quasar.instance": config.instance or self._token,
            PROCESS: this_process(),
        }
        self._body = specification(config, image.id, labels)
        self._restoring = anyio.Lock()

    def cell(self) -> Container:
        """See Driver."""
        largest = self._config.output_bytes + self._config.log_bytes
        name = f"quasar-{self._token}-{next(self._numbers)}"
        return Container(self._docker, name, self._body, largest, self._restore_image)

    async def _restore_image(self) -> None:
        """Somebody removed it from the engine: have the same one again, for all cells to come."""
        async with self._restoring:
            self._image = await restore_image(self._docker, self._image)
            self._body["Image"] = self._image.id

    def identity(self, cell: Cell) -> SandboxIdentity:
        """See Driver."""
        return SandboxIdentity(
            driver="docker",
            image=self._image.id.removeprefix("sha256:"),
            layers=self._image.layers,
            python=cell.hello["python"],
            machine=cell.hello["machine"],
            engine=engine_name(self._engine.version),
            runtime=runtime_name(self._engine.version, self._engine.runtime),
            repo_digests=self._image.repo_digests,
        )

    async def sweep(self) -> None:
        """See Driver. An engine that is gone has no containers to remove."""
        with suppress(SandboxError), call("remove the containers that are left"):
            wanted = json.dumps({"label": [f"quasar.sandbox={self._token}"]})
            await remove_each(await self._docker.containers.list(all="true", filters=wanted))
