"""The image of the cells in an engine: the one that is there, else pulled, else built here.

An image that is named is that image or an error: another one in its place would give other
verdicts. Only where none is named is one built, from this interpreter.
"""

import io
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import anyio
import structlog

from quasar.sandbox.engine import call, status_of
from quasar.sandbox.errors import NoImage, SandboxError
from quasar.sandbox.image import archive, recipe

if TYPE_CHECKING:
    from aiodocker import Docker

PULL_S, LOAD_S = 1800, 600

logger = structlog.get_logger()


class EngineImage(NamedTuple):
    """An image that the engine has."""

    name: str
    how: Literal["found", "pulled", "built"]
    facts: dict[str, Any]
    """What the engine says about it."""

    @property
    def id(self) -> str:
        """The engine's own name, for POST /containers/create: engines may differ in it."""
        return str(self.facts["Id"])

    @property
    def layers(self) -> list[str]:
        """SHA-256 of each uncompressed layer, 64 hex digits: alike on every engine."""
        return [layer.removeprefix("sha256:") for layer in self.facts["RootFS"]["Layers"]]

    @property
    def repo_digests(self) -> list[str]:
        """``name@sha256:...`` of every registry it came from; none if it was built here."""
        return list(self.facts.get("RepoDigests") or [])

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        return int(self.facts.get("Size") or 0)


async def ensure_image(docker: "Docker", name: str | None) -> EngineImage:
    """The image of that name; without one, that of this interpreter.

    Raises NoImage where the one that is named cannot be had, or brings what a cell must not have;
    and SandboxError where the engine fails.
    """
    image = await _found(docker, name)
    brought = image.facts.get("Config") or {}
    for what in ("Volumes", "Healthcheck"):  # a place to write to; a process beside the runner
        if brought.get(what):
            raise NoImage(f"the image {image.name} declares {what}: name one without")
    return image


async def _found(docker: "Docker", name: str | None) -> EngineImage:
    wanted = name or (await anyio.to_thread.run_sync(recipe)).name
    if facts := await _facts(docker, wanted):
        return EngineImage(wanted, "found", facts)
    if name:
        await _pull(docker, name)
    else:
        await _build(docker)
    facts = await _facts(docker, wanted)
    if facts is None:
        raise SandboxError(f"the engine took the image {wanted} and has none of that name")
    image = EngineImage(wanted, "pulled" if name else "built", facts)
    logger.info("sandbox.image", name=wanted, how=image.how, layers=image.layers)
    return image


async def restore_image(docker: "Docker", lost: EngineImage) -> EngineImage:
    """What was removed while it was in use, once more.

    Raises SandboxError, also where the name now stands for other layers: a sandbox runs one image
    from its beginning to its end.
    """
    built = lost.name == (await anyio.to_thread.run_sync(recipe)).name
    image = await ensure_image(docker, None if built else lost.name)
    if image.layers != lost.layers:
        raise SandboxError(
            f"the image {lost.name} was replaced by another one while it was in use; start again"
        )
    return image


async def _facts(docker: "Docker", name: str) -> dict[str, Any] | None:
    """What the engine says about an image, or None where it has none of that name."""
    try:
        with call("look for an image"):
            return await docker.images.inspect(name)
    except SandboxError as error:
        if status_of(error) == 400:
            raise NoImage(f"{name!r} is no name of an image ({error})") from error.__cause__
        if status_of(error) != 404:
            raise
        return None


async def _pull(docker: "Docker", name: str) -> None:
    try:
        with call(f"pull the image {name}", PULL_S):
            await docker.images.pull(name)
    except SandboxError as error:
        raise NoImage(
            f"{error}. Load it into the engine, or configure no image: then one is built from "
            "this interpreter"
        ) from error.__cause__


async def _build(docker: "Docker") -> None:
    body = io.BytesIO(await anyio.to_thread.run_sync(lambda: archive(recipe())))
    with call("load an image", LOAD_S):
        await docker.images.import_image(body)
