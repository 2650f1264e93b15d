"""Many submissions of many miners at once, a quarter of them hostile. For a test and a bench."""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, cycle
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import anyio

from quasar.sandbox import Sandbox, SandboxConfig, open_sandbox
from tests.faults.attack import ANYTHING, CANARY, Attack
from tests.faults.sandbox_attacks import ATTACKS, TEN
from tests.faults.sandbox_targets import left_behind
from tests.measuring import resident

MINERS = 20
PARALLEL = 4
HOSTILE = [*TEN, *(attack for attack in ATTACKS if attack not in TEN)]
HONEST: tuple[tuple[str, Callable[[int], list[Any]], Callable[[int], Any]], ...] = (
    ("def f(a, b): return a + b", lambda n: [n, n + 1], lambda n: 2 * n + 1),
    ("def f(a): return sorted(a)", lambda n: [[n, 3, 2]], lambda n: sorted([n, 3, 2])),
    ("def f(n): return sum(range(n))", lambda n: [n], lambda n: n * (n - 1) // 2),
    (
        "import re\ndef f(s): return re.findall('[0-9]', s)",
        lambda n: [f"a{n}"],
        lambda n: [*str(n)],
    ),
    ("def f(s): return {'back': s[::-1]}", lambda n: ["ab" * n], lambda n: {"back": "ba" * n}),
)
"""Code, the arguments of case n, and its answer."""


class Submission(NamedTuple):
    """What a miner sends, and how it must end."""

    miner: int
    code: str
    inputs: list[list[Any]]
    outputs: list[Any]
    """Of the cases that succeed."""
    statuses: list[str]
    """Of each case, separated by spaces where several will do."""


class Load(NamedTuple):
    """What came of it."""

    submissions: int
    hostile: int
    seconds: float
    honest_changed: list[str]
    """Honest submissions that ended otherwise than alone."""
    hostile_loose: list[str]
    """Hostile ones that ended as they must not, or harmed the case after them."""
    left: list[str]
    """Containers, processes, files and open descriptors that were not there before."""
    grown_mib: float
    """Resident memory of this process at the end, less that after a quarter of the submissions."""

    @property
    def a_second(self) -> float:
        """Submissions per second."""
        return self.submissions / self.seconds

    def __str__(self) -> str:
        return (
            f"{self.submissions} submissions of {MINERS} miners, {self.hostile} hostile, "
            f"{PARALLEL} at a time: {self.seconds:.1f} s, {self.a_second:.1f} a second, "
            f"{len(self.honest_changed)} honest verdicts changed, "
            f"{len(self.hostile_loose)} hostile ones loose, {len(self.left)} things left, "
            f"memory {self.grown_mib:+.1f} MiB"
        )


def submissions(number: int) -> Iterator[Submission]:
    """Of the miners in turn; every fourth of them is hostile."""
    attacks, programs = cycle(HOSTILE), cycle(HONEST)
    for at in range(number):
        if at % 4 == 3:
            yield hostile(at % MINERS, next(attacks))
        else:
            code, arguments, answer = next(programs)
            cases = range(at, at + 3)
            inputs, outputs = [arguments(n) for n in cases], [answer(n) for n in cases]
            yield Submission(at % MINERS, code, inputs, outputs, ["ok"] * 3)


def hostile(miner: int, attack: Attack) -> Submission:
    """The attack between two cases that must answer."""
    inputs = [["canary"], [attack.name], ["canary"]]
    statuses = ["ok", attack.statuses, "ok"]
    return Submission(miner, attack.code, inputs, [CANARY, attack.output, CANARY], statuses)


async def load(config: SandboxConfig, number: int) -> Load:
    """Open a sandbox, run so many submissions in it and close it."""
    folder = tempfile.mkdtemp(prefix="quasar-load-")
    usual, tempfile.tempdir = tempfile.tempdir, folder
    try:
        async with open_sandbox(config):
            pass  # loads what is loaded once
        before = here(folder)
        async with open_sandbox(config) as sandbox:
            ran = await run_all(sandbox, number)
        left = await left_behind(config) + sorted(here(folder) - before)
        return ran._replace(left=left)
    finally:
        tempfile.tempdir = usual
        shutil.rmtree(folder)


async def run_all(sandbox: Sandbox, number: int) -> Load:
    """Whoever is free takes the next submission."""
    honest: list[str] = []
    loose: list[str] = []
    sizes: list[int] = []
    queue, done = submissions(number), count(1)

    async def work() -> None:
        for submission in queue:
            if wrong := await run(sandbox, submission):
                (loose if submission.inputs[0] == ["canary"] else honest).append(wrong)
            if next(done) in (number // 4, number):
                gc.collect()  # a million lists in each other wait for it: garbage, no growth
                sizes.append(resident(os.getpid()))

    start = perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(PARALLEL):
            group.start_soon(work)
    seconds = perf_counter() - start
    return Load(number, number // 4, seconds, honest, loose, [], (sizes[-1] - sizes[0]) / 2**20)


async def run(sandbox: Sandbox, submission: Submission) -> str | None:
    """What is wrong with the outcomes, or None."""
    outcomes = await sandbox.run(submission.code, "f", submission.inputs)
    assert len(outcomes) == len(submission.inputs)
    for case, outcome in enumerate(outcomes):
        wanted = submission.outputs[case]
        right = outcome.status in submission.statuses[case].split()
        if not right or (outcome.success and wanted not in (ANYTHING, outcome.output)):
            return f"miner {submission.miner}, {submission.inputs[case]}: {outcome}"
    return None


def here(folder: str) -> set[str]:
    """Files in the folder, processes that this one started and that are there, descriptors."""
    found = set(map(str, Path(folder).iterdir()))
    for task in Path("/proc/self/task").iterdir():
        found.update((task / "children").read_text().split())
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of this very listing
            found.add(f"{number.name} {number.readlink()}")
    return found
