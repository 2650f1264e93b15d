"""The same submission gets the same verdict on every driver and engine."""

import os
from collections.abc import Sequence
from typing import Any

import aiodocker
import anyio
import pytest
from msgspec.structs import replace

from quasar.sandbox import Outcome, SandboxConfig, find_engine, open_sandbox, same_json
from tests.faults.attack import together
from tests.faults.sandbox_attacks import attack_named
from tests.faults.sandbox_targets import PODMAN, TARGETS, config_for

pytestmark = pytest.mark.docker

HONEST: dict[str, tuple[str, list[Any]]] = {
    "sum": ("def f(a, b): return a + b", [1, 2]),
    "floats": ("def f(x): return [x / 3, 0.1 + 0.2, -0.0, 1e300 * 1e300]", [7]),
    "hashes": ("import hashlib\ndef f(t): return hashlib.sha256(t.encode()).hexdigest()", ["é"]),
    "a seed": ("import random\ndef f(): random.seed(7); return random.sample(range(99), 9)", []),
    "order of a set": ("def f(): return list({'a', 'bc', 'def', 'ghij', 'klmno'})", []),
    "order of a dict": ("def f(x): return {k: x[k] for k in reversed(x)}", [{"b": 1, "a": [2]}]),
    "prints": ("def f():\n for i in range(9): print(i, 'é')\n return None", []),
    "raises": ("def f(x): return x[3]", [[1]]),
    "raises its own": ("class Odd(Exception): pass\ndef f(): raise Odd('a\\nb')", []),
    "no function": ("def g(): pass", []),
    "no syntax": ("def f(:", []),
    "decimals": ("from decimal import *\ndef f(): return str(Decimal(1) / 7)", []),
    "text": ("import re\ndef f(t): return re.sub(r'(\\w+)', r'<\\1>', t.upper())", ["straße ßß"]),
    "JSON both ways": ("import json\ndef f(x): return json.loads(json.dumps(x))", [[1.5, None]]),
}
HOSTILE = (
    *("endless loop", "memory bomb", "exit without a result", "output flood", "huge result"),
    *("network", "file write", "import tricks", "other programs", "not a number", "cycle"),
    *("abort", "forged report on every descriptor", "fork bomb", "error text with escapes"),
)
NAMES = [*HONEST, *HOSTILE]

Verdict = tuple[str, object, str | None, str]
"""Status, output, class of the error, prints."""


def verdict(outcome: Outcome) -> Verdict:
    """What must be alike."""
    error = None if outcome.error is None else outcome.error.split(":")[0]
    return outcome.status, outcome.output, error, outcome.stdout[:1000]


async def verdicts(config: SandboxConfig) -> dict[str, Verdict]:
    """Of each: the honest in submissions of their own, the hostile as cases of one."""
    found: dict[str, Verdict] = {}
    limiter = anyio.CapacityLimiter(3)

    async def judged(names: Sequence[str], code: str, inputs: list[list[Any]]) -> None:
        async with limiter:
            outcomes = await sandbox.run(code, "f", inputs)
        found.update(zip(names, map(verdict, outcomes), strict=True))

    async with open_sandbox(config) as sandbox, anyio.create_task_group() as group:
        attacks = together([attack_named(name) for name in HOSTILE])
        group.start_soon(judged, HOSTILE, attacks, [[name] for name in HOSTILE])
        for name, (code, arguments) in HONEST.items():
            group.start_soon(judged, [name], code, [arguments])
    return found


async def other_runtimes() -> list[str]:
    """Such as gVisor's, where the Docker engine has it."""
    async with aiodocker.Docker(await find_engine()) as docker:
        return [name for name in (await docker.system.info())["Runtimes"] if name == "runsc"]


@pytest.fixture(scope="module")
def by_target() -> dict[str, dict[str, Verdict]]:
    """Every driver and engine; on CI none of them may be missing."""
    here = [name for name in TARGETS if name != "podman" or {"CI", PODMAN} & os.environ.keys()]
    configs = {name: config_for(name) for name in here}
    for runtime in anyio.run(other_runtimes):
        configs[runtime] = replace(configs["docker"], runtime=runtime, timeout_s=5.0)
    return {name: anyio.run(verdicts, config) for name, config in configs.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_is_the_same_everywhere(
    by_target: dict[str, dict[str, Verdict]], name: str
) -> None:
    """Status, output with its types, class of the error and prints: all as on Docker."""
    expected = by_target["docker"][name]
    for target, verdicts_there in by_target.items():
        found = verdicts_there[name]
        assert found[:1] + found[2:] == expected[:1] + expected[2:], target
        assert same_json(found[1], expected[1]), target


def test_honest_submissions_are_answered(by_target: dict[str, dict[str, Verdict]]) -> None:
    """What is alike everywhere is no failure of all of them."""
    for verdicts_there in by_target.values():
        statuses = {name: verdicts_there[name][0] for name in HONEST}
        bad = {name for name, status in statuses.items() if status != "ok"}
        assert bad == {"raises", "raises its own", "no function", "no syntax", "floats"}
        for name in HOSTILE:
            assert verdicts_there[name][0] in attack_named(name).statuses, name
