"""Each actor's user writes its own slots and reads the log; nothing else."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from quasar.errors import LogError, QuasarError
from quasar.events import Draft, RunEnded
from quasar.events.envelope import decode
from quasar.log.access import ADMIN, USERS, WORKERS, inbox_of, work_consumer
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import ApiError, Login, Message, Unanswered
from quasar.log.jetstream_wire import Wire
from quasar.log.server import NatsServer
from quasar.rules.owners import SLOTS, SUPERVISOR

pytestmark = [pytest.mark.anyio, pytest.mark.nats]

LOG_ID, STREAM = "0000abcd", "Q-0000abcd-1"
DENIED = "give this user that permission"
NEVER = "Nats-Expected-Last-Sequence: 999999\r\n"


def run_ended(run: int) -> Draft:
    return Draft(actor="supervisor", cause=0, event=RunEnded(run=run, reason="done"))


@asynccontextmanager
async def opened(server: NatsServer, user: str) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        server.url, LOG_ID, 1, MemoryBlobs(), login=server.login(user), patience=60
    ) as log:
        yield log


@pytest.fixture
async def server(tmp_path: Path, anyio_backend: str) -> AsyncIterator[NatsServer]:
    """A server whose stream was made, and holds three events of the supervisor."""
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        async with opened(server, ADMIN) as log:
            await log.append([run_ended(n) for n in range(3)])
        yield server


@asynccontextmanager
async def connected(server: NatsServer, user: str) -> AsyncIterator[Wire]:
    async with Wire.open(server.url, server.login(user), 60) as wire:
        yield wire


async def may(wire: Wire, subject: str, headers: str = "") -> bool:
    """Whether the server lets this user say something there."""
    try:
        await wire.exchange([Message(subject, b"", headers)])
    except LogError as e:
        return DENIED not in str(e)
    except Unanswered:
        pass
    return True


@pytest.mark.parametrize("user", SLOTS)
async def test_an_actor_writes_its_own_slots_alone(server: NatsServer, user: str) -> None:
    """Every slot of every actor is tried under this user; also those of other logs and volumes."""
    allowed = {}
    async with connected(server, user) as wire:
        for owner, slots in SLOTS.items():
            for slot in slots:
                for place in (f"{LOG_ID}.1", "ffffffff.77"):
                    subject = f"q.{place}.{slot.replace('*', 'x').replace('>', 'x.y')}"
                    allowed[owner, subject] = await may(wire, subject, NEVER)
        for subject in ("q.0000abcd.1", "q.0000abcd.1.other.x", "other", "_INBOX.x", "$SYS.x"):
            assert not await may(wire, subject)
    assert {owner for (owner, _), yes in allowed.items() if yes} == {user}
    assert all(yes for (owner, _), yes in allowed.items() if owner == user)


@pytest.mark.parametrize("user", SLOTS)
async def test_an_actor_reads_all_and_changes_no_stream(server: NatsServer, user: str) -> None:
    """It opens, follows and looks up; what makes, alters or removes streams is refused."""
    async with opened(server, user) as log:
        await log.check_rights(SLOTS[user])
        async with aclosing(log.read()) as reader:
            assert [(await anext(reader))[0] for _ in range(3)] == [1, 2, 3]
        assert await log.head() == 3
    refused = [f"STREAM.{verb}.{STREAM}" for verb in ("UPDATE", "DELETE", "PURGE", "RESTORE")]
    refused += [f"STREAM.{verb}.{STREAM}" for verb in ("MSG.DELETE", "SNAPSHOT", "CREATE")]
    refused += [f"STREAM.PEER.REMOVE.{STREAM}", f"STREAM.LEADER.STEPDOWN.{STREAM}"]
    refused += [f"CONSUMER.DURABLE.CREATE.{STREAM}.mine", f"CONSUMER.CREATE.{STREAM}"]
    refused += [f"CONSUMER.CREATE.{STREAM}.mine.q.>", "ACCOUNT.PURGE.x", "META.LEADER.STEPDOWN"]
    async with connected(server, user) as wire:
        for verb in refused:
            assert not await may(wire, f"$JS.API.{verb}"), verb
        assert await may(wire, f"$JS.API.STREAM.INFO.{STREAM}")


async def test_no_answers_of_others(server: NatsServer) -> None:
    """A user hears its own inbox; not another's, nor the log as it goes by."""
    for inbox in (inbox_of("scorer"), "_INBOX", "q.0000abcd.1", "$JS.EVENT.ADVISORY"):
        login = server.login("weight-setter")._replace(inbox=inbox)
        with anyio.fail_after(30), pytest.raises(LogError, match="subscription"):
            async with Wire.open(server.url, login, 60) as wire:
                await wire.api(f"STREAM.INFO.{STREAM}", None)


async def test_an_answer_in_a_slot_is_no_event(server: NatsServer) -> None:
    """Permissions do not cover where answers go: what lands in a slot so is taken for nothing."""
    async with connected(server, "scorer") as wire:
        for verb, body in (("STREAM.INFO", b""), ("STREAM.MSG.GET", b'{"seq":1}')):
            question = Message(f"$JS.API.{verb}.{STREAM}", body)
            await wire.send(question, f"q.{LOG_ID}.1.weights.1.1.{len(body)}")
        await wire.api(f"STREAM.INFO.{STREAM}", None)  # behind them
    async with opened(server, "supervisor") as log, aclosing(log.read(3)) as reader:
        for _ in range(2):
            with anyio.fail_after(30), pytest.raises((QuasarError, msgspec.MsgspecError)):
                decode((await anext(reader))[1])


async def test_a_consumer_writes_nothing(server: NatsServer) -> None:
    """The server does not deliver a stream into its own slots, whoever asks for it."""
    async with connected(server, "scorer") as wire:
        config = {"name": "mine", "deliver_subject": "q.0000abcd.1.run.9", "ack_policy": "none"}
        with pytest.raises(ApiError, match="cycle"):
            await wire.api(
                f"CONSUMER.CREATE.{STREAM}.mine", {"stream_name": STREAM, "config": config}
            )


@pytest.mark.parametrize("worker", WORKERS)
async def test_work_is_shared_by_its_own_actor(server: NatsServer, worker: str) -> None:
    """The consumer that the supervisor makes serves its actor; nobody else takes or ends work."""
    name = work_consumer(worker)
    config = {"durable_name": name, "ack_policy": "explicit"}
    async with connected(server, SUPERVISOR) as wire:
        body = {"stream_name": STREAM, "config": config}
        await wire.api(f"CONSUMER.CREATE.{STREAM}.{name}", body)
    take, end = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}", f"$JS.ACK.{STREAM}.{name}.1.1.1.1.0"
    for user in set(SLOTS) - {worker}:
        async with connected(server, user) as wire:
            assert not await may(wire, take)
            assert not await may(wire, end)
            for change in ("CREATE", "DELETE") if user != SUPERVISOR else ():
                assert not await may(wire, f"$JS.API.CONSUMER.{change}.{STREAM}.{name}")
    async with connected(server, worker) as wire:
        await wire.send(Message(await take_one(wire, take), b"+ACK"))
        with anyio.fail_after(30):
            info = await acknowledged(wire, f"CONSUMER.INFO.{STREAM}.{name}")
    assert info["ack_floor"]["stream_seq"] == 1


async def acknowledged(wire: Wire, verb: str) -> dict[str, Any]:
    """A consumer, once it waits for no acknowledgement."""
    while (info := await wire.api(verb, None))["num_ack_pending"]:
        pass
    return info


async def take_one(wire: Wire, subject: str) -> str:
    """Ask for one message of a consumer; gives the subject that acknowledges it."""
    heard: list[str] = []
    there = anyio.Event()

    async def hear(message: object) -> None:
        heard.append(str(getattr(message, "reply", "")))
        there.set()

    inbox = f"{wire.login.inbox}.work"
    await wire._subscribe(inbox, hear)
    await wire.send(Message(subject, b"1"), inbox)
    with anyio.fail_after(30):
        await there.wait()
    return heard[0]


async def test_the_logins_of_an_earlier_program(tmp_path: Path) -> None:
    """A store with one user starts again: its address and password stay, the others are added."""
    async with NatsServer.open(tmp_path, sync_always=False) as server:
        port = int(server.url.rpartition(":")[2])
    old = {"user": "quasar", "password": "ab" * 32, "port": port}
    (tmp_path / "access.json").write_text(json.dumps(old))
    for _ in range(2):
        async with NatsServer.open(tmp_path, sync_always=False) as server:
            assert server.url.endswith(f":{port}")
            assert server.password == "ab" * 32
            for user in USERS:
                async with connected(server, user):
                    pass
    kept = json.loads((tmp_path / "access.json").read_text())
    assert set(kept["passwords"]) == set(USERS)
    assert len(set(kept["passwords"].values())) == len(USERS)


async def test_a_password_of_another(server: NatsServer) -> None:
    """A user's password opens no other user's door."""
    wrong = server.login("scorer")._replace(user="weight-setter")
    with anyio.fail_after(30), pytest.raises(LogError, match="refuses this login"):
        async with Wire.open(server.url, wrong, 60):
            pass
    with pytest.raises(LogError, match="refuses this login"):
        async with Wire.open(server.url, Login("quasar", server.password), 60):
            pass
