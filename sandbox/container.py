"""A cell in a container: how it is walled in, and how its runner is spoken to."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from quasar.sandbox.cell import Cell, Gone, last_line
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.engine import call, status_of
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.program import ENVIRONMENT, command
from quasar.sandbox.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from aiodocker import Docker
    from aiodocker.stream import Stream

RUNNER_MIB = 64
"""Memory of the runner, beside what the code may take."""
END_S = 20.0
"""A container whose stream ended and that still runs after so long is the engine's failure."""
STDOUT = 1


def specification(config: SandboxConfig, image: str, labels: dict[str, str]) -> dict[str, Any]:
    """The body of POST /containers/create. No network, no mount, no port, nothing to write to."""
    memory = (config.memory_mib + RUNNER_MIB) << 20
    host: dict[str, Any] = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "IpcMode": "none",
        "Memory": memory,
        "MemorySwap": memory,  # both alike: no swap
        "NanoCpus": round(config.cpus * 1e9),
        "PidsLimit": config.pids,
        "LogConfig": {"Type": "none"},
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nofile", "Soft": 256, "Hard": 256},
            # No wall: PidsLimit is. Podman's own default is more than some machines may grant.
            {"Name": "nproc", "Soft": 16384, "Hard": 16384},
        ],
    }
    if config.runtime:
        host["Runtime"] = config.runtime
    return {
        "Image": image,
        "Entrypoint": command(config),
        "Cmd": [],
        "Env": ENVIRONMENT,
        "User": "65534:65534",
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "StopSignal": "SIGKILL",  # PID 1 ignores others: an engine that starts again waited 10 s
        "NetworkDisabled": True,
        "HostConfig": host,
        "Labels": labels,
    }


class Container(Cell):
    """A cell in a container. Attached before it starts: not a byte is missed."""

    def __init__(
        self,
        docker: "Docker",
        name: str,
        body: dict[str, Any],
        largest: int,
        restore_image: Callable[[], Awaitable[None]],
    ) -> None:
        """``body``: its specification, read at the start. ``largest``: see Cell.

        ``restore_image``: corrects the body where the engine has no such image any more.
        """
        super().__init__(largest)
        self.name = name
        self._handle: Any = docker.containers.container(name)
        self._docker = docker
        self._body = body
        self._restore_image = restore_image
        self._may_exist = False
        self._stands_back = False
        self._stream: Stream | None = None
        self._complaints = bytearray()

    async def start(self) -> None:
        """See Cell."""
        try:
            await self._create()
        except SandboxError as error:
            if status_of(error) != 404:
                raise
            await self._restore_image()
            await self._create()
        with call("attach to a container"):
            stream = self._handle.attach(stdin=True, stdout=True, stderr=True)
            self._stream = await stream.__aenter__()
        with call("start a container"):
            await self._handle.start()
        try:
            with call("start the runner"):
                self.hello, _ = await self.receive("hello")
        except SandboxError as error:
            if isinstance(error.__cause__, Gone):
                raise SandboxError(f"the runner did not start: {self.complaint()}") from error
            raise

    async def _create(self) -> None:
        self._may_exist = True
        try:
            # Else the engine would go on, and the removal come before the container.
            await uninterrupted(self._ask_for_it)
        except SandboxError as error:
            self._may_exist = status_of(error) is None  # without an answer nobody knows
            raise

    async def _ask_for_it(self) -> None:
        with call("create a container"):
            await self._docker.containers.create(self._body, name=self.name)

    async def _write(self, data: bytes) -> None:
        assert self._stream is not None
        await self._stream.write_in(data)

    async def _read(self) -> bytes:
        assert self._stream is not None
        while (message := await self._stream.read_out()) is not None:
            if message.stream == STDOUT:
                return message.data
            self._complaints = (self._complaints + message.data)[-2000:]
        return b""

    async def stand_back(self) -> None:
        """See Cell."""
        if not self._stands_back:
            self._stands_back = True
            with suppress(SandboxError), call("update a container"):  # a courtesy, no wall
                await self._docker._query_json(  # aiodocker has no public call for this
                    f"containers/{self.name}/update", method="POST", data={"CpuShares": 2}
                )

    def complaint(self) -> str:
        """See Cell."""
        return last_line(bytes(self._complaints))

    async def was_out_of_memory(self) -> bool:
        """See Cell."""
        with call("say how a container ended", END_S):
            await self._handle.wait()  # the engine may close the stream before it knows
            state = (await self._handle.show())["State"]
        if state.get("Status") in {"removing", "dead"}:
            raise SandboxError("a container was removed from outside while a case ran in it")
        return bool(state.get("OOMKilled"))

    async def remove(self) -> None:
        """See Cell."""
        await uninterrupted(self._remove)

    async def _remove(self) -> None:
        try:
            if self._may_exist:
                await self._delete_drained()
        finally:
            # After the delete: the end of stdin would end the runner, and podman 4 answers a
            # delete that meets an exit with an error.
            await self._detach()

    async def _delete(self) -> None:
        for attempt in range(5):
            try:
                with call("remove a container"):
                    await self._handle.delete(force=True, v=True)
                return
            except SandboxError as error:
                if status_of(error) == 404:
                    return
                if attempt == 4 or status_of(error) == 900:  # 900: nobody answers
                    raise
                await anyio.sleep(0.05)

    async def _delete_drained(self) -> None:
        failure: SandboxError | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._drain)
            try:
                await self._delete()
            except SandboxError as error:  # raised below as it is, not as a group of one
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _drain(self) -> None:
        """Docker deletes no container whose last words nobody takes."""
        with suppress(Exception):
            while self._stream is not None and await self._stream.read_out() is not None:
                await anyio.lowlevel.checkpoint()

    async def _detach(self) -> None:
        if self._stream is not None:
            with suppress(Exception):  # it asserts that the other side has not closed first
                await self._stream.close()
