"""Runs submissions in cells: the same for every driver."""

import json
from collections.abc import Sequence
from typing import Any

import anyio
import msgspec

from quasar.errors import UsageError
from quasar.sandbox.cell import Cell, Gone
from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.driver import Driver
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.identity import SandboxIdentity
from quasar.sandbox.outcome import Outcome
from quasar.sandbox.pool import Pool
from quasar.sandbox.verdict import Report, outcome_of

MAX_CODE_CHARACTERS = 1 << 20
MAX_REQUEST_BYTES = 64 << 20
START_S = 30.0
"""From a request to its fork. The runner gives up earlier: this is for an engine that hangs."""
PATIENCE_S = 0.5
"""A case that takes longer lets shorter ones go first."""
GRACE_S = 5.0
"""How much later than the runner's own clock the host ends a case."""
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


class Stuck(Exception):
    """The runner's own clock did not end the case: the cell goes, the rest starts anew."""


class Submissions:
    """See ``quasar.sandbox.Sandbox``. Call ``check`` first."""

    identity: SandboxIdentity

    def __init__(self, driver: Driver, pool: Pool, config: SandboxConfig) -> None:
        self._driver = driver
        self._pool = pool
        self._config = config

    async def check(self) -> None:
        """Learn who runs the code, and see that the network, processes and files are walled off."""
        async with self._pool.cell() as cell:
            self.identity = self._driver.identity(cell)
            for what, status in WALLS.items():
                try:
                    outcome = await self._case(cell, _request(PROBE, "probe", [what]))
                except Gone:
                    raise SandboxError(f"the runner ended: {cell.complaint()}") from None
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
        ended_at = None  # the case at which a cell ended without a known cause
        while len(outcomes) < len(inputs):
            async with self._pool.cell() as cell:
                try:
                    for arguments in inputs[len(outcomes) :]:
                        request = _request(code, function_name, arguments)
                        outcomes.append(await self._case(cell, request))
                except Stuck:
                    outcomes.append(self._overdue())
                except Gone:
                    if await cell.was_out_of_memory():
                        outcomes.append(Outcome(status="oom", error="the container had no memory"))
                    elif ended_at == len(outcomes):  # twice at one case: it is the code's doing
                        outcomes.append(Outcome(status="crashed", error="the container ended"))
                    else:
                        ended_at = len(outcomes)
        return outcomes

    def _overdue(self) -> Outcome:
        elapsed = round(self._config.timeout_s * 1000)
        said = "the case did not end when its time was over"
        return Outcome(status="timeout", error=said, execution_time_ms=elapsed)

    async def _case(self, cell: Cell, request: bytes) -> Outcome:
        """One case. Raises Gone where the cell ends, Stuck where the runner is silent."""
        await cell.send(request)
        try:
            with anyio.fail_after(START_S):
                await cell.receive("started")
        except TimeoutError:
            raise SandboxError(f"a case did not start within {START_S:g} s") from None
        with anyio.move_on_after(PATIENCE_S):
            return await self._outcome(cell)
        await cell.stand_back()
        with anyio.move_on_after(self._config.timeout_s + GRACE_S - PATIENCE_S):
            return await self._outcome(cell)
        raise Stuck

    async def _outcome(self, cell: Cell) -> Outcome:
        header, rest = await cell.receive("result")
        report = msgspec.convert(header, Report)
        return outcome_of(report, rest[: report.result_bytes], rest[report.result_bytes :])


def _request(code: str, function_name: str, arguments: Sequence[Any]) -> bytes:
    job = {"code": code, "function": function_name, "arguments": list(arguments)}
    try:
        body = json.dumps(job, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the arguments of a case are not plain JSON: {error}") from error
    if len(body) > MAX_REQUEST_BYTES:
        raise UsageError(f"a case has more than {MAX_REQUEST_BYTES} bytes: shorten its arguments")
    return body
