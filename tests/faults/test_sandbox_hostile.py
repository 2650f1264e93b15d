"""Hostile submissions on every driver: contained, typed, and the next case answers."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, NamedTuple

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from quasar.sandbox import Outcome, Sandbox, open_sandbox, same_json
from tests.faults.attack import ANYTHING, CANARY, together
from tests.faults.sandbox_attacks import ATTACKS, GROUPS, Attack, attack_named
from tests.faults.sandbox_targets import SMALL, TARGETS, config_for, left_behind, marks_of

TOGETHER = 12
"""Attacks in one submission: each case compiles all of it."""
AT_ONCE = 3
"""Submissions that run at the same time."""
AGAIN = 5
"""Times that an attack is tried once more which the busy machine, and not a wall, kept back."""
ALL = int(os.environ.get("QUASAR_FAULT_TURNS", "1")) > 1
PODMANS = ("files", "escapes", "survivors")


class Run(NamedTuple):
    """An attack's case, and the case after it in the same submission."""

    hit: Outcome
    after: Outcome


class Bench(NamedTuple):
    """An open sandbox, used from tests that are not coroutines, and what the attacks came to."""

    portal: BlockingPortal
    sandbox: Sandbox
    runs: dict[str, Run]

    def run(self, code: str, inputs: list[list[Any]]) -> list[Outcome]:
        return self.portal.call(self.sandbox.run, code, "f", inputs)


Benches = Callable[[str], Bench]


async def attacked(sandbox: Sandbox, attacks: Sequence[Attack]) -> dict[str, Run]:
    """Run them in submissions of many cases, after each the canary; some at the same time."""
    runs: dict[str, Run] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def submitted(group: Sequence[Attack]) -> None:
        inputs = [[name] for attack in group for name in (attack.name, "canary")]
        async with limiter:
            outcomes = await sandbox.run(together(group), "f", inputs)
        pairs = zip(outcomes[::2], outcomes[1::2], strict=True)
        runs.update({a.name: Run(*pair) for a, pair in zip(group, pairs, strict=True)})

    async with anyio.create_task_group() as tasks:
        for lane in ("waits", "busy", "quick"):
            group = [attack for attack in attacks if attack.lane == lane]
            size = TOGETHER if lane == "quick" else len(attacks)
            for at in range(0, len(group), size):
                tasks.start_soon(submitted, group[at : at + size])
    for _ in range(AGAIN):
        for attack in starved(attacks, runs):
            await submitted([attack])
    return runs


def starved(attacks: Sequence[Attack], runs: dict[str, Run]) -> list[Attack]:
    """Those that had too little of the processor to show what they do, even when run alone."""
    limit_ms = 1000 * SMALL.timeout_s
    late = [a for a in attacks if a.lane == "quick" and "timeout" not in a.statuses]
    ends = [(a, runs[a.name].hit) for a in late]
    return [a for a, hit in ends if hit.status == "timeout" and hit.cpu_time_ms < limit_ms]


@pytest.fixture(scope="module")
def benches() -> Iterator[Benches]:
    """By name of the target, opened when it is first asked for, and tried only once."""
    with ExitStack() as stack:

        @cache
        def tried(name: str) -> Bench | BaseException:
            try:
                return stack.enter_context(opened(name))
            except BaseException as error:
                return error

        def bench(name: str) -> Bench:
            found = tried(name)
            if isinstance(found, BaseException):
                raise found
            return found

        yield bench


@contextmanager
def opened(name: str) -> Iterator[Bench]:
    """One sandbox for all attacks: an attack that harms it fails those that follow."""
    config = config_for(name)
    with start_blocking_portal() as portal:
        with portal.wrap_async_context_manager(open_sandbox(config)) as sandbox:
            yield Bench(portal, sandbox, portal.call(attacked, sandbox, attacks_on(name)))
        assert portal.call(left_behind, config) == []


def attacks_on(name: str) -> list[Attack]:
    """Podman is another engine before the same kernel: in CI those attacks that might tell."""
    groups = PODMANS if name == "podman" and not ALL else GROUPS
    return [attack for group in groups for attack in GROUPS[group]]


def failing(attack: Attack, run: Run) -> str | None:
    """What is wrong with how an attack ended, or None."""
    hit, after = run
    if hit.status not in attack.statuses.split():
        return f"ended with {hit.status}: {hit.error or hit.output}"
    if hit.success and attack.output is not ANYTHING and not same_json(hit.output, attack.output):
        return f"got hold of {hit.output}"
    if not hit.success and not (hit.output is None and one_line(hit.error)):
        return f"its error is no line of text: {hit.error!r}"
    if len(hit.stdout.encode()) > 3 * SMALL.log_bytes:
        return "printed more than it may"
    if after.output != CANARY or after.stdout:
        return f"harmed the next case: {after}"
    return None


def one_line(error: str | None) -> bool:
    return error is not None and error.isprintable() and 0 < len(error) <= 200


CASES = [
    pytest.param(name, attack, id=f"{name}-{attack.name}", marks=marks_of(name))
    for name in TARGETS
    for attack in attacks_on(name)
]
on_every_target = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=marks_of(name)) for name in TARGETS]
)


@pytest.mark.parametrize(("name", "attack"), CASES)
def test_an_attack_is_contained(benches: Benches, name: str, attack: Attack) -> None:
    """It ends with its type, and the next case of the same submission finds no trace of it."""
    assert failing(attack, benches(name).runs[attack.name]) is None


BAD_SOURCES = {
    "never ends": ("while True: pass", "timeout"),
    "ends the process": ("import os; os._exit(0)", "crashed"),
    "exits": ("raise SystemExit(0)", "error"),
    "fills memory": ("x = bytearray(1 << 40)", "oom"),
    "answers itself": (
        'import os, struct; b = b\'["ok",null]\\0["alive", 42]\'; '
        "os.write(3, struct.pack('>I', len(b)) + b); os._exit(0)",
        "ok",
    ),
    "brackets": ("(" * 100000, "error"),
    "signs": ("x = " + "-" * 500000 + "1", "error oom crashed"),
    "another encoding": ("# coding: rot13\nqrs s(k): erghea 1", "error"),
    "tabs and zeros": ("if 1:\n\tx\n        y\0", "error"),
}


@on_every_target
def test_code_that_attacks_while_it_is_defined(benches: Benches, name: str) -> None:
    """Each case ends with the type; an honest submission right after it is answered."""
    bench = benches(name)
    for kind, (source, statuses) in BAD_SOURCES.items():
        for outcome in bench.run(source, [["canary"], ["canary"]]):
            assert outcome.status in statuses.split(), (kind, outcome)
            assert outcome.output in (None, CANARY)
    (honest,) = bench.run("def f(x): return x", [[1]])
    assert honest.output == 1


@on_every_target
def test_the_clock_is_the_runners(benches: Benches, name: str) -> None:
    """Code that turns its own clocks back is timed all the same."""
    clock = attack_named("clock turned back")
    (outcome,) = benches(name).run(clock.code, [["attack"]])
    assert outcome.success
    assert outcome.execution_time_ms >= 200


@on_every_target
def test_a_case_finds_nothing_of_another_in_memory(benches: Benches, name: str) -> None:
    """A process is a copy of the runner: inputs, outputs and prints of earlier cases are gone."""
    bench, secret = benches(name), "SECRET" + "-OF-A-CASE"
    first, second, control = bench.run(SEARCH, [[secret], [None], [None]])
    assert first.success
    assert second.output == 0, second
    assert control.output == 0
    (found,) = bench.run(SEARCH.replace("if text is not None:", "if False:"), [[secret]])
    assert found.output > 0, "the search itself must be able to find something"


SEARCH = """
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


def test_the_attacks_are_many_and_have_names_of_their_own() -> None:
    """Ninety at least, and none hides another."""
    assert len(ATTACKS) >= 90
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
