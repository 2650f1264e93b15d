"""The Docker driver: a container for each cell, of any engine that speaks Docker's API."""

import io
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio

from quasar.sandbox.cell import Cell
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.container import Container, specification
from quasar.sandbox.engine import call, connect, engine_name, probe_engine, runtime_name, status_of
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.image import archive, recipe

if TYPE_CHECKING:
    from aiodocker import Docker


@asynccontextmanager
async def open_docker(config: SandboxConfig) -> AsyncIterator["DockerDriver"]:
    """Raises SandboxError where no engine answers, or has no image."""
    probe = await probe_engine(config.engine)
    if probe.url is None:
        raise SandboxError(probe.reason)
    async with connect(probe.url) as docker:
        image = await _image_facts(docker, config.image or await _built_image(docker))
        with call("say its version"):
            version = await docker.version()
        driver = DockerDriver(docker, config, image, version)
        try:
            yield driver
        finally:
            with anyio.CancelScope(shield=True):
                await driver.sweep()


async def _built_image(docker: "Docker") -> str:
    """Name of the image of this interpreter, loaded unless the engine has it."""
    made = await anyio.to_thread.run_sync(recipe)
    try:
        with call("look for an image"):
            await docker.images.inspect(made.name)
    except SandboxError as error:
        if status_of(error) != 404:
            raise
        body = io.BytesIO(await anyio.to_thread.run_sync(archive, made))
        with call("load an image", 600):
            await docker.images.import_image(body)
    return made.name


async def _image_facts(docker: "Docker", name: str) -> dict[str, Any]:
    """What the engine says about an image, pulled where it is not there."""
    try:
        with call("look for an image"):
            return await docker.images.inspect(name)
    except SandboxError as error:
        if status_of(error) != 404:
            raise
    with call(f"pull the image {name}", 1800):
        await docker.images.pull(name)
    with call("look for an image"):
        return await docker.images.inspect(name)


class DockerDriver:
    """See ``quasar.sandbox.driver.Driver``."""

    def __init__(
        self,
        docker: "Docker",
        config: SandboxConfig,
        image: dict[str, Any],
        version: dict[str, Any],
    ) -> None:
        """``image`` and ``version``: what the engine says about them."""
        self._docker = docker
        self._config = config
        self._image = image
        self._version = version
        self._token = os.urandom(6).hex()  # two sandboxes on one engine never share a name
        self._numbers = itertools.count(1)
        labels = {
            "quasar.sandbox": self._token,
            "quasar.owner": config.owner,
            "quasar.instance": config.instance or self._token,
        }
        self._body = specification(config, image["Id"], labels)

    def cell(self) -> Container:
        """See Driver."""
        largest = self._config.output_bytes + self._config.log_bytes
        name = f"quasar-{self._token}-{next(self._numbers)}"
        return Container(self._docker, name, self._body, largest)

    def identity(self, cell: Cell) -> SandboxIdentity:
        """See Driver."""
        layers = self._image["RootFS"]["Layers"]
        return SandboxIdentity(
            driver="docker",
            image=self._image["Id"].removeprefix("sha256:"),
            layers=[layer.removeprefix("sha256:") for layer in layers],
            python=cell.hello["python"],
            machine=cell.hello["machine"],
            engine=engine_name(self._version),
            runtime=runtime_name(self._version, self._config.runtime),
        )

    async def sweep(self) -> None:
        """See Driver. An engine that is gone has no containers to remove."""
        with suppress(SandboxError), call("list containers"):
            wanted = json.dumps({"label": [f"quasar.sandbox={self._token}"]})
            for left in await self._docker.containers.list(all="true", filters=wanted):
                await left.delete(force=True, v=True)
