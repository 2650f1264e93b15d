"""Anchors: the chain gets the hash of a checkpoint, once, and no failure stops the signatures."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from quasar.actors import checkpointer
from quasar.actors.checkpointer import Checkpointer
from quasar.chain import ERA_BLOCKS, Block, Commitment
from quasar.chain.errors import FateUnknown, RateLimited
from quasar.errors import ChainError
from quasar.events import AnchorFailed, CheckpointAnchored, CheckpointSigned, WeightsIntended
from quasar.events.signing import Signer
from quasar.log.archive import ArchiveWriter
from quasar.replay import audit
from quasar.rules.anchoring import anchor_digest
from tests.builders import LineLog, World
from tests.unit.acting import acting, count, quiet, until
from tests.unit.cli_archive import identity_of

pytestmark = pytest.mark.anyio


@dataclass
class CommitChain:
    """Only what an anchor needs. What is sent lands in the next block, or goes wrong."""

    number: int = 100
    sent: list[str] = field(default_factory=list)
    committed: str | None = None
    pool: str | None = None
    failures: list[Exception] = field(default_factory=list)
    """What the next sends end with; a lost call is a FateUnknown."""
    away: bool = False
    moved: anyio.Event = field(default_factory=anyio.Event)
    called: anyio.Event = field(default_factory=anyio.Event)

    def block_at(self, number: int) -> Block:
        return Block(number=number, hash=World.block_hash(number), timestamp_ms=0, epoch=0)

    def advance(self, blocks: int = 1) -> None:
        """New finalised blocks."""
        self.number += blocks
        self.committed, self.pool = self.pool or self.committed, None
        before, self.moved = self.moved, anyio.Event()
        before.set()

    async def calls(self, number: int) -> None:
        """Return once so many were sent."""
        while len(self.sent) < number:
            await self.called.wait()

    async def head(self) -> Block:
        return self.block_at(self.number)

    async def blocks(self, after: int) -> AsyncIterator[Block]:
        while True:
            if self.number > after:
                after = self.number
                yield self.block_at(after)
            else:
                await self.moved.wait()

    async def commitment(self, hotkey: str, number: int) -> Commitment | None:
        if self.away:
            raise ChainError("the chain is away")
        return Commitment(digest=self.committed, block=number) if self.committed else None

    async def set_commitment(self, signer: Signer, digest: str) -> str:
        self.sent.append(digest)
        before, self.called = self.called, anyio.Event()
        before.set()
        if self.failures:
            raise self.failures.pop(0)
        self.pool = digest
        return "0x" + "ee" * 32


def actor(world: World, writer: ArchiveWriter, chain: Any) -> Checkpointer:
    key, origin = world.log_key, world.origin
    return Checkpointer(world.log, writer, key, origin, chain=chain, hotkey=world.hotkey)


async def landed(world: World, chain: CommitChain, number: int, sent: int = 0) -> list[Any]:
    """The anchors, once there are so many; each needs a call and a block."""
    await chain.calls(sent or number)
    chain.advance()
    await until(world.log, count(CheckpointAnchored, number))
    return world.events(CheckpointAnchored)


def digest_of(world: World, size: int) -> str:
    return next(anchor_digest(e.note) for e in world.events(CheckpointSigned) if e.size == size)


async def test_the_opening_and_each_intent_are_anchored(tmp_path: Path) -> None:
    """Each anchor names the one before, and the audit agrees with all of them."""
    world, chain = World(), CommitChain()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer, chain)):
            await world.open()
            first = (await landed(world, chain, 1))[0]
            await world.append("weight-setter", WeightsIntended(epoch=1, attempt=0, block=100))
            second = (await landed(world, chain, 2))[1]
    assert (first.previous, first.block, first.block_hash) == (None, 101, World.block_hash(101))
    assert second.previous == digest_of(world, first.size)
    assert chain.sent == [digest_of(world, first.size), digest_of(world, second.size)]
    events = world.events()
    assert second.size > events.index(world.events(WeightsIntended)[0])
    findings = await audit(LineLog(world.lines, world.log.blobs))
    assert findings.first_divergence is not None
    assert findings.first_divergence.type == "WeightsIntended", "the row of this test is made up"
    assert findings.findings == 1


def covers_last_intent(events: list[Any]) -> bool:
    """Whether the third intent is under a checkpoint."""
    places = [i for i, e in enumerate(events) if isinstance(e, WeightsIntended)]
    sizes = [e.size for e in events if isinstance(e, CheckpointSigned)]
    return len(places) == 3 and max(sizes) > places[-1]


async def test_no_second_one_leaves_while_one_is_under_way(tmp_path: Path) -> None:
    """A newer landmark waits until the anchor before it met its end."""
    world, chain = World(), CommitChain()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer, chain)):
            await world.open()
            await chain.calls(1)
            for attempt in range(3):
                intent = WeightsIntended(epoch=1, attempt=attempt, block=100)
                await world.append("weight-setter", intent)
            await until(world.log, covers_last_intent)
            assert len(chain.sent) == 1
            await landed(world, chain, 1)
            two = await landed(world, chain, 2)
            await quiet(world.log)
    assert len(chain.sent) == 2, "the newest alone stands for those between"
    assert two[1].size > world.events().index(world.events(WeightsIntended)[-1])


async def test_a_refusal_is_recorded_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """AnchorFailed says why; later checkpoints are anchored as ever."""
    world, chain = World(), CommitChain(failures=[RateLimited("too soon")])
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer, chain)):
            await world.open()
            events = await until(world.log, count(AnchorFailed, 1))
            assert events[-1].reason == "rate-limited: too soon"
            await world.append("weight-setter", WeightsIntended(epoch=1, attempt=0, block=100))
            assert (await landed(world, chain, 1, sent=2))[0].previous is None


async def test_a_lost_call_is_given_up_after_its_era(tmp_path: Path) -> None:
    """Nobody knows whether it left, so it is looked for until it can no longer land."""
    world, chain = World(), CommitChain(failures=[FateUnknown("0xee", "TimeoutError")])
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer, chain)):
            await world.open()
            await chain.calls(1)
            chain.advance(ERA_BLOCKS)
            await quiet(world.log)
            assert world.events(AnchorFailed) == []
            chain.advance()
            events = await until(world.log, count(AnchorFailed, 1))
    assert "era passed" in events[-1].reason
    assert len(chain.sent) == 1


async def test_a_chain_that_is_away_stops_no_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copying and signing go on; the anchor follows when the chain is back."""
    monkeypatch.setattr(checkpointer, "RETRY_S", 0.01)
    world, chain = World(), CommitChain(away=True)
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer, chain)):
            await world.open()
            await until(world.log, count(CheckpointSigned, 1))
            await world.append("weight-setter", WeightsIntended(epoch=1, attempt=0, block=100))
            await until(world.log, lambda es: es[-1].slot.startswith("checkpoint") and len(es) > 5)
            chain.away = False
            await landed(world, chain, 1)


async def test_a_restart_finds_what_landed_meanwhile(tmp_path: Path) -> None:
    """Killed between sending and recording: the new process records, and sends nothing."""
    world, chain = World(), CommitChain()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer, chain)):
            await world.open()
            await chain.calls(1)
    chain.advance()
    with ArchiveWriter.open(tmp_path / "a", identity_of(world)) as writer:
        async with acting(actor(world, writer, chain)):
            await until(world.log, count(CheckpointAnchored, 1))
    assert len(chain.sent) == 1
