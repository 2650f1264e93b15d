"""Group commit over a server in memory that loses, delays and repeats what the test wants."""

import inspect
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.aio.client import Client

import quasar.log.writer
from quasar.errors import Diverged, LogError, UsageError
from quasar.events import Draft, RunEnded, WeightsDeferred
from quasar.log import Stored
from quasar.log.jetstream_api import ApiError, Batch, Message, Unanswered, frame
from quasar.log.jetstream_slots import JetStreamSlots
from quasar.log.jetstream_stream import check_version
from quasar.log.jetstream_wire import Wire
from quasar.log.writer import LogWriter

pytestmark = pytest.mark.anyio

FATES = ("fine", "lost", "lost answer", "delayed", "repeated")


def fact(run: int, reason: str = "done") -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason=reason))


def facts(start: int, stop: int) -> list[Draft]:
    return [fact(run) for run in range(start, stop)]


def decision(reason: str) -> Draft:
    event = WeightsDeferred(epoch=1, attempt=0, block=9, reason=reason)
    return Draft(actor="w", cause=1, event=event)


class Server(Wire):
    """A wire whose far end is a stream in memory, with the rules of JetStream."""

    def __init__(self) -> None:
        super().__init__("nats://127.0.0.1:1", login=None, patience=1)  # type: ignore[arg-type]
        self.stored: list[Message] = []
        self.sent: list[int] = []
        """Lengths of what arrived."""
        self.lookups = 0
        self.fates: list[str] = []
        """Of the next exchanges."""
        self.late: list[Sequence[Message]] = []
        self.gate = anyio.Event()
        self.gate.set()

    async def exchange(self, messages: Sequence[Message]) -> dict[str, Any]:
        await self.gate.wait()
        await checkpoint()
        self.deliver()
        fate = self.fates.pop(0) if self.fates else "fine"
        if fate == "delayed":
            self.late.append(messages)
        if fate in ("lost", "delayed"):
            raise Unanswered(f"{fate} on purpose")
        answer = self.take_in(messages)
        if fate == "lost answer":
            raise Unanswered("lost on purpose")
        if fate == "repeated":
            with pytest.raises(ApiError):
                self.take_in(messages)
        return answer

    def deliver(self) -> None:
        """What was delayed arrives."""
        while self.late:
            try:
                self.take_in(self.late.pop(0))
            except ApiError:
                continue

    def take_in(self, messages: Sequence[Message]) -> dict[str, Any]:
        assert all("Expected-Last-Subject-Sequence: 0\r\n" in m.headers for m in messages)
        self.sent.append(len(messages))
        taken = {m.subject for m in self.stored}
        subjects = {m.subject for m in messages}
        assert len(subjects) == len(messages) <= 1000
        if subjects & taken:
            raise ApiError(10071, "wrong last sequence: 1")
        self.stored += messages
        return {"seq": len(self.stored), "count": len(messages)}

    async def api(self, verb: str, body: Any, patience: float | None = None) -> dict[str, Any]:
        assert verb == "STREAM.MSG.GET.S"
        self.lookups += 1
        await checkpoint()
        for seq, message in enumerate(self.stored, start=1):
            if message.subject == body["last_by_subj"]:
                line, headers = b64encode(message.payload), b64encode(message.headers.encode())
                return {"message": {"seq": seq, "data": line.decode(), "hdrs": headers.decode()}}
        raise ApiError(10037, "no message found")

    def lines(self) -> list[tuple[int, bytes]]:
        return [(seq, m.payload) for seq, m in enumerate(self.stored, start=1)]


@asynccontextmanager
async def writing(server: Server, patience: float = 20) -> AsyncIterator[LogWriter]:
    clock = count(1).__next__
    async with LogWriter.open(JetStreamSlots(server, "S", "q.l.0"), patience, clock) as writer:
        yield writer


async def append_all(
    writer: LogWriter, steps: Sequence[Sequence[Draft]]
) -> list[list[Stored] | LogError]:
    """Answers to steps that are appended at once, in order."""
    answers: list[list[Stored] | LogError] = [[] for _ in steps]

    async def append(i: int) -> None:
        try:
            answers[i] = await writer.append(steps[i])
        except LogError as e:
            answers[i] = e

    async with anyio.create_task_group() as tasks:
        for i in range(len(steps)):
            tasks.start_soon(append, i)
    return answers


def seqs(answers: Sequence[list[Stored] | LogError]) -> list[int]:
    assert all(isinstance(a, list) for a in answers), answers
    return [s.seq for a in answers if isinstance(a, list) for s in a]


async def test_what_waits_goes_out_as_one_batch() -> None:
    """Steps that are appended at once are stored together, in the order of the calls."""
    server = Server()
    async with writing(server) as writer:
        answers = await append_all(writer, [facts(i, i + 1) for i in range(40)])
    assert seqs(answers) == list(range(1, 41))
    assert server.sent == [40]


async def test_a_few_single_events_go_one_behind_the_other() -> None:
    """Below the break-even a batch is slower."""
    server = Server()
    async with writing(server) as writer:
        answers = await append_all(writer, [facts(i, i + 1) for i in range(15)])
    assert seqs(answers) == list(range(1, 16))
    assert server.sent == [1] * 15
    assert "Nats-Batch-Id" not in server.stored[0].headers


async def test_a_group_holds_whole_steps() -> None:
    """A step that does not fit in a batch of 1000 begins the next one."""
    server = Server()
    steps = [facts(i * 300, (i + 1) * 300) for i in range(5)] + [facts(5000, 6000)]
    async with writing(server) as writer:
        answers = await append_all(writer, steps)
    assert seqs(answers) == list(range(1, 2501))
    assert server.sent == [900, 600, 1000]


async def test_a_slot_stands_once_in_a_group() -> None:
    """Steps that name the same slot meet in the server, not in a batch: the first wins."""
    server = Server()
    steps = [facts(i, i + 2) for i in range(30)]
    async with writing(server) as writer:
        answers = await append_all(writer, steps)
    assert [[s.new for s in a] for a in answers if isinstance(a, list)] == [
        [True, True],
        *[[False, True]] * 29,
    ]
    assert len(server.stored) == 31


async def test_a_taken_slot_is_settled_alone() -> None:
    """Of a group that meets a taken slot every other step is stored, in order."""
    server = Server()
    async with writing(server) as writer:
        [old] = await writer.append([fact(7, "earlier")])
        answers = await append_all(writer, [[fact(i)] for i in range(100)])
    assert answers[7] == [old._replace(new=False)]
    assert seqs(answers[:7] + answers[8:]) == list(range(2, 101))


@pytest.mark.parametrize("place", [0, 4, 19])
async def test_another_decision_stops_its_own_caller_only(place: int) -> None:
    """Diverged comes to the one step that diverges; nothing of it is stored."""
    server = Server()
    async with writing(server) as writer:
        await writer.append([decision("all-zero")])
        steps = [facts(3 * i, 3 * i + 3) for i in range(20)]
        steps[place] = [decision("no-scores"), *steps[place]]
        answers = await append_all(writer, steps)
    assert isinstance(answers.pop(place), Diverged)
    assert seqs(answers) == list(range(2, 59))


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("fate", FATES[1:])
async def test_a_group_in_trouble(fate: str, length: int) -> None:
    """Whatever happens to a group on its way, it is stored once, as new, and in order."""
    server = Server()
    server.fates = [fate]
    async with writing(server) as writer:
        steps = [facts(i * length, (i + 1) * length) for i in range(50)]
        answers = await append_all(writer, steps)
    assert seqs(answers) == list(range(1, 50 * length + 1))
    assert all(s.new for a in answers if isinstance(a, list) for s in a)
    assert len(server.stored) == 50 * length
    assert server.lookups <= 1 + (fate == "delayed"), "one look tells about a whole batch"


async def test_a_later_group_does_not_overtake() -> None:
    """While a group has to be sent again, the next one waits."""
    server = Server()
    server.fates = ["lost", "delayed", "lost answer"]
    async with writing(server) as writer:
        answers = await append_all(writer, [[fact(i)] for i in range(2500)])
    assert seqs(answers) == list(range(1, 2501))
    assert server.sent[-1] == 500


@settings(max_examples=60)
@given(
    lengths=st.lists(st.lists(st.integers(1, 30), max_size=5), min_size=1, max_size=30),
    fates=st.lists(st.sampled_from(FATES), max_size=20),
    shared=st.integers(0, 3),
)
def test_every_caller_in_order(lengths: list[list[int]], fates: list[str], shared: int) -> None:
    """Callers append step after step: each event stands once, in its caller's order."""
    server = Server()
    got: dict[int, list[Stored]] = {i: [] for i in range(len(lengths))}

    async def call(writer: LogWriter, who: int) -> None:
        at = 1000 * who
        for length in lengths[who]:
            common = facts(10**6, 10**6 + shared) if length > 20 else []
            got[who] += (await writer.append([*facts(at, at + length), *common]))[:length]
            at += length

    async def main() -> None:
        server.fates = list(fates)
        server.gate = anyio.Event()
        server.gate.set()
        async with writing(server) as writer, anyio.create_task_group() as tasks:
            for who in got:
                tasks.start_soon(call, writer, who)

    anyio.run(main)
    lines = server.lines()
    assert len({m.subject for m in server.stored}) == len(lines)
    for who, stored in got.items():
        assert all(s.new and (s.seq, s.line) in lines for s in stored)
        assert [s.seq for s in stored] == sorted(s.seq for s in stored)
        assert len(stored) == sum(lengths[who])


async def test_a_full_writer_lets_callers_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound a step is not even encoded; all are stored, in order, in the end."""
    monkeypatch.setattr(quasar.log.writer, "MAX_EVENTS", 50)
    server, asked = Server(), count(1)
    server.gate = anyio.Event()
    slots = JetStreamSlots(server, "S", "q.l.0")
    answers: list[list[list[Stored] | LogError]] = []

    async def run(writer: LogWriter) -> None:
        answers.append(await append_all(writer, [facts(2 * i, 2 * i + 2) for i in range(200)]))

    async with (
        LogWriter.open(slots, 20, asked.__next__) as writer,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(run, writer)
        await anyio.wait_all_tasks_blocked()
        assert next(asked) == 26
        server.gate.set()
    assert seqs(answers[0]) == list(range(1, 401))


async def test_many_bytes_wait_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long events fill the writer sooner."""
    monkeypatch.setattr(quasar.log.writer, "MAX_BYTES", 20_000)
    server, asked = Server(), count(1)
    server.gate = anyio.Event()
    slots = JetStreamSlots(server, "S", "q.l.0")
    async with (
        LogWriter.open(slots, 20, asked.__next__) as writer,
        anyio.create_task_group() as tasks,
    ):
        for i in range(200):
            tasks.start_soon(writer.append, [fact(i, "r" * 200)])
        await anyio.wait_all_tasks_blocked()
        assert next(asked) < 100
        server.gate.set()
    assert len(server.stored) == 200


async def test_a_step_longer_than_the_room_goes_in_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step never waits for room that cannot come."""
    monkeypatch.setattr(quasar.log.writer, "MAX_EVENTS", 5)
    async with writing(Server()) as writer:
        assert seqs(await append_all(writer, [facts(0, 9), facts(9, 18)])) == list(range(1, 19))


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under way, waiting, or outside: after its patience an append ends, and says why."""
    monkeypatch.setattr(quasar.log.writer, "MAX_EVENTS", 30)
    server = Server()
    server.fates = ["lost"]
    async with writing(server, patience=0.2) as writer:
        server.gate = anyio.Event()
        with anyio.fail_after(30):
            answers = await append_all(writer, [[fact(i)] for i in range(40)])
        assert all("does not answer" in str(a) for a in answers)
        server.gate.set()
        writer._patience = 30.0  # this one is stored, however busy the machine is
        assert seqs([await writer.append([fact(99)])]) == [1]
    assert len(server.stored) == 1


async def test_a_cancelled_step_that_waits_is_not_stored() -> None:
    """Nobody waits for it, so it does not go out; what is under way may."""
    server = Server()
    server.gate = anyio.Event()
    async with writing(server) as writer:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.append, [fact(1)])
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(writer.append, [fact(2)])
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        server.gate.set()
        await writer.append([fact(3)])
    assert [m.subject for m in server.stored] == ["q.l.0.run.3.end"]


async def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    """A group goes on for the callers that still wait."""
    server = Server()
    server.gate = anyio.Event()
    got: list[Stored] = []

    async def stay(writer: LogWriter) -> None:
        got.extend(await writer.append(facts(50, 60)))

    async with writing(server) as writer, anyio.create_task_group() as tasks:
        tasks.start_soon(stay, writer)
        async with anyio.create_task_group() as others:
            for i in range(40):
                others.start_soon(writer.append, [fact(i)])
            await anyio.wait_all_tasks_blocked()
            others.cancel_scope.cancel()
        server.gate.set()
    assert [s.new for s in got] == [True] * 10


async def test_the_end_of_a_writer() -> None:
    """Appends that are open at the end, and later ones, end in an error that says so."""
    server = Server()
    server.gate = anyio.Event()
    errors: list[LogError] = []

    async def wait(writer: LogWriter) -> None:
        with pytest.raises(LogError, match="the log is closed") as caught:
            await writer.append([fact(1)])
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks, writing(server) as writer:
        tasks.start_soon(wait, writer)
        await anyio.wait_all_tasks_blocked()
    with pytest.raises(LogError, match="the log is closed"):
        await writer.append([fact(2)])
    assert len(errors) == 1


async def test_errors_pass_through_a_writer_as_they_are() -> None:
    """What ends the block of a writer is not wrapped into a group."""
    with pytest.raises(UsageError, match="mine"):
        async with writing(Server()):
            raise UsageError("mine")


async def test_a_fault_of_the_program_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for a writer that failed in a way nobody thought of."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with writing(Server()) as writer:
        with monkeypatch.context() as m, anyio.fail_after(30):
            m.setattr(JetStreamSlots, "publish", fail)
            with pytest.raises(ZeroDivisionError):
                await writer.append(facts(0, 3))
        assert seqs([await writer.append(facts(0, 3))]) == [1, 2, 3]


def test_a_batch_is_framed_as_its_messages_are() -> None:
    """What is framed ahead does not change the bytes; only the ends ask for an answer."""
    for n in range(1, 5):
        messages = [Message(f"a.{i}", b"\xff" * i, f"H: {i}\r\n") for i in range(n)]
        commands = frame(Batch(messages), "inbox.1")
        assert commands == frame(messages, "inbox.1")
        assert commands.count(b" inbox.1 ") == min(n, 2)
    assert frame([Message("s", b"p\r\n")]) == b"PUB s 3\r\np\r\n\r\n"
    [one] = re.findall(rb"HPUB a\.1 i (\d+) (\d+)\r\n(.*)", frame(messages[1:2], "i"), re.DOTALL)
    assert one == (b"18", b"19", b"NATS/1.0\r\nH: 1\r\n\r\n\xff\r\n")


def test_what_is_used_of_the_private_side_of_nats() -> None:
    """A release of nats-py that moves these is noticed here."""
    assert list(inspect.signature(Client._send_command).parameters) == ["self", "cmd", "priority"]
    assert inspect.iscoroutinefunction(Client._send_command)
    assert inspect.iscoroutinefunction(Client._flush_pending)
    assert {"in_msgs"} <= Client().stats.keys()


@pytest.mark.parametrize("version", [(2, 11), (1, 99)])
def test_a_server_that_is_too_old(version: tuple[int, int]) -> None:
    """One line says what is there and what is needed."""
    with pytest.raises(LogError, match=r"install 2\.12 or later"):
        check_version("nats://x:1", version)
    check_version("nats://x:1", (2, 12))
    check_version("nats://x:1", None)
