"""The ways to run a submission that ``bench/sandbox.py`` compares: ours, and plain means of Docker.

Each is a coroutine function that runs one submission of three cases on the same image.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from aiodocker import Docker
from aiodocker.stream import Stream
from sandbox_worker import CASES, CODE

from quasar.sandbox import Sandbox, SandboxConfig, open_sandbox
from quasar.sandbox.cell import Cell
from quasar.sandbox.container import specification
from quasar.sandbox.image import shared_libraries, tar

OWNER = f"bench-{os.getpid()}"
SCRIPT = """
import json, sys
job = json.loads(sys.argv[1])
names = {}
exec(job["code"], names)
print(json.dumps(names[job["function"]](*job["arguments"])))
"""
FURTHER = 40
"""Cases after the first of a submission that is long enough to show what one more costs."""


class Times(NamedTuple):
    """Seconds from handing the submission over."""

    first: float
    last: float
    removed: float
    """Until nothing of it is left in the engine."""


Way = Callable[[], Awaitable[Times]]


class Watch:
    """Sees cells start, answer and go, which the public door does not tell."""

    def __init__(self) -> None:
        self.alive: set[int] = set()
        self.waiting = 0
        """Cells that all open sandboxes together keep waiting."""
        self.answers: list[tuple[float, Cell]] = []
        self.removed: dict[int, float] = {}

    def over(self, kinds: Sequence[type[Cell]]) -> None:
        """From now on, of these kinds of cells."""
        receive = Cell.receive

        async def received(cell: Cell, kind: str) -> tuple[dict[str, Any], bytes]:
            answer = await receive(cell, kind)
            if kind == "result":
                self.answers.append((time.perf_counter(), cell))
            return answer

        Cell.receive = received  # type: ignore[assignment,method-assign]
        for kind in kinds:
            self._see(kind)

    def _see(self, kind: type[Cell]) -> None:
        start, remove = kind.start, kind.remove

        async def started(cell: Cell) -> None:
            await start(cell)
            self.alive.add(id(cell))

        async def removed(cell: Cell) -> None:
            await remove(cell)
            self.alive.discard(id(cell))
            self.removed[id(cell)] = time.perf_counter()

        kind.start, kind.remove = started, removed  # type: ignore[assignment,method-assign]

    async def rest(self) -> None:
        """Until every pool is full: a start in the background would disturb what is measured."""
        await self.until(lambda: len(self.alive) >= self.waiting)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Look every millisecond."""
        with anyio.fail_after(60):
            while not happened():  # noqa: ASYNC110  nothing to wait for tells of it
                await anyio.sleep(0.001)


class Ours:
    """An open sandbox with so many cells that wait."""

    def __init__(self, sandbox: Sandbox, watch: Watch) -> None:
        self._sandbox = sandbox
        self._watch = watch

    @classmethod
    @asynccontextmanager
    async def open(cls, driver: Any, pool: int, image: str, watch: Watch) -> AsyncIterator["Ours"]:
        """``image``: for Docker; the other driver makes its own from the same files."""
        image_name = image if driver == "docker" else None
        config = SandboxConfig(driver=driver, image=image_name, pool=pool, owner=OWNER)
        async with open_sandbox(config) as sandbox:
            watch.waiting += pool
            yield cls(sandbox, watch)
            watch.waiting -= pool

    async def once(self) -> Times:
        """Three cases."""
        start, moments = await self._run(CASES)
        cell = id(self._watch.answers[-1][1])
        await self._watch.until(lambda: cell in self._watch.removed)
        times = (moments[0], moments[-1], self._watch.removed[cell])
        return Times(*(moment - start for moment in times))

    async def further(self) -> list[float]:
        """Seconds of each case after the first of one submission."""
        _, moments = await self._run([CASES[0]] * (1 + FURTHER))
        return [later - sooner for sooner, later in pairwise(moments)]

    async def _run(self, cases: Sequence[list[int]]) -> tuple[float, list[float]]:
        """When it began, and when each result was here: without a pool, the caller gets them when
        the cell is gone."""
        await self._watch.rest()
        self._watch.answers.clear()
        self._watch.removed.clear()
        start = time.perf_counter()
        outcomes = await self._sandbox.run(CODE, "add", cases)
        if [outcome.output for outcome in outcomes] != [sum(case) for case in cases]:
            raise RuntimeError(f"a wrong result: {outcomes}")
        return start, [moment for moment, _ in self._watch.answers]


class Plain:
    """Docker as it is, through its API: quicker than its command line."""

    def __init__(self, docker: Docker, image: str) -> None:
        self._docker = docker
        labels = {"quasar.owner": OWNER}
        self._body = specification(SandboxConfig(), image, labels) | {"AttachStdin": False}

    async def exec_per_case(self) -> Times:
        """One container with the same walls; a process is started in it for each case."""
        start = time.perf_counter()
        container = await self._docker.containers.create(self._body | {"Entrypoint": ["sh"]})
        try:
            await container.start()
            moments = []
            for case in CASES:
                run = await container.exec(command(case))
                async with run.start(detach=False) as stream:
                    check(await said(stream), case)
                moments.append(time.perf_counter() - start)
        finally:
            await container.delete(force=True, v=True)
        return Times(moments[0], moments[-1], time.perf_counter() - start)

    async def run_per_case(self) -> Times:
        """A container for each case, as ``docker run --rm`` makes it."""
        start = time.perf_counter()
        moments = []
        for case in CASES:
            body = self._body | {"Entrypoint": command(case), "OpenStdin": False}
            container = await self._docker.containers.create(body)
            try:
                async with container.attach(stdout=True, stderr=True) as stream:
                    await container.start()
                    check(await said(stream), case)
                moments.append(time.perf_counter() - start)
            finally:
                await container.delete(force=True, v=True)
        return Times(moments[0], moments[-1], time.perf_counter() - start)


def command(case: list[int]) -> list[str]:
    job = {"code": CODE, "function": "add", "arguments": case}
    return ["python3", "-I", "-S", "-B", "-c", SCRIPT, json.dumps(job)]


async def said(stream: Stream) -> str:
    """All output, to its end."""
    data = b""
    while (message := await stream.read_out()) is not None:
        data += message.data
    return data.decode()


def check(text: str, case: list[int]) -> None:
    if json.loads(text) != sum(case):
        raise RuntimeError(f"a wrong result: {text}")


@asynccontextmanager
async def bench_image(docker: Docker, ours: str) -> AsyncIterator[str]:
    """Our image with what peers ask of one: a shell, ``mkdir``, ``python``, and a user ``root``."""
    container = await docker.containers.create({"Image": ours, "Cmd": ["sh"]})
    try:
        await container.put_archive("/", tools())
        made = await container.commit(repository="quasar-bench")
    finally:
        await container.delete(force=True)
    try:
        yield made["Id"]
    finally:
        await docker.images.delete(made["Id"], force=True)


def tools() -> bytes:
    """A tar archive of what is added."""
    found = {name: Path(shutil.which(name) or f"/bin/{name}").resolve() for name in ("sh", "mkdir")}
    files = {f"usr/bin/{name}": file for name, file in found.items()}
    files |= shared_libraries(list(found.values()))
    contents = {path: file.read_bytes() for path, file in files.items()}
    contents["bin/sh"] = contents["usr/bin/sh"]
    python = Path(sys.executable).resolve().read_bytes()
    contents["usr/bin/python"] = contents["sandbox/.sandbox-venv/bin/python"] = python
    contents["sandbox/.sandbox-venv/pyvenv.cfg"] = b"home = /usr/bin\n"
    contents["etc/passwd"] = b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
    return tar(contents)
