"""The runner: where it refuses to start, and how it tells the time of a case."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from quasar.sandbox import SandboxConfig, SandboxError
from quasar.sandbox.docker import open_docker
from quasar.sandbox.inside import clock
from quasar.sandbox.inside.clock import Clock, Waiting
from quasar.sandbox.program import command
from tests.sandboxes import DRIVERS, Bench
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
    """However long that takes on a machine that is busy."""
    outcome = bench.one(LOOP)
    assert outcome.status == "timeout"
    assert outcome.cpu_time_ms >= 480
    assert outcome.execution_time_ms >= 480


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
    """The bound is what was seen, and for each thread that is gone the longest gap."""
    looks = iter([("1", 0.25, 0), ("2", 0.5, 1)])

    def look(self: Waiting) -> float:
        thread, waited, ended = next(looks)
        self._seen[thread] = waited
        return ended

    monkeypatch.setattr(Waiting, "_look", look)
    waiting = Waiting(1)
    assert waiting.at_most(0.5) == 0.25
    assert waiting.at_most(0.75) == 0.25 + 0.5 + 0.5


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
