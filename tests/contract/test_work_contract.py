"""What every work queue promises: one suite for memory and JetStream."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest
from anyio.lowlevel import checkpoint

from quasar.events import AnyEvent, Draft, RunEnded, WeightsIntended
from quasar.log import Log
from quasar.log.access import ADMIN
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_work import open_work
from quasar.log.memory import MemoryLog
from quasar.log.work import Lapsed, Lease, MemoryWork, Word, WorkQueue, working
from quasar.rules.execution import ACTOR
from quasar.rules.owners import SUPERVISOR
from tests.contract.conftest import MARKS, Place

pytestmark = pytest.mark.anyio

WORK = "weights.*.*.intended"
LEASE_S = 0.9
KEPT_S = 3.0
"""A lease that is renewed, three times in this, also where other tests keep the machine busy."""
"""Seconds, here."""
LONG_S = 30.0
"""A lease that no test waits for."""

Hire = Callable[[], Awaitable[WorkQueue]]


class Office:
    """A log and its workers."""

    def __init__(self, log: Log, hire: Hire) -> None:
        self.log = log
        self.hire = hire
        """A new worker, which owns nothing, on a connection of its own."""

    async def owner(self, after: int = 0) -> WorkQueue:
        """The log's owner, at the beginning of another life."""
        raise NotImplementedError

    async def post(self, *numbers: int) -> list[int]:
        """Work with these numbers, between events that are none; gives their places in the log."""
        seqs = []
        for number in numbers:
            intended = WeightsIntended(epoch=number, attempt=0, block=1)
            ended = RunEnded(run=number, reason="no work")
            events: list[AnyEvent] = [intended, ended]
            stored = await self.log.append([Draft(actor="w", cause=0, event=e) for e in events])
            seqs.append(stored[0].seq)
        return seqs


class MemoryOffice(Office):
    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._queue: MemoryWork | None = None
        log = MemoryLog()
        self.memory = log
        super().__init__(log, self._hire)

    async def _hire(self) -> WorkQueue:
        assert self._queue
        return self._queue

    async def owner(self, after: int = 0) -> WorkQueue:
        self._queue = MemoryWork(self.memory, [WORK], self._lease_s)
        await self._queue.begin(after)
        return self._queue


class JetStreamOffice(Office):
    def __init__(self, place: Place, lease_s: float, log: JetStreamLog, hands: AsyncExitStack):
        self._place = place
        self._lease_s = lease_s
        self._hands = hands
        super().__init__(log, self._hire)

    async def _hire(self, owner: Log | None = None) -> WorkQueue:
        log = await self._hands.enter_async_context(jetstream_log(self._place, ACTOR))
        return open_work(log, ACTOR, [WORK], owner=owner, lease_s=self._lease_s)

    async def owner(self, after: int = 0) -> WorkQueue:
        log = await self._hands.enter_async_context(jetstream_log(self._place, SUPERVISOR))
        queue = await self._hire(log)
        await queue.begin(after)
        return queue


@asynccontextmanager
async def jetstream_log(place: Place, user: str) -> AsyncIterator[JetStreamLog]:
    """The log under the rights of this user."""
    server, log_id = place.server(), f"{place.number:08x}"
    login = server.login(user)
    async with JetStreamLog.open(server.url, log_id, 7, MemoryBlobs(), login=login) as log:
        yield log


@asynccontextmanager
async def open_office(kind: str, place: Place, lease_s: float) -> AsyncIterator[Office]:
    if kind == "memory":
        yield MemoryOffice(lease_s)
        return
    async with jetstream_log(place, ADMIN) as log, AsyncExitStack() as hands:
        yield JetStreamOffice(place, lease_s, log, hands)


KINDS = ["memory", pytest.param("jetstream", marks=MARKS["jetstream"])]


@pytest.fixture(params=KINDS)
async def office(
    request: pytest.FixtureRequest, place: Place, anyio_backend: str
) -> AsyncIterator[Office]:
    """Leases are long: what comes again came back."""
    async with open_office(request.param, place, LONG_S) as office:
        yield office


@pytest.fixture(params=KINDS)
async def brisk(
    request: pytest.FixtureRequest, place: Place, anyio_backend: str
) -> AsyncIterator[Office]:
    """Leases are short."""
    async with open_office(request.param, place, LEASE_S) as office:
        yield office


@pytest.fixture(params=KINDS)
async def kept(
    request: pytest.FixtureRequest, place: Place, anyio_backend: str
) -> AsyncIterator[Office]:
    """Leases are renewed."""
    async with open_office(request.param, place, KEPT_S) as office:
        yield office


async def take(queue: WorkQueue, seconds: float = 10.0) -> Lease:
    with anyio.fail_after(seconds):
        return await queue.take()


async def nothing(queue: WorkQueue, seconds: float = 0.3) -> bool:
    """Whether no work comes for a while."""
    with anyio.move_on_after(seconds):
        await queue.take()
        return False
    return True


async def all_of(workers: list[WorkQueue], number: int) -> dict[int, list[int]]:
    """The workers take and finish so many pieces; by worker, what each had."""
    had: dict[int, list[int]] = {i: [] for i in range(len(workers))}

    async def serve(i: int, scope: anyio.CancelScope) -> None:
        while True:
            lease = await workers[i].take()
            async with working(lease):
                had[i].append(lease.seq)
                await checkpoint()
            if sum(map(len, had.values())) == number:
                scope.cancel()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for i in range(len(workers)):
                tasks.start_soon(serve, i, tasks.cancel_scope)
    return had


async def test_only_work_is_given_and_in_order(office: Office) -> None:
    """A single worker gets the events of its slots, whole, in the order of the log."""
    seqs = await office.post(1, 2, 3)
    queue = await office.owner()
    seqs += await office.post(4)
    leases = []
    for _ in seqs:
        lease = await take(queue)
        leases.append(lease)
        await lease.done()
    assert [lease.seq for lease in leases] == seqs
    stored = [line async for _, line in first(office.log, seqs[-1])]
    assert [lease.line for lease in leases] == [stored[seq - 1] for seq in seqs]


async def first(log: Log, n: int) -> AsyncIterator[tuple[int, bytes]]:
    async for seq, line in log.read():
        yield seq, line
        if seq == n:
            return


async def test_each_piece_goes_to_one_worker(office: Office) -> None:
    """Three workers share sixty pieces: none is done twice, none left, and each has some."""
    workers = [await office.owner(), await office.hire(), await office.hire()]
    seqs = await office.post(*range(60))
    had = await all_of(workers, 60)
    assert sorted(seq for mine in had.values() for seq in mine) == seqs
    for mine in had.values():
        assert mine == sorted(mine)
        assert mine


async def test_a_worker_waits_for_work(office: Office) -> None:
    """Whoever asks before there is work gets it when it comes."""
    queue = await office.owner()
    taken: list[int] = []

    async def wait() -> None:
        taken.append((await take(queue)).seq)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert taken == []
        seqs = await office.post(1)
    assert taken == seqs


async def test_work_begins_where_the_owner_says(office: Office) -> None:
    """What the owner's fold knows to be finished is given to nobody."""
    seqs = await office.post(1, 2, 3)
    queue = await office.owner(after=seqs[1])
    assert (await take(queue)).seq == seqs[2]
    assert await nothing(queue)


async def test_a_lease_is_renewed_while_the_body_works(kept: Office) -> None:
    """Work that takes longer than a lease is done once."""
    queue = await kept.owner()
    other = await kept.hire()
    await kept.post(1)
    async with working(await take(queue)):
        assert await nothing(other, 1.4 * KEPT_S)
    assert await nothing(other)


async def test_a_dead_workers_work_goes_to_another(brisk: Office) -> None:
    """A lease that nobody renews lapses, and another worker gets the same event."""
    queue = await brisk.owner()
    other = await brisk.hire()
    [seq] = await brisk.post(1)
    dead = await take(queue)
    started = anyio.current_time()
    again = await take(other)
    assert (again.seq, again.line) == (seq, dead.line)
    assert anyio.current_time() - started > LEASE_S / 2
    assert dead.lapsed
    await again.done()
    assert await nothing(other, 1.5 * LEASE_S)


async def test_an_exception_gives_the_work_back_at_once(office: Office) -> None:
    """Another worker has it long before the lease would have ended."""
    queue = await office.owner()
    other = await office.hire()
    [seq] = await office.post(1)
    with pytest.RaisesGroup(ZeroDivisionError):
        async with working(await take(queue)):
            1 / 0  # noqa: B018
    assert (await take(other)).seq == seq


async def test_a_cancellation_gives_the_work_back_at_once(office: Office) -> None:
    """A worker that is told to stop leaves nothing behind."""
    queue = await office.owner()
    other = await office.hire()
    [seq] = await office.post(1)
    lease = await take(queue)
    with anyio.CancelScope() as scope:
        async with working(lease):
            scope.cancel()
            await anyio.sleep_forever()
    assert (await take(other)).seq == seq


async def test_a_cancelled_wait_takes_nothing(office: Office) -> None:
    """Work that comes after somebody stopped waiting is given to who still waits."""
    queue = await office.owner()
    other = await office.hire()
    assert await nothing(queue, 0.05)
    [seq] = await office.post(1)
    assert (await take(other, 5)).seq == seq


async def test_work_can_be_put_off(brisk: Office) -> None:
    """Given back for later, it does not come at once, and does not block what is behind it."""
    queue = await brisk.owner()
    early, late = await brisk.post(1, 2)
    lease = await take(queue)
    assert lease.seq == early
    await lease.give_back(0.4)
    started = anyio.current_time()
    second = await take(queue)
    assert second.seq == late
    await second.done()
    assert (await take(queue)).seq == early
    assert anyio.current_time() - started > 0.25


async def test_what_was_given_back_comes_soon(office: Office) -> None:
    """Work that came back does not wait for all that nobody had."""
    queue = await office.owner()
    one, two, *rest = await office.post(*range(20))
    leases = [await take(queue), await take(queue)]
    assert [lease.seq for lease in leases] == [one, two]
    await leases[1].give_back()
    nearly = [(await take(queue)).seq for _ in rest[:10]]
    assert two in nearly
    assert one not in nearly


async def test_done_work_never_comes_again(brisk: Office) -> None:
    """Neither to a worker that was started after it, nor after a lease has passed."""
    queue = await brisk.owner()
    seqs = await brisk.post(1, 2, 3)
    for _ in range(2):
        await (await take(queue)).done()
    late = await brisk.hire()
    lease = await take(late)
    assert lease.seq == seqs[2]
    await lease.done()
    assert await nothing(late, 1.5 * LEASE_S)


async def test_an_owner_takes_back_what_its_dead_self_held(office: Office) -> None:
    """Started again, it does not wait for leases that nobody holds any more."""
    before = await office.owner()
    seqs = await office.post(1, 2, 3)
    await (await take(before)).done()
    assert (await take(before)).seq == seqs[1]
    queue = await office.owner(after=seqs[0])
    assert [(await take(queue, 5)).seq for _ in range(2)] == seqs[1:]


async def test_beginning_twice_changes_nothing(office: Office) -> None:
    """An actor that its supervisor starts again does not end the leases of others."""
    queue = await office.owner()
    other = await office.hire()
    seqs = await office.post(1, 2)
    assert (await take(other)).seq == seqs[0]
    await queue.begin(0)
    await other.begin(0)
    assert (await take(queue)).seq == seqs[1]
    assert await nothing(queue)


async def test_many_leases_are_held_together(kept: Office) -> None:
    """A worker may hold a hundred for longer than they last: nobody else gets one."""
    queue = await kept.owner()
    other = await kept.hire()
    seqs = await kept.post(*range(100))

    async def hold(lease: Lease) -> None:
        async with working(lease):
            await anyio.sleep(1.5 * KEPT_S)

    async with anyio.create_task_group() as tasks:
        for _ in seqs:
            tasks.start_soon(hold, await take(queue))
        assert await nothing(other, 1.4 * KEPT_S)
    assert await nothing(other)


async def test_a_lease_that_is_not_renewed_ends_the_work() -> None:
    """Where the queue cannot be reached, the body is cancelled before anybody else may begin."""
    said: list[Word] = []

    async def deaf(seq: int, word: Word, after_s: float) -> bool:
        said.append(word)
        return False

    lease = Lease(7, b"", 0.3, deaf)
    with pytest.raises(Lapsed, match="event 7"):
        async with working(lease):
            await anyio.sleep_forever()
    assert lease.lapsed
    assert anyio.current_time() < lease.until + 0.15
    assert set(said) == {Word.BUSY}
