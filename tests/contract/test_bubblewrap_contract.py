"""What holds of bubblewrap's cells alone, on the real program."""

import itertools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest

from quasar.sandbox import NO_POLICY, Outcome, SandboxConfig, SandboxError, bubblewrap
from quasar.sandbox.bubblewrap import LOWEST
from tests.sandboxes import Bench, need
from tests.sandboxes import bench as open_bench

CONFIG = SandboxConfig(driver="bubblewrap", timeout_s=30, pool=0, policy=NO_POLICY)
BUSY = "def f():\n while True: pass"
INSIDE = 3
"""Processes of a cell in which a case runs: bubblewrap, the runner, the case."""
PROGRAM = f"""
import anyio
from quasar.sandbox import SandboxConfig, open_sandbox

async def main():
    async with open_sandbox(SandboxConfig(driver="bubblewrap", pool=1)) as sandbox:
        print("open", flush=True)
        await sandbox.run({BUSY!r}, "f", [[]])

anyio.run(main)
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One sandbox for the module."""
    with open_bench("bubblewrap", CONFIG) as opened:
        yield opened


def processes() -> dict[int, tuple[int, int]]:
    """Parent and process group of every process that can be seen and has not ended."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(stat.parent.name)] = int(fields[1]), int(fields[2])
    return found


def cells(program: int) -> list[list[int]]:
    """Processes of each cell of a program."""
    seen = processes()
    groups = [pid for pid, (parent, group) in seen.items() if parent == program and group == pid]
    return [[pid for pid in seen if seen[pid][1] == leader] for leader in groups]


async def busy(program: int) -> list[int]:
    """The cell of a program in which a case has started."""
    while True:
        for cell in cells(program):
            if len(cell) == INSIDE:
                return cell
        await anyio.sleep(0.01)  # the kernel tells nobody


def gone(pids: list[int], within_s: float = 20.0) -> bool:
    """Whether all of these processes end in time."""
    with ExitStack() as stack:
        poll = select.poll()
        waiting = 0
        for pid in pids:
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            stack.callback(os.close, handle)
            poll.register(handle, select.POLLIN)
            waiting += 1
        while waiting:
            ended = poll.poll(within_s * 1000)
            if not ended:
                return False
            for handle, _ in ended:
                poll.unregister(handle)
            waiting -= len(ended)
    return True


@pytest.fixture
def program() -> Iterator["subprocess.Popen[bytes]"]:
    """Another program with an open sandbox, in which a case is about to run."""
    need("bubblewrap")
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"open\n"
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.anyio
async def test_cells_end_with_a_program_that_is_killed(program: "subprocess.Popen[bytes]") -> None:
    """SIGKILL gives nobody time to clean up: the kernel does, for busy cells and waiting ones."""
    with anyio.fail_after(60):
        await busy(program.pid)
    inside = [pid for cell in cells(program.pid) for pid in cell]
    program.kill()
    assert len(inside) >= INSIDE
    assert gone(inside)


def test_a_cell_ends_with_who_waits_for_it(bench: Bench) -> None:
    """Whoever gives up leaves no process behind. While it ran, its whole cell stood back."""

    async def give_up() -> list[int]:
        async with anyio.create_task_group() as group:
            group.start_soon(bench.sandbox.run, BUSY, "f", [[]])
            inside = await busy(os.getpid())
            while not all(os.getpriority(os.PRIO_PROCESS, pid) == LOWEST for pid in inside):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        return inside

    before = cells(os.getpid())  # such as a server of other tests
    assert gone(bench.portal.call(give_up))
    assert [cell for cell in cells(os.getpid()) if cell not in before] == []


def killed_once(bench: Bench, code: str, inputs: list[list[int]]) -> list[Outcome] | SandboxError:
    """What comes of a submission whose first cell is killed from outside."""

    async def kill() -> None:
        os.kill((await busy(os.getpid()))[0], signal.SIGKILL)

    ended: list[list[Outcome] | SandboxError] = []

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(kill)
            try:
                ended.append(await bench.sandbox.run(code, "f", inputs))
            except SandboxError as error:
                ended.append(error)

    bench.portal.call(run)
    return ended[0]


def test_a_cell_killed_from_outside_is_replaced(bench: Bench) -> None:
    """Its case is tried once more in a fresh cell, and the answer is the same."""
    code = "import time\ndef f(s): time.sleep(s); return s"
    outcomes = killed_once(bench, code, [[1], [0]])
    assert not isinstance(outcomes, SandboxError)
    assert [outcome.output for outcome in outcomes] == [1, 0]


@pytest.fixture
def short_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel kills processes of this machine, one after the other."""
    counts = itertools.count()
    monkeypatch.setattr(bubblewrap, "oom_kills", lambda: next(counts))


@pytest.mark.usefixtures("short_of_memory")
def test_a_machine_without_memory_is_nobodys_score(bench: Bench) -> None:
    """Then the end of a cell, or of a case by SIGKILL, says nothing about the code."""
    assert "ran out of memory" in str(killed_once(bench, BUSY, [[]]))
    closed = "import os\ndef f():\n os.close(3)\n while True: pass"  # ended by the runner
    with pytest.raises(SandboxError, match="ran out of memory"):
        bench.one(closed)
    assert bench.one("def f(): return 1").output == 1
    assert bench.one("def f():\n raise MemoryError").status == "oom"


def test_every_place_is_read_only(bench: Bench) -> None:
    """The walls stand without the filter of system calls too: see how things are mounted."""
    code = "def f(): return [line.split() for line in open('/proc/self/mountinfo')]"
    mounts = {fields[4]: fields[5].split(",") for fields in bench.one(code).output}
    devices = {f"/dev/{name}" for name in bubblewrap.DEVICES}
    assert mounts.keys() == {"/", "/proc", "/dev", *devices}
    assert all("ro" in mounts[place] for place in ("/", "/proc", "/dev"))
    assert all("nosuid" in options for options in mounts.values())


def test_a_cell_is_alone(bench: Bench) -> None:
    """No network but a loopback of its own, no power, no other process, no other user."""
    code = """
import os
def f():
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status"))
    devices = [line.split(":")[0].strip() for line in list(open("/proc/net/dev"))[2:]]
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
    powers = [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")]
    return [devices, pids[0], len(pids), os.getppid(), os.getuid(), os.getgid(), powers,
            int(status["NoNewPrivs"]), os.uname().nodename]
"""
    devices, first, count, parent, user, group, powers, no_new, host = bench.one(code).output
    assert (devices, first, count, parent) == (["lo"], 1, 2, 1)
    assert (user, group, powers, no_new, host) == (65534, 65534, [0, 0, 0, 0], 1, "sandbox")
