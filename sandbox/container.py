"""One container: how it is walled in, and the frames to and from the runner inside."""

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.engine import CALL_S, call, status_of
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.program import ENVIRONMENT, command

if TYPE_CHECKING:
    from aiodocker import Docker
    from aiodocker.stream import Stream

RUNNER_MIB = 64
"""Memory of the runner, beside what the code may take."""
STDOUT = 1
HEADER_BYTES = 1 << 16


class Gone(Exception):
    """The runner's stream ended: the container is no more."""


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
        "NetworkDisabled": True,
        "HostConfig": host,
        "Labels": labels,
    }


class Container:
    """Created, attached, started; then one request and one answer at a time; then removed."""

    def __init__(self, docker: "Docker", name: str, largest: int) -> None:
        """``largest``: bytes of the longest result and the longest prints together."""
        self.name = name
        self.hello: dict[str, Any] = {}
        self._handle: Any = docker.containers.container(name)
        self._docker = docker
        self._largest = largest + HEADER_BYTES
        self._stands_back = False
        self._stream: Stream | None = None
        self._read = bytearray()
        self._complaints = bytearray()

    async def start(self, body: dict[str, Any]) -> None:
        """Until the runner says hello. Attached before the start: not a byte is missed."""
        with call("create a container"):
            await self._docker.containers.create(body, name=self.name)
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

    async def send(self, body: bytes) -> None:
        """One frame to the runner. Raises Gone where the container is no more."""
        assert self._stream is not None
        try:
            with anyio.fail_after(CALL_S):
                await self._stream.write_in(struct.pack(">I", len(body)) + body)
        except TimeoutError:
            raise SandboxError(f"a container took no request within {CALL_S:g} s") from None
        except Exception as error:  # an assertion or an OSError, by how the stream ended
            raise Gone from error

    async def receive(self, kind: str) -> tuple[dict[str, Any], bytes]:
        """The next frame: the runner's header and the bytes behind it. Raises Gone at the end.

        Raises SandboxError for a frame of another kind, or longer than any can be.
        """
        frame = await self._frame()
        head, _, rest = frame.partition(b"\0")
        header: dict[str, Any] = msgspec.json.decode(head, type=dict[str, Any])
        if header["kind"] != kind:
            reason = header.get("reason", f"{header['kind']} instead of {kind}")
            raise SandboxError(f"the runner cannot wall a case in: {reason}")
        return header, rest

    async def _frame(self) -> bytes:
        """Taken from the buffer once it is whole, so a caller may give up waiting and come back."""
        await self._fill(4)
        size = struct.unpack_from(">I", self._read)[0]
        if size > self._largest:
            raise SandboxError(f"the runner sent a frame of {size} bytes: stop and report this")
        await self._fill(4 + size)
        frame = bytes(self._read[4 : 4 + size])
        del self._read[: 4 + size]
        return frame

    async def _fill(self, size: int) -> None:
        """Read until the buffer holds so many bytes."""
        assert self._stream is not None
        while len(self._read) < size:
            try:
                message = await self._stream.read_out()
            except Exception as error:  # reset, closed: by how the engine ended
                raise Gone from error
            if message is None:
                raise Gone
            if message.stream == STDOUT:
                self._read += message.data
            else:
                self._complaints = (self._complaints + message.data)[-2000:]

    async def stand_back(self) -> None:
        """From now on the processor goes to others first, where there is not enough for all."""
        if not self._stands_back:
            self._stands_back = True
            with suppress(SandboxError), call("update a container"):  # a courtesy, no wall
                await self._docker._query_json(  # aiodocker has no public call for this
                    f"containers/{self.name}/update", method="POST", data={"CpuShares": 2}
                )

    def complaint(self) -> str:
        """The last line that the runner wrote to stderr."""
        lines = self._complaints.decode("utf-8", "replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "no reason")

    async def was_out_of_memory(self) -> bool:
        """Whether the kernel ended the container. Raises SandboxError where it is not there."""
        with call("look at a container that ended"):
            state = (await self._handle.show())["State"]
        if state.get("Status") in {"removing", "dead"}:
            raise SandboxError("a container was removed from outside while a case ran in it")
        return bool(state.get("OOMKilled"))

    async def remove(self) -> None:
        """Kill and delete, whatever it does; not even a cancelled caller leaves it behind."""
        with anyio.CancelScope(shield=True):
            try:
                await self._delete()
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

    async def _detach(self) -> None:
        if self._stream is not None:
            with suppress(Exception):  # it asserts that the other side has not closed first
                await self._stream.close()
