"""How submissions run case by case, in cells whose cases end as a test tells them."""

import json
import struct
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from quasar.sandbox import Outcome, SandboxConfig, SandboxError, submissions
from quasar.sandbox.cell import Cell
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.pool import open_pool
from quasar.sandbox.submissions import Submissions

pytestmark = pytest.mark.anyio

CONFIG = SandboxConfig(timeout_s=1.0, pool=0)
REPORT = {"verdict": None, "whole": True, "exit": 0, "oom": False, "ms": 3, "cpu_ms": 2}


def frame(header: dict[str, Any], rest: bytes = b"") -> bytes:
    """What a runner sends."""
    body = json.dumps(header).encode() + b"\0" + rest
    return struct.pack(">I", len(body)) + body


class FakeCell(Cell):
    """Ends the cases that it is given as the driver's script says."""

    def __init__(self, driver: "FakeDriver") -> None:
        super().__init__(1 << 20)
        self.driver = driver
        self.stood_back = False
        self.answers: list[bytes] = []
        self.end = ""

    async def start(self) -> None:
        self.driver.started.append(self)

    async def remove(self) -> None: ...

    async def stand_back(self) -> None:
        self.stood_back = True

    async def was_out_of_memory(self) -> bool:
        return self.end == "oom"

    def complaint(self) -> str:
        return ""

    async def _write(self, data: bytes) -> None:
        self.end = self.driver.script.pop(0)
        self.driver.ran.append((json.loads(data[4:])["arguments"][0], self))
        self.answers.append(frame({"kind": "started"}))
        if self.end in {"ok", "overdue"}:
            result = b'["ok",null]\0' + str(self.driver.started.index(self)).encode()
            words = REPORT | {"kind": "result", "result_bytes": len(result)}
            if self.end == "overdue":
                words |= {"verdict": "overdue", "whole": False}
            self.answers.append(frame(words, result))

    async def _read(self) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        if self.end == "silent":
            await anyio.sleep_forever()
        if self.end == "waits":
            self.driver.waiting.set()
            await self.driver.go_on.wait()
            self.answers.append(frame(REPORT | {"kind": "result", "result_bytes": 0}))
            self.end = "ok"
            return await self._read()
        return b""


class FakeDriver:
    """See ``quasar.sandbox.driver.Driver``."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.started: list[FakeCell] = []
        self.ran: list[tuple[Any, FakeCell]] = []
        self.waiting, self.go_on = anyio.Event(), anyio.Event()

    def cell(self) -> FakeCell:
        return FakeCell(self)

    def identity(self, cell: Cell) -> SandboxIdentity:
        raise NotImplementedError

    async def sweep(self) -> None: ...


async def ends(driver: FakeDriver, cases: int) -> list[Outcome]:
    """The outcomes of a submission whose cases are numbered."""
    async with open_pool(driver, 0) as pool:
        sandbox = Submissions(driver, pool, CONFIG)
        return await sandbox.run("code", "f", [[case] for case in range(cases)])


SCRIPTS = {
    "ok ok ok": (["ok", "ok", "ok"], [0, 1, 2], [0, 0, 0]),
    "overdue ok ok": (["ok", "ok"], [0, 0, 1], [0, 1, 2]),
    "ok overdue overdue ok": (["ok", "timeout", "ok"], [0, 1, 1, 2], [0, 0, 1, 2]),
    "gone ok ok": (["ok", "ok"], [0, 0, 1], [0, 1, 2]),
    "gone gone ok": (["crashed", "ok"], [0, 0, 1], [0, 1, 2]),
    "gone overdue ok": (["timeout", "ok"], [0, 0, 1], [0, 1, 2]),
    "overdue gone": (["crashed"], [0, 0], [0, 1]),
    "ok oom ok": (["ok", "oom", "ok"], [0, 1, 2], [0, 0, 1]),
    "overdue oom ok": (["oom", "ok"], [0, 0, 1], [0, 1, 2]),
    "silent ok": (["ok"], [0, 0], [0, 1]),
    "silent silent ok": (["timeout", "ok"], [0, 0, 1], [0, 1, 2]),
}
"""How cases end, to the statuses, the cases that ran, and the cells in which they did."""


@pytest.mark.parametrize("script", SCRIPTS)
async def test_only_an_end_that_is_sure_counts_at_once(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case whose end the machine may have caused runs again in a fresh cell, and that counts."""
    monkeypatch.setattr(submissions, "wall_s", lambda config: 0.0)
    monkeypatch.setattr(submissions, "GRACE_S", 0.01)
    monkeypatch.setattr(submissions, "PATIENCE_S", 0.01)
    statuses, cases, cells = SCRIPTS[script]
    driver = FakeDriver(*script.split())
    outcomes = await ends(driver, len(statuses))
    assert [outcome.status for outcome in outcomes] == statuses
    assert [case for case, _ in driver.ran] == cases
    assert [driver.started.index(cell) for _, cell in driver.ran] == cells


async def test_the_second_run_is_alone() -> None:
    """One at a time, with the processor for itself: who comes meanwhile stands back at once."""
    driver = FakeDriver("overdue", "waits", "overdue", "ok", "ok")
    async with open_pool(driver, 0) as pool, anyio.create_task_group() as group:
        sandbox = Submissions(driver, pool, CONFIG)
        group.start_soon(sandbox.run, "code", "f", [["first"]])
        await driver.waiting.wait()
        group.start_soon(sandbox.run, "code", "f", [["second"]])
        while len(driver.ran) < 3:
            await anyio.lowlevel.checkpoint()
        await sandbox.run("code", "f", [["third"]])
        assert [case for case, _ in driver.ran] == ["first", "first", "second", "third"]
        assert [cell.stood_back for _, cell in driver.ran] == [False, False, True, True]
        driver.go_on.set()
    assert driver.ran[-1][0] == "second"
    assert not driver.ran[-1][1].stood_back


async def test_a_case_that_takes_long_lets_others_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before its patience is over, and never where it runs alone."""
    monkeypatch.setattr(submissions, "PATIENCE_S", 0.01)
    driver = FakeDriver("waits")
    async with open_pool(driver, 0) as pool, anyio.create_task_group() as group:
        group.start_soon(Submissions(driver, pool, CONFIG).run, "code", "f", [["long"]])
        await driver.waiting.wait()
        assert not driver.started[0].stood_back
        while not driver.started[0].stood_back:
            await anyio.lowlevel.checkpoint()
        driver.go_on.set()


@pytest.mark.parametrize(
    "answer",
    [
        frame({"kind": "fault", "reason": "no filter"}),
        frame({"kind": "result"}),
        frame({}),
        struct.pack(">I", 3) + b"abc",
        struct.pack(">I", 100_000) + b"[" * 100_000,
        struct.pack(">I", 1 << 31),
    ],
    ids=range(6),
)
async def test_what_no_runner_says_is_the_sandboxs_fault(answer: bytes) -> None:
    """Whatever comes in its place, nobody is scored for it, and it is not waited for."""
    driver = FakeDriver("ok")
    cell = driver.cell()
    cell.answers.append(answer)
    with pytest.raises(SandboxError):
        await cell.receive("started")


async def test_a_long_result_is_read_beside_the_event_loop() -> None:
    """It comes out the same."""
    driver = FakeDriver("ok")
    async with open_pool(driver, 0) as pool:
        sandbox = Submissions(driver, pool, CONFIG)
        text = b'["ok",null]\0"' + b"x" * submissions.LONG_BYTES + b'"'
        header = REPORT | {"result_bytes": len(text)}
        outcome = await sandbox._outcome(header, text + b"said")
    assert (outcome.success, outcome.stdout) == (True, "said")
