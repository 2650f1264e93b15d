"""InferenceActor: what a miner signs, in which order, and what survives it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from quasar.actors.inference import InferenceActor
from quasar.chain.keys import hotkey_from_seed
from quasar.door.contexts import Contexts
from quasar.errors import Refused
from quasar.events import AnswerProduced, OutcomeProved, RequestAccepted
from quasar.events.envelope import decode
from quasar.events.receipt import (
    Acceptance,
    QuotedBlock,
    Refusal,
    SignedCheckpoint,
    TaskRequest,
    digest,
    request_body,
    statement_bytes,
)
from quasar.events.signing import log_id_of, verify_hotkey
from quasar.events.task import Context, TextPart
from quasar.log.blobs import FolderBlobs
from quasar.log.file import FileLog
from quasar.supervisor.miner import log_owner
from tests.builders import World
from tests.unit.acting import acting

pytestmark = pytest.mark.anyio

T = TypeVar("T")

MINER = hotkey_from_seed(b"test", "miner")
VALIDATOR = hotkey_from_seed(b"test", "validator").ss58_address
CHECKPOINT = SignedCheckpoint(size=9, root="ab" * 32)
BLOCK = QuotedBlock(number=4, hash="0x" + "cd" * 32)
TEXT = b"It was a dark and stormy night."


def owns(hotkey: str, log_id: str) -> bool:
    return hotkey == VALIDATOR and log_id in {"0123abcd", "ffffffff"}


class Parrot:
    """Answers with the context and the question; fails where it is told to."""

    name = "parrot"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(self, context: str, question: str, limit: int) -> str:
        self.asked.append(question)
        if question == "fail":
            raise RuntimeError("out of memory")
        return f"{context} {question}"


def request(task: int = 0, question: str = "when", log_id: str = "0123abcd") -> TaskRequest:
    return TaskRequest(
        log_id=log_id,
        round=3,
        task=task,
        hotkey=MINER.ss58_address,
        n=task + 1,
        family="factbook@1",
        bucket="32k",
        metric="exact@1",
        context=Context(sha256=hashlib.sha256(TEXT).hexdigest(), bytes=len(TEXT), tokens=7),
        question=[TextPart(text=question)],
        answer_bytes=4096,
        deadline_ms=60_000,
    )


class Miner:
    """An actor on the files of one miner."""

    def __init__(self, log: FileLog, contexts: Contexts, engine: Parrot) -> None:
        self.log, self.contexts, self.engine = log, contexts, engine
        self.desk = InferenceActor(MINER, log, contexts, engine, owns)

    async def accept(self, r: TaskRequest) -> tuple[Acceptance | Refusal, str]:
        self.contexts.path(r.context.sha256).write_bytes(TEXT)
        return await self.desk.accept(VALIDATOR, r, CHECKPOINT, BLOCK)

    async def answer(self, r: TaskRequest) -> AnswerProduced:
        """The log's event behind an answer."""
        answer = await self.desk.answer(VALIDATOR, r.log_id, r.round, r.task)
        (event,) = [e for e in self.events(AnswerProduced) if e.receipt == answer.receipt]
        assert self.log.blobs.get(event.answer) == answer.data
        return event

    def events(self, kind: type[T]) -> list[T]:
        found = [decode(line).event for line in self.log._lines]
        return [e for e in found if isinstance(e, kind)]


@asynccontextmanager
async def running(folder: Path, engine: Parrot | None = None) -> AsyncIterator[Miner]:
    """A miner at work; at the end it is gone, and its files stay."""
    with FileLog.open(folder / "miner.jsonl", FolderBlobs(folder / "blobs")) as log:
        miner = Miner(log, Contexts(folder / "contexts"), engine or Parrot())
        async with acting(miner.desk):
            yield miner


async def test_the_same_request_gets_the_same_statement(tmp_path: Path) -> None:
    """Signatures are random, so the stored one must come back; also after a restart."""
    async with running(tmp_path) as miner:
        first = await miner.accept(request())
        assert await miner.accept(request()) == first
    async with running(tmp_path) as miner:
        assert await miner.accept(request()) == first
        assert len(miner.events(RequestAccepted)) == 1
    statement, signature = first
    assert isinstance(statement, Acceptance)
    assert statement.request == hashlib.sha256(request_body(request())).hexdigest()
    assert verify_hotkey(MINER.ss58_address, statement_bytes(statement), signature)


async def test_another_request_in_the_same_place_is_refused(tmp_path: Path) -> None:
    """A validator cannot change its question afterwards; the refusal is signed."""
    async with running(tmp_path) as miner:
        await miner.accept(request())
        statement, signature = await miner.accept(request(question="where"))
        assert isinstance(statement, Refusal)
        assert verify_hotkey(MINER.ss58_address, statement_bytes(statement), signature)
        await miner.answer(request())
        assert miner.engine.asked == ["when"]


async def test_a_stranger_cannot_take_a_validators_place(tmp_path: Path) -> None:
    """Who asks in another's log gets nothing signed, and the owner's request is taken."""
    async with running(tmp_path) as miner:
        with pytest.raises(Refused, match="wrong-log"):
            await miner.desk.accept(MINER.ss58_address, request(), None, None)
        statement, _ = await miner.accept(request())
        assert isinstance(statement, Acceptance)


async def test_log_ids_belong_to_their_validators() -> None:
    """The owner of a log id follows from chain, subnet and hotkey."""
    genesis = World.block_hash(0)
    check = log_owner(genesis, 24)
    for number in (1, 2):
        log_id = log_id_of(genesis, 24, VALIDATOR, number)
        assert check(VALIDATOR, log_id)
        assert not check(MINER.ss58_address, log_id)
        assert not log_owner(genesis, 25)(VALIDATOR, log_id)


async def test_a_request_for_another_miner_is_refused(tmp_path: Path) -> None:
    """Nothing is written for it."""
    other = msgspec.structs.replace(request(), hotkey=VALIDATOR)
    async with running(tmp_path) as miner:
        statement, _ = await miner.accept(other)
        assert isinstance(statement, Refusal)
        assert miner.events(RequestAccepted) == []


async def test_receipts_are_a_chain(tmp_path: Path) -> None:
    """Each names the one before in its log and those that are not acknowledged; restarts too."""
    receipts = []
    for tasks in (range(2), range(2, 4)):
        async with running(tmp_path) as miner:
            miner.desk.block = BLOCK
            for task in tasks:
                await miner.accept(request(task))
                event = await miner.answer(request(task))
                receipts.append(event.receipt)
                assert verify_hotkey(
                    MINER.ss58_address, statement_bytes(event.receipt), event.signature
                )
            await miner.accept(request(0, log_id="ffffffff"))
            other = await miner.answer(request(0, log_id="ffffffff"))
            assert other.receipt.previous is None, "each log has a chain of its own"
    digests = [digest(r) for r in receipts]
    assert [r.previous for r in receipts] == [None, *digests[:-1]]
    assert [r.unacknowledged for r in receipts] == [digests[:i] for i in range(4)]
    assert {r.checkpoint for r in receipts} == {CHECKPOINT}
    assert {r.block for r in receipts} == {BLOCK}


async def test_what_was_accepted_is_answered_after_a_kill(tmp_path: Path) -> None:
    """Open requests come first, in order; what was answered is not answered again."""
    with FileLog.open(tmp_path / "miner.jsonl", FolderBlobs(tmp_path / "blobs")) as log:
        dead = Miner(log, Contexts(tmp_path / "contexts"), Parrot())  # never runs
        await dead.accept(request(0, "first"))
        await dead.accept(request(1, "second"))
    engine = Parrot()
    async with running(tmp_path, engine) as miner:
        await miner.answer(request(1, "second"))
        await miner.answer(request(0, "first"))
    async with running(tmp_path, engine) as miner:
        await miner.answer(request(1, "second"))
    assert engine.asked == ["first", "second"]


async def test_an_engine_that_fails_answers_nothing_and_the_next_task_is_answered(
    tmp_path: Path,
) -> None:
    """One bad task must not end a miner."""
    async with running(tmp_path) as miner:
        await miner.accept(request(0, "fail"))
        await miner.accept(request(1))
        failed = await miner.answer(request(0, "fail"))
        assert failed.answer.bytes == 0
        answered = await miner.answer(request(1))
        assert miner.log.blobs.get(answered.answer) == TEXT + b" when"


async def test_a_context_leaves_the_disk_with_its_answer(tmp_path: Path) -> None:
    """Also one that a restarted validator sent again."""
    async with running(tmp_path) as miner:
        await miner.accept(request())
        await miner.answer(request())
        await miner.accept(request())
        sha256 = request().context.sha256
        with pytest.raises(Refused):
            await miner.desk.answer(VALIDATOR, "0123abcd", 9, 9)
        assert not miner.contexts.has(sha256)


async def test_answers_are_for_who_asked(tmp_path: Path) -> None:
    """Another validator gets nothing, and neither does a request that never came."""
    async with running(tmp_path) as miner:
        await miner.accept(request())
        await miner.answer(request())
        for caller, task in ((MINER.ss58_address, 0), (VALIDATOR, 8)):
            with pytest.raises(Refused, match="unknown"):
                await miner.desk.answer(caller, "0123abcd", 3, task)


async def test_a_proved_outcome_is_acknowledged(tmp_path: Path) -> None:
    """The next receipt names it no longer; an outcome with another receipt does not agree."""
    world = World()
    async with running(tmp_path) as miner:
        await miner.accept(request(0))
        first = await miner.answer(request(0))
        await world.start_round(1)
        d = world.open_deliveries()[0]
        received = msgspec.structs.replace(
            world.received(d, b"x"),
            round=3,
            task=0,
            hotkey=MINER.ss58_address,
            receipt=first.receipt,
            signature=first.signature,
        )
        (stored,) = await world.append("miner-proxy", received)
        await miner.desk.outcome(VALIDATOR, stored.line.decode(), "proof")
        (proved,) = miner.events(OutcomeProved)
        assert proved.agrees
        await miner.accept(request(1))
        second = await miner.answer(request(1))
        assert second.receipt.unacknowledged == []
        assert second.receipt.previous == digest(first.receipt)
        with pytest.raises(Refused, match="unknown"):
            await miner.desk.outcome(VALIDATOR, world.lines[0].decode(), "proof")
