"""The Docker driver: one container for a submission, one forked process in it for a case."""

import io
import itertools
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from quasar.errors import UsageError
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.container import Container, Gone, specification
from quasar.sandbox.engine import call, connect, engine_name, probe_engine, runtime_name, status_of
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.image import archive, recipe
from quasar.sandbox.outcome import Outcome
from quasar.sandbox.verdict import Report, outcome_of

if TYPE_CHECKING:
    from aiodocker import Docker

MAX_CODE_CHARACTERS = 1 << 20
MAX_REQUEST_BYTES = 64 << 20
START_S = 30.0
"""From a request to its fork. The runner gives up earlier: this is for an engine that hangs."""
PATIENCE_S = 0.5
"""A case that takes longer lets shorter ones go first."""
GRACE_S = 5.0
"""How much later than the runner's own clock the host ends a case."""
PROBE = """
def probe(what):
    if what == "network":
        import socket
        socket.socket()
    if what == "process":
        import os
        os.fork()
    if what == "file":
        open("/dev/null", "w")
    return what
"""
WALLS = {"network": "forbidden", "process": "forbidden", "file": "forbidden", "answer": "ok"}
"""Tried once at the start: the walls are seen to stand before a stranger's code comes."""


class Stuck(Exception):
    """The runner's own clock did not end the case: the container goes, the rest starts anew."""


@asynccontextmanager
async def open_docker(config: SandboxConfig) -> AsyncIterator["DockerSandbox"]:
    """Raises SandboxError where no engine answers, and where the walls do not stand."""
    probe = await probe_engine(config.engine)
    if probe.url is None:
        raise SandboxError(probe.reason)
    async with connect(probe.url) as docker:
        image = config.image or await _built_image(docker)
        sandbox = DockerSandbox(docker, config, await _image_facts(docker, image))
        try:
            await sandbox.check()
            yield sandbox
        finally:
            with anyio.CancelScope(shield=True):
                await sandbox.sweep()


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


def _request(code: str, function_name: str, arguments: Sequence[Any]) -> bytes:
    job = {"code": code, "function": function_name, "arguments": list(arguments)}
    try:
        body = json.dumps(job, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the arguments of a case are not plain JSON: {error}") from error
    if len(body) > MAX_REQUEST_BYTES:
        raise UsageError(f"a case has more than {MAX_REQUEST_BYTES} bytes: shorten its arguments")
    return body


class DockerSandbox:
    """See ``quasar.sandbox.Sandbox``."""

    identity: SandboxIdentity

    def __init__(self, docker: "Docker", config: SandboxConfig, image: dict[str, Any]) -> None:
        self._docker = docker
        self._config = config
        self._image = image
        self._token = os.urandom(6).hex()  # two sandboxes on one engine never share a name
        self._numbers = itertools.count(1)
        labels = {
            "quasar.sandbox": self._token,
            "quasar.owner": config.owner,
            "quasar.instance": config.instance or self._token,
        }
        self._body = specification(config, image["Id"], labels)

    async def check(self) -> None:
        """Learn who runs the code, and see that the network, processes and files are walled off."""
        with call("say its version"):
            version = await self._docker.version()
        async with self._container() as container:
            self.identity = self._identified(container, version)
            for what, status in WALLS.items():
                try:
                    outcome = await self._case(container, _request(PROBE, "probe", [what]))
                except Gone:
                    raise SandboxError(f"the runner ended: {container.complaint()}") from None
                if outcome.status != status:
                    raise SandboxError(
                        f"the wall {what!r} does not stand ({outcome.status}: {outcome.error}); "
                        f"use another engine than {self.identity.engine}, {self.identity.runtime}"
                    )

    def _identified(self, container: Container, version: dict[str, Any]) -> SandboxIdentity:
        layers = self._image["RootFS"]["Layers"]
        return SandboxIdentity(
            driver="docker",
            image=self._image["Id"].removeprefix("sha256:"),
            layers=[layer.removeprefix("sha256:") for layer in layers],
            python=container.hello["python"],
            machine=container.hello["machine"],
            engine=engine_name(version),
            runtime=runtime_name(version, self._config.runtime),
        )

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        """See ``quasar.sandbox.Sandbox``."""
        if len(code) > MAX_CODE_CHARACTERS:
            said = f"the code has more than {MAX_CODE_CHARACTERS} characters"
            return [Outcome(status="error", error=said) for _ in inputs]
        outcomes: list[Outcome] = []
        ended_at = None  # the case at which a container ended without a known cause
        while len(outcomes) < len(inputs):
            async with self._container() as container:
                try:
                    for arguments in inputs[len(outcomes) :]:
                        request = _request(code, function_name, arguments)
                        outcomes.append(await self._case(container, request))
                except Stuck:
                    outcomes.append(self._overdue())
                except Gone:
                    if await container.was_out_of_memory():
                        outcomes.append(Outcome(status="oom", error="the container had no memory"))
                    elif ended_at == len(outcomes):  # twice at one case: it is the code's doing
                        outcomes.append(Outcome(status="crashed", error="the container ended"))
                    else:
                        ended_at = len(outcomes)
        return outcomes

    def _overdue(self) -> Outcome:
        elapsed = round(self._config.timeout_s * 1000)
        said = "the case did not end when its time was over"
        return Outcome(status="timeout", error=said, execution_time_ms=elapsed)

    async def _case(self, container: Container, request: bytes) -> Outcome:
        """One case. Raises Gone where the container ends, Stuck where the runner is silent."""
        await container.send(request)
        try:
            with anyio.fail_after(START_S):
                await container.receive("started")
        except TimeoutError:
            raise SandboxError(f"a case did not start within {START_S:g} s") from None
        with anyio.move_on_after(PATIENCE_S):
            return await self._outcome(container)
        await container.stand_back()
        with anyio.move_on_after(self._config.timeout_s + GRACE_S - PATIENCE_S):
            return await self._outcome(container)
        raise Stuck

    async def _outcome(self, container: Container) -> Outcome:
        header, rest = await container.receive("result")
        report = msgspec.convert(header, Report)
        return outcome_of(report, rest[: report.result_bytes], rest[report.result_bytes :])

    @asynccontextmanager
    async def _container(self) -> AsyncIterator[Container]:
        """Started at the beginning, removed at the end, whatever happens in between."""
        largest = self._config.output_bytes + self._config.log_bytes
        name = f"quasar-{self._token}-{next(self._numbers)}"
        container = Container(self._docker, name, largest)
        try:
            await container.start(self._body)
            yield container
        except BaseException:
            with suppress(SandboxError):  # the first failure is the one to tell
                await container.remove()
            raise
        await container.remove()

    async def sweep(self) -> None:
        """Remove what a call that was cancelled half-way may have left. Never raises."""
        # An engine that is gone has no containers to remove.
        with suppress(SandboxError), call("list containers"):
            wanted = json.dumps({"label": [f"quasar.sandbox={self._token}"]})
            for left in await self._docker.containers.list(all="true", filters=wanted):
                await left.delete(force=True, v=True)
