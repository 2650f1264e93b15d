"""The contract of a sandbox, on the Docker driver and a real engine."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import aiodocker
import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from quasar.errors import UsageError
from quasar.sandbox import (
    Outcome,
    Sandbox,
    SandboxConfig,
    SandboxError,
    find_engine,
    open_sandbox,
    probe_engine,
    same_json,
)
from quasar.sandbox.program import command

pytestmark = pytest.mark.docker

CONFIG = SandboxConfig(timeout_s=2.0, memory_mib=256, log_bytes=100, output_bytes=10_000)
ADD = "def add(a, b):\n    return a + b"


class Bench(NamedTuple):
    """An open sandbox, used from tests that are not coroutines."""

    portal: BlockingPortal
    sandbox: Sandbox

    def run(self, code: str, name: str, inputs: list[list[Any]]) -> list[Outcome]:
        return self.portal.call(self.sandbox.run, code, name, inputs)

    def one(self, code: str, *arguments: object) -> Outcome:
        (outcome,) = self.run(code, "f", [list(arguments)])
        return outcome


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One sandbox for the module."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_sandbox(CONFIG)) as sandbox,
    ):
        yield Bench(portal, sandbox)


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
    outcome = bench.one("import time\ndef f(): time.sleep(0.2)")
    assert outcome.success
    assert 200 <= outcome.execution_time_ms < 1500


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
    """Image, layers, Python, engine and runtime, in the form that events take."""
    identity = bench.sandbox.identity
    assert identity.driver == "docker"
    assert all(len(digest) == 64 for digest in [identity.image, *identity.layers])
    assert len(identity.layers) == 1
    assert identity.python == ".".join(map(str, sys.version_info[:3]))
    assert identity.engine[-1].isalnum()
    assert identity.runtime.split()[0] in {"runc", "crun"}


@pytest.mark.anyio
async def test_an_engine_is_found() -> None:
    """Here there must be one: without it these tests fail, they are not skipped."""
    probe = await probe_engine()
    assert probe.url is not None, probe.reason
    assert await find_engine() == probe.url


@pytest.mark.anyio
async def test_an_image_that_nobody_has_is_a_sandbox_error() -> None:
    """The engine's failure is an exception, never an outcome."""
    config = SandboxConfig(image="quasar-sandbox:never-built")
    with pytest.raises(SandboxError, match="never-built"):
        async with open_sandbox(config):
            pass


async def busy(docker: aiodocker.Docker, owner: str, not_this: str = "") -> Any:
    """A sandbox's container in which a case has run for a while: it was told to stand back."""
    wanted = json.dumps({"label": [f"quasar.owner={owner}"], "status": ["running"]})
    shares = 0
    while shares != 2:  # the engine tells no earlier
        await anyio.sleep(0.01)
        for container in await docker.containers.list(filters=wanted):
            if container.id != not_this:
                shares = (await container.show())["HostConfig"]["CpuShares"]
    return container


SLEEP = "import time\ndef f(s): time.sleep(s); return s"


@pytest.mark.anyio
async def test_a_container_removed_from_outside_is_a_sandbox_error() -> None:
    """Whoever removes it, the code did not: nobody is scored for that."""
    config = SandboxConfig(owner="removed-from-outside")
    async with open_sandbox(config) as sandbox, aiodocker.Docker(await find_engine()) as docker:

        async def remove() -> None:
            await (await busy(docker, config.owner)).delete(force=True)

        async with anyio.create_task_group() as group:
            group.start_soon(remove)
            with pytest.raises(SandboxError):
                await sandbox.run(SLEEP, "f", [[20]])
        assert (await sandbox.run(ADD, "add", [[1, 2]]))[0].output == 3


@pytest.mark.anyio
async def test_a_container_killed_from_outside_is_replaced() -> None:
    """Its case is tried once more in a fresh container, and the answer is the same."""
    config = SandboxConfig(owner="killed-from-outside")
    async with open_sandbox(config) as sandbox, aiodocker.Docker(await find_engine()) as docker:

        async def kill() -> None:
            await (await busy(docker, config.owner)).kill()

        async with anyio.create_task_group() as group:
            group.start_soon(kill)
            outcomes = await sandbox.run(SLEEP, "f", [[1], [0]])
        assert [outcome.output for outcome in outcomes] == [1, 0]


@pytest.mark.anyio
async def test_a_case_that_kills_its_container_each_time_has_crashed() -> None:
    """Whatever ends two containers at the same case is scored; the next case answers."""
    config = SandboxConfig(owner="killed-each-time")
    async with open_sandbox(config) as sandbox, aiodocker.Docker(await find_engine()) as docker:

        async def kill_twice() -> None:
            first = await busy(docker, config.owner)
            await first.kill()
            await (await busy(docker, config.owner, not_this=first.id)).kill()

        async with anyio.create_task_group() as group:
            group.start_soon(kill_twice)
            outcomes = await sandbox.run(SLEEP, "f", [[5], [0]])
        assert [outcome.status for outcome in outcomes] == ["crashed", "ok"]


@pytest.mark.anyio
async def test_a_silent_runner_is_ended_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's clock stands behind the runner's: the case is late, the rest starts anew."""
    monkeypatch.setattr("quasar.sandbox.submissions.GRACE_S", -19.0)  # the host gives up first
    async with open_sandbox(SandboxConfig(timeout_s=20)) as sandbox:
        late, after = await sandbox.run(SLEEP, "f", [[15], [0]])
    assert (late.status, late.execution_time_ms, after.output) == ("timeout", 20_000, 0)


def test_the_runner_refuses_to_start_outside_a_container() -> None:
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
