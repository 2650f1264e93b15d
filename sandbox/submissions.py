"""Runs submissions in cells: the same for every driver."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from quasar.errors import UsageError
from quasar.sandbox.cell import Cell, Gone
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.driver import Driver
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.outcome import Outcome
from quasar.sandbox.policy import NO_POLICY, LintPolicy
from quasar.sandbox.pool import Pool
from quasar.sandbox.program import wall_s
from quasar.sandbox.verdict import OUT_OF_TIME, outcome_of, report_of

MAX_CODE_CHARACTERS = 1 << 20
MAX_REQUEST_BYTES = 64 << 20
START_S = 30.0
"""From a request to its fork. The runner gives up earlier: this is for an engine that hangs."""
PATIENCE_S = 0.5
"""A case that takes longer lets shorter ones go first."""
GRACE_S = 5.0
"""How much later than the runner's own clock the host ends a case."""
LONG_BYTES = 1 << 16
"""A result of a stranger that is longer is read beside the event loop: it may take 0.3 s."""
PROBE = """
def probe(what):
    if what == "network":
        import socket
        socket.socket()
    if what == "process":
        import os
        os.fork()
    if what == "file":
        open("/dev/null", "w")
    return what
"""
WALLS = {"network": "forbidden", "process": "forbidden", "file": "forbidden", "answer": "ok"}
"""Tried once at the start: the walls are seen to stand before a stranger's code comes."""


class Broken(Exception):
    """A case after which its cell is of no more use."""

    def __init__(self, outcome: Outcome, certain: bool = False) -> None:
        """``certain``: it is the code's doing. Else the machine may be to blame for how the case
        ended: it is run once more, and only what comes of that counts."""
        self.outcome = outcome
        self.certain = certain


class Submissions:
    """See ``quasar.sandbox.Sandbox``. Call ``check`` first."""

    identity: SandboxIdentity

    def __init__(self, driver: Driver, pool: Pool, config: SandboxConfig) -> None:
        self._driver = driver
        self._pool = pool
        self._config = config
        self._patience = PATIENCE_S
        self._alone = anyio.Lock()

    async def check(self) -> None:
        """Learn who runs the code, and see that the network, processes and files are walled off."""
        async with self._pool.cell() as cell:
            self.identity = self._driver.identity(cell)
            for what, status in WALLS.items():
                try:
                    outcome = await self._case(cell, _request(PROBE, "probe", [what], NO_POLICY))
                except Broken as broken:
                    said = cell.complaint() or broken.outcome.error
                    raise SandboxError(f"the runner failed: {said}") from None
                if outcome.status != status:
                    raise SandboxError(
                        f"the wall {what!r} does not stand ({outcome.status}: {outcome.error}); "
                        f"use another engine than {self.identity.engine}, {self.identity.runtime}"
                    )

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        """See ``quasar.sandbox.Sandbox``."""
        if len(code) > MAX_CODE_CHARACTERS:
            said = f"the code has more than {MAX_CODE_CHARACTERS} characters"
            return [Outcome(status="error", error=said) for _ in inputs]
        outcomes: list[Outcome] = []
        again = None  # the case that is run alone, since its first end is in doubt
        while (at := len(outcomes)) < len(inputs):
            last = at + 1 if again == at else len(inputs)
            async with self._cell(alone=again == at) as cell:
                try:
                    for arguments in inputs[at:last]:
                        request = _request(code, function_name, arguments, self._config.policy)
                        outcomes.append(await self._case(cell, request, alone=again == at))
                except Broken as broken:
                    if broken.certain or again == len(outcomes):
                        outcomes.append(broken.outcome)
                    else:
                        again = len(outcomes)
        return outcomes

    @asynccontextmanager
    async def _cell(self, alone: bool) -> AsyncIterator[Cell]:
        """A cell; where it is for a case alone, the others stand back as long as it runs.

        Nobody waits for this lock who has a cell: so there is always one for who has the lock.
        """
        if not alone:
            async with self._pool.cell() as cell:
                yield cell
            return
        async with self._alone, self._pool.cell() as cell:
            self._patience = 0.0
            try:
                yield cell
            finally:
                self._patience = PATIENCE_S

    async def _case(self, cell: Cell, request: bytes, alone: bool = False) -> Outcome:
        """One case. Raises Broken where the cell ends with it, or the machine had a part in it."""
        try:
            if not (self._patience or alone):
                await cell.stand_back()
            await cell.send(request)
            await self._started(cell)
            header, rest = await self._result(cell, alone)
        except Gone:
            if await cell.was_out_of_memory():
                said = "the container had no memory"
                raise Broken(Outcome(status="oom", error=said), certain=True) from None
            raise Broken(Outcome(status="crashed", error="the container ended")) from None
        return await self._outcome(header, rest)

    async def _started(self, cell: Cell) -> None:
        try:
            with anyio.fail_after(START_S):
                await cell.receive("started")
        except TimeoutError:
            raise SandboxError(f"a case did not start within {START_S:g} s") from None

    async def _result(self, cell: Cell, alone: bool) -> tuple[dict[str, Any], bytes]:
        if not alone:
            with anyio.move_on_after(PATIENCE_S):
                return await cell.receive("result")
            await cell.stand_back()
        with anyio.move_on_after(wall_s(self._config) + GRACE_S):
            return await cell.receive("result")
        elapsed = round(1000 * self._config.timeout_s)
        raise Broken(Outcome(status="timeout", error=OUT_OF_TIME, execution_time_ms=elapsed))

    async def _outcome(self, header: dict[str, Any], rest: bytes) -> Outcome:
        report = report_of(header)
        parts = report, rest[: report.result_bytes], rest[report.result_bytes :]
        if len(rest) < LONG_BYTES:
            outcome = outcome_of(*parts)
        else:
            outcome = await anyio.to_thread.run_sync(outcome_of, *parts)
        if report.verdict == "overdue":
            raise Broken(outcome)
        return outcome


def _request(code: str, function_name: str, arguments: Sequence[Any], policy: LintPolicy) -> bytes:
    job = {
        "code": code,
        "function": function_name,
        "arguments": list(arguments),
        "policy": msgspec.to_builtins(policy),
    }
    try:
        body = json.dumps(job, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the arguments of a case are not plain JSON: {error}") from error
    if len(body) > MAX_REQUEST_BYTES:
        raise UsageError(f"a case has more than {MAX_REQUEST_BYTES} bytes: shorten its arguments")
    return body
