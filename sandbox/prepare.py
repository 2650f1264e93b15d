"""What cells are made of, made ready before anybody needs one."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import anyio.to_thread
from msgspec.structs import replace

from quasar.sandbox import open_sandbox
from quasar.sandbox.cache import cache_folder
from quasar.sandbox.choice import choose
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.engine import connect, probe_engine
from quasar.sandbox.engine_image import ensure_image
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.rootfs import prepared


class Files(NamedTuple):
    """An image in an engine, or a root folder."""

    name: str
    """Of the image, or path of the folder."""
    how: Literal["found", "pulled", "built"]
    size: int
    """Bytes, unpacked."""


class Prepared(NamedTuple):
    """What is ready."""

    files: Files
    driver: str
    """Why this driver, in one line."""
    seconds: float
    """That it took to find, pull or build the files."""
    identity: SandboxIdentity
    """Of a cell that was started to see that the walls stand."""


async def prepare(config: SandboxConfig) -> Prepared:
    """Have the image, or the root folder, and see that a cell of it holds.

    Raises SandboxError where there is no driver, the image that is named cannot be had, or the
    walls do not stand.
    """
    choice = await choose(config)
    if choice.driver is None:
        raise SandboxError(choice.reason)
    began = time.perf_counter()
    if choice.driver == "docker":
        files = await _in_engine(config)
    else:
        files = await anyio.to_thread.run_sync(_in_folder)
    seconds = time.perf_counter() - began
    async with open_sandbox(replace(config, driver=choice.driver, pool=0)) as sandbox:
        return Prepared(files, choice.reason, seconds, sandbox.identity)


async def _in_engine(config: SandboxConfig) -> Files:
    probe = await probe_engine(config.engine)
    if probe.url is None:
        raise SandboxError(probe.reason)
    async with connect(probe.url) as docker:
        image = await ensure_image(docker, config.image)
    return Files(image.name, image.how, image.size)


def _in_folder() -> Files:
    cache, before = cache_folder(), set[Path]()
    with suppress(OSError):
        before = set(cache.iterdir())
    root = prepared(cache).path
    size = sum(file.lstat().st_size for file in root.rglob("*") if file.is_file())
    return Files(str(root), "found" if root in before else "built", size)
