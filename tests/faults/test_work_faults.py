"""Workers that share a log's work, and what may become of them: killed, stopped, cut off."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AsyncExitStack,
    ExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import msgspec
import pytest

from quasar.actors.miner_proxy import MinerProxy
from quasar.draw import Draw
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    CodeExecuted,
    DeliveryTried,
    TaskAccepted,
)
from quasar.events.envelope import decode
from quasar.log import Log
from quasar.log.access import ADMIN
from quasar.log.blobs import FolderBlobs, MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_work import open_work
from quasar.log.server import NatsServer
from quasar.log.work import Lease
from quasar.rules import delivery
from quasar.rules.owners import SUPERVISOR
from tests.builders import World
from tests.faults.work_program import ACTOR, VOLUME, Orders
from tests.unit.acting import acting
from tests.unit.test_actors_miner_proxy import TASKS, FakeDoor, FullOutbox, started
from tests.unit.test_code_path import revealed

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

PROGRAMS = 12
PACE_S = 0.15
LEASE_S = 1.5
LONG_S = 120.0
"""A lease that no test can wait for."""
TURNS = int(os.environ.get("QUASAR_FAULT_TURNS", "2"))
USERS = (ACTOR, SUPERVISOR)


class Worker(NamedTuple):
    """An executor in a process of its own."""

    process: "subprocess.Popen[bytes]"
    said: Path

    @property
    def begun(self) -> int:
        """How many runs of programs it began."""
        return self.said.read_bytes().count(b"\n")


class Site:
    """A log with programs to run, and the processes that run them."""

    def __init__(self, folder: Path, server: NatsServer, log: JetStreamLog, log_id: str) -> None:
        self.server = server
        self.log = log
        self._folder = folder
        self._workers = itertools.count(1)
        logins = {user: server.login(user) for user in USERS}
        self._orders = Orders(
            url=server.url,
            logins={u: (str(w.user), str(w.password), w.inbox) for u, w in logins.items()},
            log_id=log_id,
            blobs=str(folder / "blobs"),
            lease_s=LEASE_S,
            pace_s=PACE_S,
            gate="",
            owns=False,
        )

    @contextmanager
    def worker(self, **orders: Any) -> Iterator[Worker]:
        """An executor in a process, which is dead at the end."""
        told = msgspec.json.encode(msgspec.structs.replace(self._orders, **orders)).decode()
        command = [sys.executable, "-m", "tests.faults.work_program", told]
        said = self._folder / f"worker-{next(self._workers)}"
        with said.open("wb") as out, (self._folder / "errors").open("ab") as errors:
            process = subprocess.Popen(command, stdout=out, stderr=errors)
        try:
            yield Worker(process, said)
        finally:
            process.kill()
            process.wait()

    async def executed(self, number: int, seconds: float = 60.0) -> list[str]:
        """Whose programs have run, in order, once they are so many."""
        events = await events_until(self.log, CodeExecuted, number, seconds)
        return [e.hotkey for e in events if isinstance(e, CodeExecuted)]

    async def runs(self) -> int:
        """Of all programs together: the seed chose some to run twice."""
        events = await events_until(self.log, CodeExecuted, PROGRAMS)
        return sum(1 + (e.again is not None) for e in events if isinstance(e, CodeExecuted))


async def events_until(log: Log, kind: type[Any], number: int, seconds: float = 60.0) -> list[Any]:
    """All events, once there are so many of a kind."""
    events: list[Any] = []
    with anyio.fail_after(seconds):
        async with aclosing(log.read()) as reader:  # type: ignore[type-var]
            async for _, line in reader:
                events.append(decode(line).event)
                number -= isinstance(events[-1], kind)
                if number == 0:
                    break
    return events


@asynccontextmanager
async def open_site(folder: Path) -> AsyncIterator[Site]:
    """A server whose log ends with a reveal: PROGRAMS answers hold programs."""
    world = await revealed(miners=PROGRAMS)
    blobs = FolderBlobs(folder / "blobs")
    held = world.log.blobs
    assert isinstance(held, MemoryBlobs)
    for data in held._held.values():
        blobs.put(data)
    async with (
        NatsServer.open(folder / "nats", sync_always=False) as server,
        JetStreamLog.open(
            server.url, world.log_id, VOLUME, blobs, login=server.login(ADMIN)
        ) as log,
    ):
        await log.restore(world.lines)
        yield Site(folder, server, log, world.log_id)


@pytest.fixture
async def site(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as site:
        yield site


async def test_three_processes_share_the_programs(site: Site, tmp_path: Path) -> None:
    """Each program runs once, and everybody does some."""
    gate = tmp_path / "gate"
    orders = {"gate": str(gate), "lease_s": LONG_S}
    with ExitStack() as stack:
        workers = [stack.enter_context(site.worker(owns=n == 0, **orders)) for n in range(3)]
        with anyio.fail_after(60):
            while not all(worker.begun for worker in workers):  # noqa: ASYNC110 - files
                await anyio.sleep(0.02)
        gate.touch()
        hotkeys = await site.executed(PROGRAMS)
    assert len(set(hotkeys)) == PROGRAMS
    assert sum(worker.begun for worker in workers) == await site.runs()


@pytest.mark.parametrize("turn", range(TURNS))
async def test_kill_9_of_a_worker(site: Site, turn: int) -> None:
    """What dead workers had in hand, those that live run after the lease; nothing is lost."""
    moments = Draw(b"tests", f"work/{turn}")
    with site.worker(owns=True, pace_s=0.4) as survivor, site.worker(pace_s=0.4) as victim:
        await site.executed(1 + moments.below(4))
        await anyio.sleep(moments.below(400) / 1000)
        victim.process.kill()
        hotkeys = await site.executed(PROGRAMS)
    assert len(set(hotkeys)) == PROGRAMS
    lost = survivor.begun + victim.begun - await site.runs()
    assert 0 <= lost <= 2 * 2  # what one worker runs at a time, each perhaps twice


async def test_a_killed_sole_worker_does_not_wait_for_itself(site: Site) -> None:
    """Its leases have half a minute to live; started again, it takes them back at once."""
    for number in (2, 5):
        with site.worker(owns=True, lease_s=LONG_S):
            await site.executed(number)
    with site.worker(owns=True, lease_s=LONG_S):
        hotkeys = await site.executed(PROGRAMS, seconds=LONG_S / 2)
    assert len(set(hotkeys)) == PROGRAMS


async def test_a_worker_that_sleeps_longer_than_its_lease(site: Site) -> None:
    """Others finish what it held; when it wakes, the log keeps what they wrote."""
    with site.worker(owns=True, pace_s=0.4) as sleeper, site.worker() as other:
        await site.executed(2)
        sleeper.process.send_signal(signal.SIGSTOP)
        hotkeys = await site.executed(PROGRAMS)
        sleeper.process.send_signal(signal.SIGCONT)
        before = await site.log.head()
        assert other.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            await anyio.to_thread.run_sync(sleeper.process.wait, 2 * 0.4)
        assert await site.log.head() == before
    assert len(set(hotkeys)) == PROGRAMS


async def test_kill_9_of_the_server(tmp_path: Path) -> None:
    """Workers find the server again, and their leases with it: each result is there once."""
    async with open_site(tmp_path) as site:
        with site.worker(owns=True, pace_s=0.4), site.worker(pace_s=0.4):
            await site.executed(3)
            site.server.process.kill()
            await site.server.wait()
            async with NatsServer.open(tmp_path / "nats", sync_always=False) as server:
                assert server.url == site.server.url
                hotkeys = await site.executed(PROGRAMS)
    assert len(set(hotkeys)) == PROGRAMS


async def test_a_lost_consumer_is_made_anew(site: Site) -> None:
    """Work goes on from where the owner's fold stood, and what is finished is not done again."""
    async with JetStreamLog.open(
        site.server.url,
        site.log.place[1].split("-")[1],
        VOLUME,
        site.log.blobs,
        login=site.server.login(SUPERVISOR),
    ) as supervisors:
        with site.worker(owns=True) as worker:
            await site.executed(4)
            stream = site.log.place[1]
            verb = f"CONSUMER.DELETE.{stream}.work-{ACTOR}"
            await supervisors.place[0].api(verb, None)
            hotkeys = await site.executed(PROGRAMS)
    assert len(set(hotkeys)) == PROGRAMS
    assert worker.begun <= await site.runs() + 2 * 2


@asynccontextmanager
async def proxy_on(
    server: NatsServer, world: World, door: FakeDoor, *, owns: bool
) -> AsyncIterator[MinerProxy]:
    """A proxy that has connections of its own."""
    async with AsyncExitStack() as stack:

        async def log_of(user: str) -> JetStreamLog:
            where = (server.url, world.log_id, VOLUME, world.log.blobs)
            opened = JetStreamLog.open(*where, login=server.login(user))
            return await stack.enter_async_context(opened)

        log = await log_of(delivery.ACTOR)
        owner = await log_of(SUPERVISOR) if owns else None
        work = open_work(log, delivery.ACTOR, MinerProxy.work_slots, owner=owner, lease_s=LEASE_S)
        yield MinerProxy(log, door, FullOutbox(), work)  # type: ignore[arg-type]


async def test_a_dead_proxys_assignments_go_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real server, with a lease that ends: every assignment has one outcome, in its order."""
    world, door = await started()
    other, miners = FakeDoor(world), len(world.miners)
    door.hold = anyio.Event()

    async def never(lease: Lease, after_s: float = 0.0) -> None:
        """The dead give nothing back."""

    async with NatsServer.open(tmp_path, sync_always=False) as server:
        where = (server.url, world.log_id, VOLUME, world.log.blobs)
        async with JetStreamLog.open(*where, login=server.login(ADMIN)) as log:
            await log.restore(world.lines)
            async with proxy_on(server, world, door, owns=True) as first:
                with monkeypatch.context() as patch:
                    patch.setattr(Lease, "give_back", never)
                    async with acting(first):
                        await events_until(log, TaskAccepted, miners)
            async with proxy_on(server, world, other, owns=False) as second, acting(second):
                events = await events_until(log, AnswerReceived, TASKS * miners)
    assert len({e.slot for e in events if isinstance(e, AnswerReceived)}) == TASKS * miners
    assert not [e for e in events if isinstance(e, DeliveryTried | AnswerAbandoned)]
    assert set(other.deliveries.values()) == {1}
    assert sum(door.deliveries.values()) == miners
    for hotkey in world.miners:
        tasks = [e.task for e in events if isinstance(e, AnswerReceived) and e.hotkey == hotkey]
        assert tasks == list(range(TASKS))
