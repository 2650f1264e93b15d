"""Hostile submissions on a real engine: contained, typed, and the next case answers."""

import json
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import aiodocker
import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from quasar.sandbox import Outcome, Sandbox, SandboxConfig, find_engine, open_sandbox
from tests.faults.sandbox_attacks import ATTACKS, CANARY, INT_80, TEN, TIME, Attack

pytestmark = pytest.mark.docker

CONFIG = SandboxConfig(timeout_s=1.5, memory_mib=256, owner="hostile-suite")
SUITE = ATTACKS + ([INT_80] if platform.machine() == "x86_64" else [])
HONEST = "def f(n):\n    return sum(i * i for i in range(n))"


class Bench(NamedTuple):
    """An open sandbox, used from tests that are not coroutines."""

    portal: BlockingPortal
    sandbox: Sandbox

    def run(self, code: str, inputs: list[list[Any]]) -> list[Outcome]:
        return self.portal.call(self.sandbox.run, code, "f", inputs)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One sandbox for all attacks: an attack that harms it fails those that follow."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_sandbox(CONFIG)) as sandbox,
    ):
        yield Bench(portal, sandbox)


async def containers() -> list[dict[str, Any]]:
    """What the engine says about each container of this suite that it has."""
    async with aiodocker.Docker(await find_engine()) as docker:
        wanted = json.dumps({"label": [f"quasar.owner={CONFIG.owner}"]})
        found = []
        for container in await docker.containers.list(all="true", filters=wanted):
            with suppress(aiodocker.DockerError):  # it may leave between the two requests
                found.append(await container.show())
        return found


@pytest.mark.parametrize("attack", SUITE, ids=lambda attack: attack.name)
def test_an_attack_is_contained(bench: Bench, attack: Attack) -> None:
    """The attack ends with its type, the canary of the same submission answers, nothing stays."""
    before, hit, after = bench.run(attack.code, [["canary"], ["attack"], ["canary"]])
    assert before.output == CANARY
    assert hit.status in attack.statuses.split(), hit
    if hit.success:
        assert hit.output == attack.output
        assert type(hit.output) is type(attack.output)
    else:
        assert hit.output is None
        assert hit.error is not None
        assert hit.error.isprintable()
        assert len(hit.error) <= 200
    assert len(hit.stdout.encode()) <= CONFIG.log_bytes
    assert after.success, after
    assert after.output == CANARY
    assert bench.portal.call(containers) == []


def test_the_clock_is_the_runners(bench: Bench) -> None:
    """Code that turns its own clocks back is timed all the same."""
    attack = next(a for a in ATTACKS if a.name == "clock turned back")
    (outcome,) = bench.run(attack.code, [["attack"]])
    assert outcome.success
    assert outcome.execution_time_ms >= 300


def test_a_forged_result_is_only_an_output(bench: Bench) -> None:
    """Code that speaks the child's protocol itself chooses its output, as by returning it."""
    forge = """
import os, struct
def f(n):
    body = b'["ok",null]\\0"forged"'
    for fd in range(256):
        try: os.write(fd, struct.pack(">I", len(body)) + body)
        except OSError: pass
    os._exit(0)
"""
    (outcome,) = bench.run(forge, [[1]])
    assert (outcome.status, outcome.output) == ("ok", "forged")
    assert "forged" in outcome.stdout


def test_a_case_finds_nothing_of_another_in_memory(bench: Bench) -> None:
    """A process is a copy of the runner: inputs, outputs and prints of earlier cases are gone."""
    search = """
import ctypes, re
needle = re.compile(b"SECRET[-]OF[-]A[-]CASE")
def f(text):
    if text is not None:
        print(text, text[:6] + text[6:] * 2000)
        return [text] * 2000
    hits = 0
    with open("/proc/self/maps") as file:
        regions = [line.split() for line in file]
    for place, powers, *rest in regions:
        if powers.startswith("rw") and rest[-1] != "[vvar]":
            start, end = (int(part, 16) for part in place.split("-"))
            hits += len(needle.findall(ctypes.string_at(start, end - start)))
    return hits
"""
    secret = "SECRET" + "-OF-A-CASE"
    first, second, control = bench.run(search, [[secret], [None], [None]])
    assert first.success
    assert second.output == 0, second
    assert control.output == 0
    inverted = search.replace("if text is not None:", "if False:")
    (found,) = bench.run(inverted, [[secret]])
    assert found.output > 0, "the search itself must be able to find something"


def test_an_honest_submission_does_not_wait_for_ten_hostile_ones(bench: Bench) -> None:
    """While ten submissions hang, an eleventh takes at most twice the time that it takes alone."""

    async def timed() -> float:
        start = time.perf_counter()
        outcomes = await bench.sandbox.run(HONEST, "f", [[10], [100], [1000]])
        assert [outcome.output for outcome in outcomes] == [285, 328350, 332833500]
        return time.perf_counter() - start

    async def all_stand_back() -> bool:
        return [c["HostConfig"]["CpuShares"] for c in await containers()] == [2] * 10

    async def among_ten() -> tuple[float, float]:
        alone = sorted([await timed() for _ in range(3)])[1]
        async with anyio.create_task_group() as group:
            for code in [TEN[0].code, TIME[0].code] * 5:  # loops and sleeps
                group.start_soon(bench.sandbox.run, code, "f", [["attack"]] * 3)
            while not await all_stand_back():  # noqa: ASYNC110  # the engine tells no earlier
                await anyio.sleep(0.01)
            among = min([await timed() for _ in range(3)])
            group.cancel_scope.cancel()
        assert await containers() == [], "a cancelled call removes its container"
        return alone, among

    alone, among = bench.portal.call(among_ten)
    assert among <= 2 * alone, f"{among:.3f} s among ten, {alone:.3f} s alone"
