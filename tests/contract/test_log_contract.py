"""What every log promises: one suite for memory, file and JetStream; archives join to read."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing

import anyio
import pytest

from quasar.errors import Diverged, UsageError
from quasar.events import (
    Draft,
    EventQuarantined,
    RunEnded,
    RunStarted,
    WeightsDeferred,
    WeightsIntended,
)
from quasar.events.envelope import decode, encode
from quasar.log import MAX_STEP, Log, Stored

pytestmark = pytest.mark.anyio

Holding = Callable[[Sequence[Sequence[Draft]]], AbstractAsyncContextManager[Log]]


def fact(run: int, reason: str = "done") -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason=reason))


def large(run: int, size: int) -> Draft:
    """An event somewhat longer than ``size`` bytes."""
    event = RunStarted(
        run=run,
        mode="mock",
        freshness="none",
        rounds=None,
        versions={"padding": "x" * size},
        digests={},
        sandbox=None,
    )
    return Draft(actor="supervisor", cause=0, event=event)


def facts(start: int, stop: int) -> list[Draft]:
    return [fact(run) for run in range(start, stop)]


def decision(epoch: int, reason: str = "no-scores", cause: int = 1, actor: str = "w") -> Draft:
    event = WeightsDeferred(epoch=epoch, attempt=0, block=9, reason=reason)
    return Draft(actor=actor, cause=cause, event=event)


def effect(epoch: int, block: int) -> Draft:
    return Draft(actor="w", cause=1, event=WeightsIntended(epoch=epoch, attempt=0, block=block))


async def first(log: Log, n: int, after: int = 0) -> list[tuple[int, bytes]]:
    """The next n events; fails where they do not come."""
    events: list[tuple[int, bytes]] = []
    with anyio.fail_after(60):
        async with aclosing(as_generator(log.read(after))) as reader:
            async for event in reader:
                events.append(event)
                if len(events) == n:
                    break
    return events


async def as_generator(
    events: AsyncIterator[tuple[int, bytes]],
) -> AsyncGenerator[tuple[int, bytes], None]:
    try:
        async for event in events:
            yield event
    finally:
        if close := getattr(events, "aclose", None):
            await close()


async def test_numbers_are_contiguous_from_one(log: Log) -> None:
    """Events are numbered 1, 2, 3 over steps of any length."""
    got = []
    for start, stop in ((0, 1), (1, 4), (4, 5), (5, 12)):
        got += await log.append(facts(start, stop))
    assert [s.seq for s in got] == list(range(1, 13))
    assert all(s.new for s in got)
    assert await log.head() == 12


async def test_what_is_returned_is_what_is_read(log: Log) -> None:
    """Append returns the stored bytes, and readers get the same."""
    stored = await log.append([fact(1), decision(2), effect(3, 4)])
    assert await first(log, 3) == [(s.seq, s.line) for s in stored]
    assert decode(stored[1].line).event == decision(2).event


async def test_the_clock_gives_the_time_in_the_envelope(log: Log) -> None:
    """The time in an envelope is the injected clock's."""
    [stored] = await log.append([fact(1)])
    assert stored.line == encode(fact(1), at=1)


async def test_an_empty_log_has_head_zero(log: Log) -> None:
    """Nothing is stored yet, so the head is 0."""
    assert await log.head() == 0


async def test_an_empty_step_stores_nothing(log: Log) -> None:
    """A step without events is no step."""
    assert await log.append([]) == []
    assert await log.head() == 0


@pytest.mark.parametrize("make", [lambda x: fact(7, f"r{x}"), lambda x: effect(7, x)])
async def test_the_first_fact_wins(log: Log, make: Callable[[int], Draft]) -> None:
    """A fact or an effect in a taken slot gives way to the stored one."""
    [one] = await log.append([make(1)])
    assert await log.append([make(2)]) == [Stored(one.seq, one.line, new=False)]
    assert await log.head() == 1


async def test_an_equal_decision_is_not_stored_again(log: Log) -> None:
    """The same decision at another time is the stored one."""
    [one] = await log.append([decision(1)])
    assert await log.append([decision(1)]) == [Stored(one.seq, one.line, new=False)]
    assert await log.head() == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(decision(1, reason="all-zero"), id="payload"),
        pytest.param(decision(1, cause=2), id="cause"),
        pytest.param(decision(1, actor="x"), id="actor"),
    ],
)
async def test_another_decision_stops_the_whole_step(log: Log, other: Draft) -> None:
    """Diverged names slot and event, and nothing of the step is stored."""
    await log.append([fact(0)])
    await log.append([decision(1)])
    with pytest.raises(Diverged) as caught:
        await log.append([fact(5), other, fact(6)])
    assert (caught.value.slot, caught.value.seq) == ("weights.1.0.computed", 2)
    assert await log.head() == 2
    assert [s.new for s in await log.append([fact(5), fact(6)])] == [True, True]


@pytest.mark.parametrize("taken", [0, 2, 4])
async def test_a_taken_slot_is_settled_alone(log: Log, taken: int) -> None:
    """Of five events one is there already: the other four are stored, in order."""
    [old] = await log.append([fact(taken, "earlier")])
    got = await log.append(facts(0, 5))
    assert got[taken] == Stored(1, old.line, new=False)
    assert [s.seq for s in got if s.new] == [2, 3, 4, 5]
    assert await log.head() == 5


async def test_a_step_that_is_stored_already_changes_nothing(log: Log) -> None:
    """Repeating a whole step after a restart returns it and stores nothing."""
    one = await log.append([*facts(0, 80), decision(1)])
    two = await log.append([*facts(0, 80), decision(1)])
    assert two == [Stored(s.seq, s.line, new=False) for s in one]
    assert await log.head() == 81


async def test_the_longest_step(log: Log) -> None:
    """A step of MAX_STEP events is stored; readers see all of it in order."""
    stored = await log.append(facts(0, MAX_STEP))
    assert [s.seq for s in stored] == list(range(1, MAX_STEP + 1))
    assert await first(log, MAX_STEP) == [(s.seq, s.line) for s in stored]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(facts(0, MAX_STEP + 1), id="too long"),
        pytest.param([fact(1), fact(2), fact(1, "again")], id="slot twice"),
        pytest.param([fact(1), large(2, 66_000)], id="event too large"),
        pytest.param(
            [Draft(actor="s", cause=0, event=EventQuarantined(actor="a..b", seq=1, reason="r"))],
            id="no slot",
        ),
    ],
)
async def test_a_step_that_breaks_a_limit_stores_nothing(log: Log, step: list[Draft]) -> None:
    """UsageError comes before anything is stored."""
    with pytest.raises(UsageError):
        await log.append(step)
    assert await log.head() == 0


async def test_the_largest_events_fit_in_one_step(log: Log) -> None:
    """Events of 64,000 bytes go through in a batch, and come back whole."""
    stored = await log.append([large(run, 64_000) for run in range(150)])
    assert await first(log, 150) == [(s.seq, s.line) for s in stored]


async def test_an_append_wakes_a_waiting_reader(log: Log) -> None:
    """A reader at the end gets the next event when it is stored, not earlier."""
    seen: list[int] = []
    got = anyio.Event()

    async def follow() -> None:
        async with aclosing(as_generator(log.read())) as reader:
            async for seq, _ in reader:
                seen.append(seq)
                got.set()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            for expected in ([1], [1, 2]):
                await anyio.wait_all_tasks_blocked()
                got = anyio.Event()
                await log.append([fact(expected[-1])])
                await got.wait()
                assert seen == expected
            group.cancel_scope.cancel()


async def test_a_reader_beyond_the_end_waits(log: Log) -> None:
    """read(after=2) of an empty log gives event 3 and nothing before it."""
    got: list[tuple[int, bytes]] = []

    async def follow() -> None:
        got.extend(await first(log, 1, after=2))

    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        stored = await log.append(facts(0, 4))
    assert got == [(3, stored[2].line)]


async def test_two_readers_see_the_same(log: Log) -> None:
    """Two readers, of which one starts late, get the same events."""
    seen: list[list[tuple[int, bytes]]] = []

    async def follow() -> None:
        seen.append(await first(log, 30))

    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        await log.append(facts(0, 10))
        group.start_soon(follow)
        await log.append(facts(10, 30))
    assert seen[0] == seen[1]
    assert [seq for seq, _ in seen[0]] == list(range(1, 31))


async def test_a_cancelled_reader_harms_nobody(log: Log) -> None:
    """After the cancellation of a waiting reader, another reads on and appends go on."""
    await log.append(facts(0, 3))
    async with anyio.create_task_group() as group:
        group.start_soon(first, log, 4)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await log.append(facts(3, 4))
    assert [seq for seq, _ in await first(log, 4)] == [1, 2, 3, 4]


async def test_a_cancelled_append_leaves_the_log_usable(log: Log) -> None:
    """A cancelled append stored its step or did not; repeating it settles which."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await log.append(facts(0, 5))
    got = await log.append(facts(0, 5))
    assert [s.seq for s in got] == [1, 2, 3, 4, 5]


async def test_two_writers_of_the_same_slots(writers: tuple[Log, Log]) -> None:
    """Of two concurrent appends exactly one is new in every slot, and both agree on it."""
    got: dict[int, list[list[Stored]]] = {0: [], 1: []}
    one, two = writers

    async def write(who: int, log: Log) -> None:
        for start in range(0, 60, 20):
            step = [fact(run, f"writer {who}") for run in range(start, start + 30)]
            got[who].append(await log.append(step))

    async with anyio.create_task_group() as group:
        group.start_soon(write, 0, one)
        group.start_soon(write, 1, two)
    by_seq: dict[int, set[bytes]] = {}
    new: list[int] = []
    for stored in [s for steps in got.values() for step in steps for s in step]:
        by_seq.setdefault(stored.seq, set()).add(stored.line)
        new += [stored.seq] * stored.new
    assert sorted(new) == list(range(1, 71))
    assert all(len(lines) == 1 for lines in by_seq.values())
    assert await one.head() == await two.head() == 70


async def test_blobs_come_back(log: Log) -> None:
    """A blob is stored beside the log and found by its name."""
    blob = log.blobs.put(b"long text")
    assert log.blobs.get(blob) == b"long text"


@pytest.mark.parametrize("after", [0, 1, 4, 699])
async def test_reading_from_a_place(holding: Holding, after: int) -> None:
    """read(after=k) begins with k + 1 and gives every event to the end, in order."""
    steps = [facts(0, 3), [decision(1)], facts(3, 699)]
    async with holding(steps) as log:
        events = await first(log, 700 - after, after)
        assert [seq for seq, _ in events] == list(range(after + 1, 701))
        drafts = [draft for step in steps for draft in step]
        assert [decode(line).event for _, line in events] == [d.event for d in drafts[after:]]
        assert await log.head() == 700
