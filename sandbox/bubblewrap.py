"""The embedded driver: cells made of namespaces by bubblewrap, where no engine answers.

The same runner on the same files as in a container. What a container's cgroup limits is limited
here for each case: memory by its address space, threads by a count that the kernel keeps for each
user namespace. Nothing holds ``cpus``: more threads only reach the limit of CPU time earlier.
"""

import os
import platform
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
from anyio.abc import Process

from quasar.sandbox.bwrap import Bwrap, find_bwrap
from quasar.sandbox.cache import cache_folder
from quasar.sandbox.cell import Cell, Gone, last_line
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.held_root import HeldRoot, hold_root
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.orphans import end_orphans
from quasar.sandbox.program import ENVIRONMENT, command
from quasar.sandbox.uninterrupted import uninterrupted

START_S = 30.0
"""From the start of the process to the runner's hello."""
END_S = 10.0
"""From SIGKILL to the end of everything inside."""
LOWEST = 19
"""Of the scale of nice(2)."""
DEVICES = ("null", "zero", "full", "random", "urandom")


@asynccontextmanager
async def open_bubblewrap(config: SandboxConfig) -> AsyncIterator["BubblewrapDriver"]:
    """Raises SandboxError where there is no bubblewrap, or its root folder cannot be made."""
    bwrap = await anyio.to_thread.run_sync(find_bwrap)
    root = await anyio.to_thread.run_sync(hold_root, cache_folder())
    driver = BubblewrapDriver(bwrap, root, config)
    try:
        await anyio.to_thread.run_sync(end_orphans, root.folder.path)
        yield driver
    finally:
        with anyio.CancelScope(shield=True):
            await driver.sweep()
        driver.root.release()


class BubblewrapDriver:
    """See ``quasar.sandbox.driver.Driver``."""

    def __init__(self, bwrap: Bwrap, root: HeldRoot, config: SandboxConfig) -> None:
        runner = command(config, threads_of(config))
        self.command = [*bwrap.command, *walls(root.folder.path), "--", *runner]
        self.largest = config.output_bytes + config.log_bytes
        self.cells: set[Bubble] = set()
        """Those that were not yet removed."""
        self.root = root
        """Released by who opened the driver."""
        self._bwrap = bwrap

    def cell(self) -> "Bubble":
        """See Driver."""
        cell = Bubble(self)
        self.cells.add(cell)
        return cell

    async def have_root(self) -> None:
        """Make the root folder again where somebody cleaned the cache up."""
        if self.root.stands():
            return
        made = await anyio.to_thread.run_sync(hold_root, cache_folder())
        if made.folder != self.root.folder:
            made.release()
            raise SandboxError("the sandbox's files are gone, and Python changed: start again")
        self.root.release()
        self.root = made

    def identity(self, cell: Cell) -> SandboxIdentity:
        """See Driver."""
        return SandboxIdentity(
            driver="bubblewrap",
            image=self.root.folder.image,
            layers=[self.root.folder.layer],
            python=cell.hello["python"],
            machine=cell.hello["machine"],
            engine=f"bubblewrap {self._bwrap.version}",
            runtime=f"linux {platform.release()}",
        )

    async def sweep(self) -> None:
        """See Driver."""
        for cell in list(self.cells):
            with suppress(SandboxError):
                await cell.remove()


def walls(root: Path) -> list[str]:
    """Arguments of bubblewrap. No network, no power, and not one place to write to."""
    flags = [
        *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--as-pid-1", "--die-with-parent", "--cap-drop", "ALL"),
        *("--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--clearenv"),
        *("--ro-bind", str(root), "/", "--proc", "/proc", "--tmpfs", "/dev"),
    ]
    for name in DEVICES:
        flags += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for place in ("/dev", "/proc", "/"):
        flags += ["--remount-ro", place]
    for setting in ("PATH=/usr/bin", "LD_LIBRARY_PATH=/usr/lib", "HOME=/", *ENVIRONMENT):
        flags += ["--setenv", *setting.split("=", 1)]
    return [*flags, "--chdir", "/"]


def threads_of(config: SandboxConfig, kernel: str = platform.release()) -> int | None:
    """The limit of threads. Before 5.14 the kernel counted those of the same user in all cells."""
    major, minor = re.findall(r"\d+", kernel)[:2]
    return config.pids if (int(major), int(minor)) >= (5, 14) else None


class Bubble(Cell):
    """A cell made by one process of bubblewrap, which ends with the thread that started it."""

    def __init__(self, driver: BubblewrapDriver) -> None:
        super().__init__(driver.largest)
        self._driver = driver
        self._process: Process | None = None
        self._complaints = -1
        self._oom_kills = 0
        """Of the machine, when the last request was sent."""

    async def start(self) -> None:
        """See Cell."""
        await self._driver.have_root()
        # Some 20 ms: killed earlier, bubblewrap would leave its inner process behind, and asyncio
        # a pipe.
        await uninterrupted(self._begin)

    async def _begin(self) -> None:
        self._process = await self._open()
        try:
            with anyio.fail_after(START_S):
                self.hello, _ = await self.receive("hello")
        except TimeoutError:
            raise SandboxError(f"the runner did not start within {START_S:g} s") from None
        except Gone as error:
            raise SandboxError(f"bubblewrap made no cell: {self.complaint()}") from error

    async def _open(self) -> Process:
        """In a session of its own: no terminal to type into, and one group to stand back."""
        try:
            self._complaints, complaints = os.pipe()
            os.set_blocking(self._complaints, False)
            with os.fdopen(complaints, "wb") as stderr:
                return await anyio.open_process(
                    self._driver.command,
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=stderr,
                    cwd="/",
                    env={},
                    start_new_session=True,
                )
        except OSError as error:  # no more descriptors, too
            raise SandboxError(f"bubblewrap cannot be started: {error}") from error

    async def send(self, body: bytes) -> None:
        """See Cell."""
        self._oom_kills = oom_kills()
        await super().send(body)

    async def receive(self, kind: str) -> tuple[dict[str, Any], bytes]:
        """See Cell. No cgroup tells the runner why a case was killed, so it is looked into here."""
        header, rest = await super().receive(kind)
        cut_off = kind == "result" and header["verdict"] is None and not header["whole"]
        if cut_off and header["exit"] == -signal.SIGKILL:
            await self.was_out_of_memory()
        return header, rest

    async def _write(self, data: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        await self._process.stdin.send(data)

    async def _read(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        return await self._process.stdout.receive()

    async def stand_back(self) -> None:
        """See Cell."""
        if self._process is not None and self._process.returncode is None:
            _put_last(self._process.pid)

    def complaint(self) -> str:
        """See Cell."""
        try:
            return last_line(os.read(self._complaints, 1 << 16))
        except OSError:  # not a word, or never started
            return last_line(b"")

    async def was_out_of_memory(self) -> bool:
        """See Cell. A case has far less than a machine, so its runner was not the code's doing."""
        if oom_kills() > self._oom_kills:
            raise SandboxError("this machine ran out of memory while a case ran: free some")
        return False

    async def remove(self) -> None:
        """See Cell."""
        if self not in self._driver.cells:
            return
        self._driver.cells.discard(self)
        await uninterrupted(self._remove)

    async def _remove(self) -> None:
        if self._process is not None:
            await _end(self._process)
        if self._complaints >= 0:
            os.close(self._complaints)
            self._complaints = -1


def _put_last(group: int) -> None:
    """Every thread of a process group, and its session where the kernel schedules by session."""
    with suppress(OSError):  # a courtesy, no wall
        os.setpriority(os.PRIO_PGRP, group, LOWEST)
        Path(f"/proc/{group}/autogroup").write_text(str(LOWEST))


async def _end(process: Process) -> None:
    """Kill it. The kernel ends what is inside with it; the end of its stdout shows that."""
    with suppress(ProcessLookupError):
        process.kill()
    assert process.stdout is not None
    with anyio.move_on_after(END_S), suppress(Exception):
        while True:
            await process.stdout.receive()
    await process.aclose()


def oom_kills() -> int:
    """How many processes of this machine the kernel ended so far for want of memory."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
