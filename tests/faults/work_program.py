"""A worker to kill: a SandboxExecutor in a process of its own, whose programs only take time.

It writes a line for each program that it begins to run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import msgspec

import quasar.rules.execution
from quasar.actors.sandbox_executor import SandboxExecutor
from quasar.log.blobs import FolderBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.jetstream_work import open_work
from quasar.rules.owners import SUPERVISOR
from quasar.sandbox import Outcome, SandboxIdentity

ACTOR = quasar.rules.execution.ACTOR
VOLUME = 1
IDENTITY = SandboxIdentity(
    driver="docker",
    image="a" * 64,
    layers=["b" * 64],
    python="3.11.7",
    machine="x86_64",
    engine="docker 1",
    runtime="runc 1",
)


class Orders(msgspec.Struct, frozen=True):
    """What the program is told, in JSON, as its one argument."""

    url: str
    logins: dict[str, tuple[str, str, str]]
    """Role to user, password and inbox."""
    log_id: str
    blobs: str
    lease_s: float
    pace_s: float
    """How long a program runs."""
    gate: str
    """A file without which no program ends; an empty path is always there."""
    owns: bool
    """Whether it makes the consumer, as a validator does that starts."""


class SlowSandbox:
    """Every program fails, in its time."""

    identity = IDENTITY

    def __init__(self, pace_s: float, gate: str) -> None:
        self._pace_s = pace_s
        self._gate = Path(gate)

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        sys.stdout.write("begins\n")
        sys.stdout.flush()
        await anyio.sleep(self._pace_s)
        while not self._gate.exists():  # noqa: ASYNC110 - another process makes it
            await anyio.sleep(0.02)
        return [Outcome(status="error", error="no")] * len(inputs)


async def work(orders: Orders) -> None:
    """Execute until killed."""
    blobs = FolderBlobs(Path(orders.blobs))

    def log_of(role: str) -> Any:
        user, password, inbox = orders.logins[role]
        login = Login(user, password, inbox=inbox)
        return JetStreamLog.open(orders.url, orders.log_id, VOLUME, blobs, login=login)

    async with log_of(ACTOR) as log, log_of(SUPERVISOR) as supervisors:
        queue = open_work(
            log,
            ACTOR,
            SandboxExecutor.work_slots,
            owner=supervisors if orders.owns else None,
            lease_s=orders.lease_s,
        )
        await SandboxExecutor(log, SlowSandbox(orders.pace_s, orders.gate), queue).run()


if __name__ == "__main__":
    anyio.run(work, msgspec.json.decode(sys.argv[1], type=Orders))
