"""The runner: where it refuses to start, and how it tells the time of a case."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import anyio.lowlevel
import pytest
from msgspec.structs import replace

from quasar.sandbox import NO_POLICY, SandboxConfig, SandboxError
from quasar.sandbox.bubblewrap import Bubble, open_bubblewrap
from quasar.sandbox.docker import open_docker
from quasar.sandbox.inside import clock
from quasar.sandbox.inside.clock import Clock, Waiting
from quasar.sandbox.pool import open_pool
from quasar.sandbox.program import command
from quasar.sandbox.submissions import Submissions, _request
from tests.sandboxes import DRIVERS, Bench, need
from tests.sandboxes import bench as open_bench

CONFIG = SandboxConfig(timeout_s=0.5, memory_mib=128, pool=0)
NOBODY = ["--user", "--map-user=65534", "--map-group=65534"]
SPACES = {
    "not PID 1": [],
    "it is root": ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"],
    "/proc belongs to another pid namespace": [*NOBODY, "--pid", "--fork"],
}


@pytest.mark.parametrize("reason", SPACES)
def test_the_runner_refuses(reason: str) -> None:
    """It leaves before it asks for work, with one line that says why."""
    runner = [sys.executable, *command(CONFIG)[1:]]
    space = ["unshare", *SPACES[reason], "--"] if SPACES[reason] else []
    done = subprocess.run([*space, *runner], input=b"", capture_output=True, timeout=30)
    said = f"quasar runner: refused: {reason}; it runs only as a cell's PID 1\n"
    assert (done.returncode, done.stdout, done.stderr.decode()) == (97, b"", said)


@pytest.mark.docker
@pytest.mark.anyio
async def test_the_runner_refuses_a_container_among_the_machines_processes() -> None:
    """A container that was given the machine's pid namespace never comes to a case."""
    async with open_docker(CONFIG) as driver:
        driver._body["HostConfig"] |= {"PidMode": "host"}
        cell = driver.cell()
        try:
            with pytest.raises(SandboxError, match="refused: not PID 1"):
                await cell.start()
        finally:
            await cell.remove()


@pytest.fixture(name="bench", scope="module", params=DRIVERS)
def fixture_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """One sandbox for each driver."""
    with open_bench(request.param, CONFIG) as bench:
        yield bench


LOOP = "def f():\n while True: pass"
THREADS = """
import threading, time
def spin():
    until = time.thread_time() + 0.1
    while time.thread_time() < until: pass
def f():
    for _ in range(2):
        thread = threading.Thread(target=spin)
        thread.start()
        thread.join()
"""
SLEEPS = {
    "sleep": "import time\ndef f(): time.sleep(60)",
    "lock": "import threading\ndef f(): threading.Lock().acquire() and threading.Event().wait()",
    "after a thread": THREADS.replace("0.1", "0.0") + "    time.sleep(60)",
}


def test_a_case_ends_once_its_processor_time_is_used_up(bench: Bench) -> None:
    """Unless others have the processor for so long that it comes to the wall, twice."""
    outcome = bench.one(LOOP)
    assert outcome.status == "timeout"
    assert outcome.cpu_time_ms >= 480 or outcome.execution_time_ms >= 1500


@pytest.mark.parametrize("way", SLEEPS)
def test_who_sleeps_uses_up_its_own_time(bench: Bench, way: str) -> None:
    """It is not run again: that it got little of the processor was its own doing."""
    outcome = bench.one(SLEEPS[way])
    assert outcome.status == "timeout"
    assert outcome.execution_time_ms >= 500
    assert outcome.cpu_time_ms < 250


def test_threads_count_together_also_when_they_have_ended(bench: Bench) -> None:
    """Two threads of a tenth of a second each, of which none is left at the end."""
    outcome = bench.one(THREADS)
    assert outcome.success
    assert 180 <= outcome.cpu_time_ms < 500


def test_the_policy_is_asked_before_the_code_runs(bench: Bench) -> None:
    """One line says where and what; nothing of the code was executed."""
    outcome = bench.one("print('ran')\nimport os.path\ndef f(): return 1")
    assert (outcome.status, outcome.stdout) == ("forbidden", "")
    assert outcome.error == "line 2: import of 'os.path' is not allowed"


def test_each_case_draws_its_own_numbers(bench: Bench) -> None:
    """A module that the runner has loaded before carries no state from one case to the next."""
    draw = "import random\ndef f(): return random.random()"
    assert len({outcome.output for outcome in bench.run(draw, "f", [[], [], []])}) == 3


def test_a_reason_that_is_no_text_is_told_all_the_same(bench: Bench) -> None:
    """Half a surrogate pair in an error is not taken for a broken result."""
    outcome = bench.one("def f(): raise ValueError('\\ud800')")
    assert (outcome.status, outcome.error) == ("error", r"ValueError: \ud800")


@pytest.mark.docker
def test_what_a_case_waits_for_the_processor_does_not_count() -> None:
    """With a fifth of a processor it takes five times as long, and answers all the same."""
    slow = SandboxConfig(timeout_s=0.5, cpus=0.2, pool=0)
    with open_bench("docker", slow) as bench:
        outcome = bench.one(THREADS)
    assert outcome.success, outcome
    assert outcome.execution_time_ms > 500 > outcome.cpu_time_ms


@pytest.mark.parametrize(
    ("wall", "cpu", "waited", "verdict"),
    [
        (0.9, 0.5, 0.0, None),
        (1.0, 0.0, 0.0, "timeout"),
        (1.5, 0.4, 0.6, None),
        (1.7, 0.4, 0.6, "timeout"),
        (2.9, 0.9, float("inf"), None),
        (3.0, 0.9, float("inf"), "overdue"),
        (3.0, 1.0, float("inf"), "timeout"),
    ],
)
def test_the_verdict_of_the_clock(
    wall: float, cpu: float, waited: float, verdict: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One second of processor, one of own time, three on the wall."""
    times = iter([0.0, cpu])
    monkeypatch.setattr(clock, "processor_s", lambda pid: next(times))
    monkeypatch.setattr(Clock, "wall", lambda self: wall)
    monkeypatch.setattr(Waiting, "at_most", lambda self, now: waited)
    assert Clock(1, 1.0, 3.0).verdict() == verdict


def test_an_ended_thread_may_have_waited_since_the_last_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound is what was seen, for each thread that is gone the longest gap, and the runner."""
    runner = iter([3.0, 3.0, 3.125])
    monkeypatch.setattr(clock, "waited_s", lambda thread: next(runner))
    looks = iter([("1", 0.25, 0), ("2", 0.5, 1)])

    def look(self: Waiting) -> float:
        thread, waited, ended = next(looks)
        self._seen[thread] = waited
        return ended

    monkeypatch.setattr(Waiting, "_look", look)
    waiting = Waiting(1)
    assert waiting.at_most(0.5) == 0.25
    assert waiting.at_most(0.75) == 0.125 + 0.25 + 0.5 + 0.5


def missing(self: Waiting) -> float:
    raise FileNotFoundError


def short(self: Waiting) -> float:
    raise IndexError


@pytest.mark.parametrize("look", [missing, short])
def test_a_kernel_without_the_account_may_have_kept_a_case_waiting(
    look: Callable[[Waiting], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell: the case goes on until the wall, and runs again."""
    monkeypatch.setattr(Waiting, "_look", look)
    assert Waiting(1).at_most(1.0) == float("inf")


def below(parent: int) -> dict[int, str]:
    """Processes whose parent this one is, with their states."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, above = stat.read_text().rpartition(")")[2].split()[:2]
            if above == str(parent):
                found[int(stat.parent.name)] = state
    return found


@pytest.mark.anyio
async def test_a_process_that_is_gone_before_its_case_comes_is_replaced() -> None:
    """A machine short of memory ends waiting ones first; nobody is scored for it."""
    need("bubblewrap")
    async with (
        open_bubblewrap(replace(CONFIG, driver="bubblewrap")) as driver,
        open_pool(driver, 0) as pool,
        pool.cell() as cell,
    ):
        assert isinstance(cell, Bubble)
        assert cell._process is not None
        waiting = [cell._process.pid]
        while len(waiting) < 3:  # bubblewrap, the runner, the case: nobody tells when
            await anyio.lowlevel.checkpoint()
            waiting += below(waiting[-1])
        os.kill(waiting[-1], signal.SIGKILL)
        while below(waiting[-2])[waiting[-1]] != "Z":
            await anyio.lowlevel.checkpoint()
        request = _request("def f(): return 1", "f", [], NO_POLICY)
        outcome = await Submissions(driver, pool, CONFIG)._case(cell, request)
    assert outcome.output == 1
