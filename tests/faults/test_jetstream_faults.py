"""What JetStream may do to a log: die, keep silent, refuse, forget."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
import pytest

from quasar.errors import Damaged, Diverged, LogError
from quasar.events import Draft, RunEnded, WeightsDeferred
from quasar.log import Stored
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login, Message, Unanswered
from quasar.log.jetstream_wire import Wire
from quasar.log.server import NatsServer
from quasar.log.server_program import find_server

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

Exchange = Callable[[Wire, Sequence[Message]], Awaitable[dict[str, Any]]]


def fact(run: int, reason: str = "done") -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason=reason))


def facts(start: int, stop: int) -> list[Draft]:
    return [fact(run) for run in range(start, stop)]


def decision(reason: str) -> Draft:
    event = WeightsDeferred(epoch=1, attempt=0, block=9, reason=reason)
    return Draft(actor="w", cause=1, event=event)


@pytest.fixture
async def server(tmp_path: Path, anyio_backend: str) -> AsyncIterator[NatsServer]:
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        yield server


@asynccontextmanager
async def opened(server: NatsServer, patience: float = 60) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        server.url,
        "0000abcd",
        0,
        MemoryBlobs(),
        login=Login(server.user, server.password),
        patience=patience,
    ) as log:
        yield log


@pytest.fixture
async def log(server: NatsServer) -> AsyncIterator[JetStreamLog]:
    async with opened(server) as log:
        yield log


async def read(log: JetStreamLog, n: int, after: int = 0) -> list[int]:
    """Numbers of the next n events."""
    seen: list[int] = []
    with anyio.fail_after(30):
        async with aclosing(log.read(after)) as reader:
            async for seq, _ in reader:
                seen.append(seq)
                if len(seen) == n:
                    break
    return seen


def trouble(monkeypatch: pytest.MonkeyPatch, times: int, *, after: bool) -> None:
    """Lose the connection's next exchanges of events, before they are sent or after."""
    real: Exchange = Wire.exchange
    left = itertools.count(times, -1)

    async def exchange(self: Wire, messages: Sequence[Message]) -> dict[str, Any]:
        if messages[0].subject.startswith("$JS") or next(left) <= 0:
            return await real(self, messages)
        if after:
            await real(self, messages)
        raise Unanswered("lost on purpose")

    monkeypatch.setattr(Wire, "exchange", exchange)


@pytest.mark.parametrize("length", [1, 7])
async def test_a_lost_acknowledgement(
    log: JetStreamLog, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """A step that was stored without our knowing is found, as new, and not stored again."""
    trouble(monkeypatch, 1, after=True)
    got = await log.append(facts(0, length))
    assert [(s.seq, s.new) for s in got] == [(i + 1, True) for i in range(length)]
    assert await log.head() == length


@pytest.mark.parametrize("length", [1, 7])
async def test_a_lost_step(log: JetStreamLog, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """A step that never arrived is sent again."""
    trouble(monkeypatch, 2, after=False)
    got = await log.append(facts(0, length))
    assert [(s.seq, s.new) for s in got] == [(i + 1, True) for i in range(length)]
    assert await log.head() == length


async def test_a_lost_answer_to_a_diverging_decision(
    server: NatsServer, log: JetStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision that another process stored meanwhile still stops this one."""
    async with opened(server) as other:
        await other.append([decision("all-zero")])
    trouble(monkeypatch, 1, after=False)
    with pytest.raises(Diverged):
        await log.append([fact(0), decision("no-scores")])
    assert await log.head() == 1


async def test_kill_9_of_the_server_under_load(tmp_path: Path) -> None:
    """The server dies and comes back: each step is stored once and readers miss nothing."""
    steps, length = 60, 5
    stored: list[Stored] = []
    seen: list[int] = []
    tenth, done = anyio.Event(), anyio.Event()

    async def write(log: JetStreamLog) -> None:
        for k in range(steps):
            stored.extend(await log.append(facts(k * length, (k + 1) * length)))
            if k == 10:
                tenth.set()

    async def follow(log: JetStreamLog) -> None:
        seen.extend(await read(log, steps * length))
        done.set()

    async with (
        NatsServer.open(tmp_path) as server,
        opened(server) as log,
        anyio.create_task_group() as group,
    ):
        group.start_soon(write, log)
        group.start_soon(follow, log)
        await tenth.wait()
        server.process.kill()
        await server.wait()
        async with NatsServer.open(tmp_path) as again:
            assert again.url == server.url
            await done.wait()
    assert [s.seq for s in stored] == seen == list(range(1, steps * length + 1))
    assert all(s.new for s in stored)


def be_patient(log: JetStreamLog, seconds: float) -> None:
    """From now on it waits so long; while all goes well a busy machine may take its time."""
    log._writer._patience = log._wire.patience = seconds


async def test_no_server() -> None:
    """Opening a log where nothing listens ends in an error that shows no password."""
    with anyio.fail_after(30), pytest.raises(LogError, match="cannot connect") as caught:
        async with JetStreamLog.open(
            "nats://u:secret@127.0.0.1:9", "0000abcd", 0, MemoryBlobs(), patience=0.3
        ):
            pass
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_gone(server: NatsServer) -> None:
    """An append waits as long as it may, then says that the server does not answer."""
    async with opened(server) as log:
        be_patient(log, 0.3)
        server.process.kill()
        await server.wait()
        with anyio.fail_after(30), pytest.raises(LogError, match="does not answer"):
            await log.append(facts(0, 3))
        with anyio.fail_after(30), pytest.raises(LogError, match="does not answer"):
            await log.head()


async def test_a_server_that_hangs(server: NatsServer) -> None:
    """A step whose answer did not come in time is settled by its slots afterwards."""
    async with opened(server) as log:
        await log.append(facts(0, 1))
        be_patient(log, 0.5)
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            with anyio.fail_after(30), pytest.raises(LogError, match="does not answer"):
                await log.append(facts(1, 4))
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        be_patient(log, 60)
        got = await log.append(facts(1, 4))
        assert [s.seq for s in got] == [2, 3, 4]
        assert await log.head() == 4


async def test_a_cancelled_append_under_way(log: JetStreamLog) -> None:
    """Cancelling an append in the middle of a batch leaves whole steps and a usable log."""
    async with anyio.create_task_group() as group:
        group.start_soon(log.append, facts(0, 500))
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    with anyio.fail_after(30):
        got = await log.append(facts(0, 500))
    assert [s.seq for s in got] == list(range(1, 501))
    assert len({s.new for s in got}) == 1


async def test_a_consumer_that_vanishes(log: JetStreamLog) -> None:
    """A reader whose consumer is removed makes another and goes on where it was."""
    await log.append(facts(0, 3))
    async with aclosing(log.read()) as reader:
        seen = [(await anext(reader))[0] for _ in range(3)]
        names = await log._wire.api("CONSUMER.NAMES.Q-0000abcd-0", None)
        assert len(names["consumers"]) == 1
        await log._wire.api(f"CONSUMER.DELETE.Q-0000abcd-0.{names['consumers'][0]}", None)
        await log.append(facts(3, 6))
        with anyio.fail_after(30):
            seen += [(await anext(reader))[0] for _ in range(3)]
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_reader_leaves_no_consumer(log: JetStreamLog) -> None:
    """A reader that is closed takes its consumer away."""
    await log.append(facts(0, 3))
    await read(log, 3)
    with anyio.fail_after(30):  # far less than what an abandoned consumer lives
        while (await log._wire.api("CONSUMER.NAMES.Q-0000abcd-0", None))["consumers"]:
            pass


async def forget(log: JetStreamLog, keep: int) -> None:
    """Lose the oldest events, which a deny-delete stream allows through its limits."""
    config = (await log._info())["config"] | {"max_msgs": keep, "discard": "old"}
    await log._wire.api("STREAM.UPDATE.Q-0000abcd-0", config)


async def test_lost_events_are_damage(log: JetStreamLog) -> None:
    """A reader names the first number that is not there."""
    await log.append(facts(0, 5))
    await forget(log, keep=2)
    with pytest.raises(Damaged, match="event 1: missing; the next in Q-0000abcd-0 is 4"):
        await read(log, 1)
    with pytest.raises(Damaged, match="event 3: missing"):
        await read(log, 1, after=2)
    assert await read(log, 2, after=3) == [4, 5]


async def test_a_stream_with_other_settings(server: NatsServer, log: JetStreamLog) -> None:
    """A stream that may drop events is not taken for a log."""
    await log.append(facts(0, 5))
    await forget(log, keep=2)
    with pytest.raises(LogError, match="Q-0000abcd-0 has discard = 'old'"):
        async with opened(server):
            pass


async def test_a_shortened_stream_is_not_opened(server: NatsServer, log: JetStreamLog) -> None:
    """A stream that lost its beginning is damaged even where its settings are right again."""
    await log.append(facts(0, 5))
    config = (await log._info())["config"]
    await forget(log, keep=2)
    await log._wire.api("STREAM.UPDATE.Q-0000abcd-0", config)
    with pytest.raises(Damaged, match="begins at 4"):
        async with opened(server):
            pass


async def test_a_head_that_went_back(tmp_path: Path) -> None:
    """A reader that saw more than a restarted server still has calls it damage."""
    async with NatsServer.open(tmp_path / "one", sync_always=False) as one, opened(one) as log:
        await log.append(facts(0, 5))
        async with aclosing(log.read()) as reader:
            assert [(await anext(reader))[0] for _ in range(5)] == [1, 2, 3, 4, 5]
            one.process.kill()
            await one.wait()
            shutil.rmtree(tmp_path / "one" / "jetstream")
            async with NatsServer.open(tmp_path / "one", sync_always=False) as two:
                async with opened(two) as other:
                    await other.append(facts(0, 2))
                with anyio.fail_after(30), pytest.raises(Damaged, match=r"event 3:.*ends at 2"):
                    await anext(reader)


@asynccontextmanager
async def restricted(folder: Path) -> AsyncIterator[str]:
    """A server whose user "scorer" may write only below q.*.*.score; its address."""
    own = {"publish": ["q.*.*.run.1.>", "$JS.API.>"], "subscribe": ["_INBOX_scorer.>"]}
    users = [
        {"user": "admin", "password": "a"},
        {"user": "scorer", "password": "s", "permissions": own},
    ]
    config = {
        "host": "127.0.0.1",
        "port": -1,
        "ports_file_dir": str(folder),
        "jetstream": {"store_dir": str(folder / "js")},
        "authorization": {"users": users},
    }
    (folder / "conf").write_text(json.dumps(config))
    async with await anyio.open_process(
        [str(find_server()), "-c", str(folder / "conf")], stdin=DEVNULL, stdout=DEVNULL
    ) as process:
        ports = folder / f"nats-server_{process.pid}.ports"
        while not (ports.exists() and ports.stat().st_size):  # noqa: ASYNC110 - a file
            await anyio.sleep(0.01)
        yield str(json.loads(ports.read_text())["nats"][0])
        process.terminate()


@pytest.mark.parametrize("step", [[fact(2)], [fact(1), fact(2), fact(3)], [fact(2), fact(1)]])
async def test_a_user_without_permission(tmp_path: Path, step: list[Draft]) -> None:
    """A slot that this user may not write is refused at once, by name, and nothing is stored."""
    async with restricted(tmp_path) as url:
        admin, scorer = Login("admin", "a"), Login("scorer", "s", inbox="_INBOX_scorer")
        where = (url, "0000abcd", 0, MemoryBlobs())
        async with (
            JetStreamLog.open(*where, login=admin),
            JetStreamLog.open(*where, login=scorer) as log,
        ):
            with anyio.fail_after(15), pytest.raises(LogError, match=r"q\.0000abcd\.0\.run\.[23]"):
                await log.append(step)
            assert await log.head() == 0
            assert (await log.append([fact(1)]))[0].new


async def test_a_user_who_may_not_read_answers(tmp_path: Path) -> None:
    """An inbox that the server does not allow is named at once."""
    async with restricted(tmp_path) as url:
        with anyio.fail_after(15), pytest.raises(LogError, match="subscription"):
            async with JetStreamLog.open(
                url, "0000abcd", 0, MemoryBlobs(), login=Login("scorer", "s")
            ):
                pass


CHILD = """
import sys, anyio
from pathlib import Path
from subprocess import DEVNULL
from quasar.events import Draft, RunEnded
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.server import NatsServer

async def main():
    async with (
        NatsServer.open(Path(sys.argv[1])) as server,
        JetStreamLog.open(server.url, "0000abcd", 0, MemoryBlobs(),
                          login=Login(server.user, server.password)) as log,
    ):
        for run in range(0, 10**6, 3):
            step = [Draft(actor="s", cause=0, event=RunEnded(run=run + i, reason="r"))
                    for i in range(3)]
            print((await log.append(step))[-1].seq, flush=True)

anyio.run(main)
"""


def acknowledged_before_kill_9(folder: Path) -> int:
    """What a process had stored, by its own word, when it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        seqs = [int(child.stdout.readline()) for _ in range(20)]
        child.kill()
        return max(seqs + [int(line) for line in child.stdout if line.endswith(b"\n")])


async def test_kill_9_of_the_process_that_started_the_server(tmp_path: Path) -> None:
    """A restarted process gets the folder back and finds every acknowledged event."""
    acknowledged = acknowledged_before_kill_9(tmp_path)
    async with NatsServer.open(tmp_path) as server, opened(server) as log:
        head = await log.head()
        assert head >= acknowledged
        assert head % 3 == 0
        assert await read(log, head) == list(range(1, head + 1))
