"""The contract of a sandbox, on every driver."""

import subprocess
import sys
import time
from collections.abc import Iterator

import anyio
import pytest

from quasar.errors import UsageError
from quasar.sandbox import NO_POLICY, SandboxConfig, open_sandbox, same_json
from quasar.sandbox.cache import cache_folder
from quasar.sandbox.program import command
from quasar.sandbox.rootfs import prepared
from tests.sandboxes import DRIVERS, Bench, need, on
from tests.sandboxes import bench as open_bench

CONFIG = SandboxConfig(
    timeout_s=2.0, memory_mib=256, log_bytes=100, output_bytes=10_000, policy=NO_POLICY
)
ADD = "def add(a, b):\n    return a + b"


@pytest.fixture(scope="module", params=DRIVERS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """One sandbox of a driver for the module."""
    with open_bench(request.param, CONFIG) as opened:
        yield opened


def test_an_outcome_for_each_input_in_order(bench: Bench) -> None:
    """One case that fails takes neither the place nor the turn of another."""
    outcomes = bench.run(ADD, "add", [[1, 2], ["a", 1], [[1], [2]], [], ["x", "y"]])
    assert [o.status for o in outcomes] == ["ok", "error", "ok", "error", "ok"]
    assert [o.output for o in outcomes] == [3, None, [1, 2], None, "xy"]
    assert [o.success for o in outcomes] == [True, False, True, False, True]


def test_no_input_no_outcome(bench: Bench) -> None:
    """An empty list is answered with one."""
    assert bench.run(ADD, "add", []) == []


VALUES = [
    *(None, True, False, 0, -1, 2**64, 10**4000, 0.1, -0.0, 1e308, "", "\x00é\U0001f600"),
    *([], {}, [1, [2.0, [None]]], {"a": {"b": [True]}, "": 0}),
]


@pytest.mark.parametrize(
    "value", VALUES, ids=lambda value: str(value)[:12].encode("unicode_escape")
)
def test_a_json_value_comes_back_as_it_is(bench: Bench, value: object) -> None:
    """In and out of the sandbox no type and no digit changes."""
    outcome = bench.one("def f(x): return x", value)
    assert outcome.success, outcome
    assert same_json(outcome.output, value)


ENDS = {
    "raises": ("def f(): return 1 // 0", "error", "ZeroDivisionError: integer division or modulo"),
    "no function": ("g = 1", "error", "the code defines no function 'f'"),
    "not callable": ("f = 1", "error", "the code defines no function 'f'"),
    "no syntax": ("def f(:", "error", "SyntaxError: "),
    "zero byte": ("\0", "error", "source code string cannot contain null bytes"),
    "not JSON": ("def f(): return {1, 2}", "error", "the returned value is not JSON: TypeError"),
    "NaN": ("def f(): return float('nan')", "error", "the returned value is not JSON: ValueError"),
    "too long": ("def f(): return 'x' * 10_000", "output_limit", "more than 10000 bytes"),
    "too slow": ("def f():\n while 1: pass", "timeout", "out of time"),
    "too large": ("def f(): return len('x' * 2**40)", "oom", "MemoryError"),
    "exits": ("import os\ndef f(): os._exit(3)", "crashed", "exited with 3 before it returned"),
    "dies": ("import os\ndef f(): os.abort()", "crashed", "was ended by SIG"),
    "writes": ("def f(): open('x', 'w')", "forbidden", "OSError: [Errno 30] Read-only file system"),
    "connects": ("import socket\ndef f(): socket.socket()", "forbidden", "PermissionError: [Err"),
}


@pytest.mark.parametrize("name", ENDS)
def test_how_a_case_ends(bench: Bench, name: str) -> None:
    """Each end has its type and one line that says why."""
    code, status, reason = ENDS[name]
    outcome = bench.one(code)
    assert outcome.status == status, outcome
    assert outcome.error is not None
    assert reason in outcome.error
    assert "\n" not in outcome.error
    assert outcome.output is None


def test_prints_are_kept_up_to_the_limit(bench: Bench) -> None:
    """The code may print more than is kept; the first bytes stay, in order."""
    few = bench.one("def f(): print('one'); print('two')")
    many = bench.one("def f():\n for i in range(10000): print(i)")
    assert (few.stdout, many.status) == ("one\ntwo\n", "ok")
    assert len(many.stdout) == CONFIG.log_bytes
    assert many.stdout.startswith("0\n1\n2\n")


def test_the_time_of_a_case_is_measured(bench: Bench) -> None:
    """execution_time_ms covers the call, in whole milliseconds."""
    started = time.monotonic()
    outcome = bench.one("import time\ndef f(): time.sleep(0.2)")
    assert outcome.success
    assert 200 <= outcome.execution_time_ms <= 1000 * (time.monotonic() - started)


def test_honest_code_finds_the_standard_library(bench: Bench) -> None:
    """Names that upstream forbids and honest code needs are here; threads are too."""
    code = """
from __future__ import annotations
import collections, dataclasses, datetime, decimal, hashlib, itertools, math, random, re, typing
from concurrent.futures import ThreadPoolExecutor
@dataclasses.dataclass
class Point:
    x: int
def f(n):
    random.seed(1)
    with ThreadPoolExecutor(4) as pool:
        squares = list(pool.map(lambda i: i * i, range(n)))
    return [squares, Point(3).x, hashlib.sha256(b"").hexdigest()[:4], re.findall("a", "aa")]
"""
    outcome = bench.one(code, 4)
    assert outcome.output == [[0, 1, 4, 9], 3, "e3b0", ["a", "a"]], outcome


def test_the_same_code_answers_alike_in_every_container(bench: Bench) -> None:
    """The order of a set of strings is fixed, so that a verdict can be repeated."""
    code = "def f(): return list({'alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'})"
    assert bench.one(code).output == bench.one(code).output


def test_a_case_sees_its_own_input_and_no_trace_of_another(bench: Bench) -> None:
    """Each case starts from the code alone."""
    code = "seen = []\ndef f(x):\n    seen.append(x)\n    return seen"
    assert [o.output for o in bench.run(code, "f", [[1], [2], [3]])] == [[1], [2], [3]]


def test_code_longer_than_a_mebibyte_is_an_error_of_the_code(bench: Bench) -> None:
    """It is never our exception: the code is a stranger's."""
    outcomes = bench.run("#" * (1 << 20) + "\n" + ADD, "add", [[1, 2], [3, 4]])
    assert [o.status for o in outcomes] == ["error", "error"]


def test_a_large_input_passes(bench: Bench) -> None:
    """Eight megabytes in, their length out."""
    assert bench.one("def f(text): return len(text)", "é" * (1 << 20)).output == 1 << 20


def test_arguments_that_are_no_json_are_the_callers_mistake(bench: Bench) -> None:
    """The reference's inputs are ours: a bad one is an error, no outcome."""
    with pytest.raises(UsageError):
        bench.one("def f(x): return x", {1, 2})


def test_threads_have_a_limit(bench: Bench) -> None:
    """Small stacks fit into the memory by the thousand: what stops them is their number."""
    code = """
import threading
def f():
    stop, started = threading.Event(), 0
    threading.stack_size(32768)
    try:
        while started < 1000:
            threading.Thread(target=stop.wait).start()
            started += 1
    except RuntimeError:
        stop.set()
    return started
"""
    assert 16 < bench.one(code).output < CONFIG.pids


def test_two_submissions_run_at_the_same_time(bench: Bench) -> None:
    """Calls do not wait for each other: the two spans of time overlap."""
    code = "import time\ndef f(): return [time.time(), time.sleep(1.5), time.time()]"
    spans: list[list[float]] = []

    async def one() -> None:
        spans.append((await bench.sandbox.run(code, "f", [[]]))[0].output)

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)

    bench.portal.call(both)
    assert max(span[0] for span in spans) < min(span[2] for span in spans)


def test_the_identity_names_what_ran(bench: Bench) -> None:
    """Driver, Python and image in the form that events take; the same bytes on every driver."""
    identity = bench.sandbox.identity
    root = prepared(cache_folder())
    assert identity.driver == bench.driver
    assert (identity.image, identity.layers) == (root.image, [root.layer])
    assert all(len(digest) == 64 for digest in [identity.image, *identity.layers])
    assert identity.python == ".".join(map(str, sys.version_info[:3]))
    assert identity.engine.split()[0] == bench.driver
    assert identity.runtime.split()[0] in {"runc", "crun", "linux"}


SLEEP = "import time\ndef f(s): time.sleep(s); return s"


@pytest.mark.anyio
@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_silent_runner_is_ended_from_outside(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's clock stands behind the runner's: the case is late, the rest starts anew."""
    monkeypatch.setattr("quasar.sandbox.submissions.wall_s", lambda config: 1.0)
    monkeypatch.setattr("quasar.sandbox.submissions.GRACE_S", 0.0)  # the host gives up first
    need(driver)
    async with open_sandbox(on(driver, SandboxConfig(timeout_s=20))) as sandbox:
        late, after = await sandbox.run(SLEEP, "f", [[15], [0]])
    assert (late.status, late.execution_time_ms, after.output) == ("timeout", 20_000, 0)


def test_the_runner_refuses_to_start_outside_a_cell() -> None:
    """By hand, as any process but PID 1 of an own namespace, it leaves and harms nothing.

    Tried in a pid namespace of its own, with a witness beside it: the runner's cleaning up would
    end every process that it can see.
    """
    runner = [sys.executable, *command(CONFIG)[1:]]
    watch = 'sleep 60 & "$@" </dev/null; echo "left with $?"; kill -0 $! && echo "witness alive"'
    space = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount", "--mount-proc"]
    done = subprocess.run(
        [*space, "sh", "-c", watch, "sh", *runner], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.splitlines() == ["left with 97", "witness alive"], done.stderr
    assert "refused: not PID 1" in done.stderr
