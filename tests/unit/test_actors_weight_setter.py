"""WeightSetter's effects on a chain that takes, refuses, loses or does not answer."""

from collections.abc import Mapping

import msgspec
import pytest

from quasar.actors.weight_setter import Submitter
from quasar.chain import Commitment, Outcome
from quasar.chain.errors import FateUnknown, NoPermit
from quasar.errors import ChainError
from quasar.events import (
    CheckpointSigned,
    HyperparametersObserved,
    MetagraphObserved,
    Weight,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)
from quasar.events.envelope import decode
from quasar.events.signing import Signer
from quasar.rules.submission import ERA_BLOCKS
from tests.builders import World
from tests.unit.acting import acting, quiet
from tests.unit.test_actors_chain_observer import FakeChain

pytestmark = pytest.mark.anyio

ROW = {1: 65535, 2: 32768}
VERSION = 5
START = 100
JOURNAL = (
    WeightsIntended,
    WeightsSubmitted,
    WeightsConfirmed,
    WeightsFailed,
    WeightsUnknown,
    WeightsVerified,
)


class RowChain(FakeChain):
    """Takes rows. ``fates`` says what becomes of each; without one it lands in the next block."""

    def __init__(self, world: World, *fates: str) -> None:
        super().__init__(world)
        self.fates = list(fates)
        self.sent: list[dict[int, int]] = []
        self.covered: list[int] = []
        """Events under the log's newest checkpoint, at each sending."""
        self.rows: dict[int, dict[int, int]] = {}
        """By block."""
        self.broken: dict[int, str] = {}
        """Extrinsics that were included and failed, by block."""

    async def submit_weights(self, signer: Signer, row: Mapping[int, int], version_key: int) -> str:
        assert (signer, version_key) == (self.world.hotkey, VERSION)
        self.sent.append(dict(row))
        signed = self.world.events(CheckpointSigned)
        self.covered.append(signed[-1].size if signed else 0)
        name = self.world.block_hash(10_000 + len(self.sent))
        fate = self.fates.pop(0) if self.fates else "lands"
        if fate == "refused":
            raise NoPermit("uid 0 has no permit")
        if fate == "away":
            raise ChainError("the chain does not answer")
        if fate in ("lands", "lands unanswered"):
            self.rows[self.heads[-1] + 1] = dict(row)
        if fate == "fails":
            self.broken[self.heads[-1] + 2] = name
        if fate.endswith("unanswered"):
            raise FateUnknown(name, "TimeoutError")
        return name

    async def last_update(self, uid: int, number: int) -> int:
        assert uid == 0
        return max((n for n in self.rows if n <= number), default=0)

    async def weights(self, uid: int, number: int) -> dict[int, int]:
        return self.rows.get(await self.last_update(uid, number), {})

    async def outcome(self, extrinsic: str, number: int) -> Outcome | None:
        if self.broken.get(number) == extrinsic:
            return Outcome(done=False, code="version-key", reason="update")
        return None

    async def commitment(self, hotkey: str, number: int) -> Commitment | None:
        raise AssertionError("a row needs no commitment")

    async def set_commitment(self, signer: Signer, digest: str) -> str:
        raise AssertionError("a row needs no commitment")


async def computed(*fates: str, registered: bool = True) -> tuple[World, RowChain]:
    """A log with one row, and the chain at START."""
    world = World(miners=3)
    await world.open()
    chain = RowChain(world, *fates)
    chain.advance(START)
    who = await chain.metagraph(START)
    blob = world.log.blobs.put(_json(who if registered else who[1:]))
    parameters = HyperparametersObserved(
        number=START,
        hash=world.block_hash(START),
        tempo=100,
        weights_rate_limit=0,
        min_allowed_weights=1,
        max_weights_limit=65535,
        weights_version=VERSION,
        commit_reveal=False,
    )
    metagraph = MetagraphObserved(number=START, hash=world.block_hash(START), neurons=blob)
    await world.append("chain-observer", parameters, metagraph)
    row = WeightsComputed(
        epoch=1,
        attempt=0,
        block=START,
        block_hash=world.block_hash(START),
        rounds=1,
        weights=[
            Weight(hotkey=h, uid=uid, score=0.5, samples=9, u16=ROW.get(uid, 0))
            for uid, h in enumerate(world.miners, 1)
        ],
    )
    await world.append("weight-setter", row)
    return world, chain


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def journal(world: World) -> list[str]:
    """What WeightSetter wrote, in order, as type and attempt."""
    return [
        f"{type(e).__name__.removeprefix('Weights')} {e.attempt}"
        for e in world.events()
        if isinstance(e, JOURNAL)
    ]


async def to_the_sending(world: World) -> None:
    """The intent, then its checkpoint, then whatever comes of it."""
    await quiet(world.log)
    await world.checkpoint()
    await quiet(world.log)


def submitter(world: World, chain: RowChain) -> Submitter:
    return Submitter(world.log, chain, world.hotkey)


async def test_intent_checkpoint_extrinsic_confirmation_verification() -> None:
    """In this order; nothing leaves before a checkpoint covers the intent."""
    world, chain = await computed()
    async with acting(submitter(world, chain)):
        size = await quiet(world.log)
        assert journal(world) == ["Intended 0"]
        chain.advance(START + 1)
        await quiet(world.log)
        assert chain.sent == []
        await to_the_sending(world)
        assert (chain.sent, chain.covered) == ([ROW], [size])
        assert journal(world) == ["Intended 0", "Submitted 0"]
        chain.advance(START + 2)
        await quiet(world.log)
        assert journal(world)[2:] == ["Confirmed 0"]
        chain.advance(START + 3)
        await quiet(world.log)
    assert journal(world)[3:] == ["Verified 0"]
    assert world.events(WeightsVerified)[0].equal
    assert world.events(WeightsConfirmed)[0].block == START + 2
    causes = {e.cause for e in map(decode, world.lines) if isinstance(e.event, JOURNAL)}
    assert [type(world.events()[seq - 1]) for seq in causes] == [WeightsComputed]


async def test_a_refusal_is_recorded_with_its_code() -> None:
    """The row is over: nothing of it is or will be on chain."""
    world, chain = await computed("refused")
    async with acting(submitter(world, chain)):
        await to_the_sending(world)
        chain.advance(START + 100)
        await quiet(world.log)
    assert journal(world) == ["Intended 0", "Failed 0"]
    assert world.events(WeightsFailed)[0].code == "no-permit"
    assert len(chain.sent) == 1


async def test_an_extrinsic_without_an_answer_that_landed() -> None:
    """Finalised state says so; the log has no WeightsSubmitted."""
    world, chain = await computed("lands unanswered")
    async with acting(submitter(world, chain)):
        await to_the_sending(world)
        assert journal(world) == ["Intended 0"]
        for number in (1, 2):
            chain.advance(START + number)
            await quiet(world.log)
    assert journal(world) == ["Intended 0", "Confirmed 0", "Verified 0"]
    assert len(chain.sent) == 1


@pytest.mark.parametrize("fate", ["lost", "lost unanswered"])
async def test_an_extrinsic_that_was_lost(fate: str) -> None:
    """Its era passes, counted from its sending; then an attempt with an intent of its own."""
    world, chain = await computed(fate)
    async with acting(submitter(world, chain)):
        await quiet(world.log)
        late = START + 10
        chain.advance(late)
        await to_the_sending(world)
        for number in (late + 1, late + ERA_BLOCKS):
            chain.advance(number)
            await quiet(world.log)
        assert journal(world)[-1] in ("Intended 0", "Submitted 0")
        chain.advance(late + ERA_BLOCKS + 2)
        await quiet(world.log)
        assert journal(world)[-2:] == ["Unknown 0", "Intended 1"]
        assert len(chain.sent) == 1
        await to_the_sending(world)
        for number in (30, 31):
            chain.advance(late + number)
            await quiet(world.log)
    assert journal(world)[-3:] == ["Submitted 1", "Confirmed 1", "Verified 1"]
    assert chain.sent == [ROW, ROW]


async def test_three_losses_end_the_row() -> None:
    """With an event that says why it is not on chain."""
    world, chain = await computed("lost", "lost", "lost")
    async with acting(submitter(world, chain)):
        for number in (1, 2, 3):
            await to_the_sending(world)
            chain.advance(START + number * (ERA_BLOCKS + 1))
            await quiet(world.log)
    assert journal(world)[-2:] == ["Unknown 2", "Failed 3"]
    assert world.events(WeightsFailed)[0].code == "gave-up"
    assert len(chain.sent) == 3


async def test_a_call_that_was_included_and_failed() -> None:
    """Its code is known from the block that holds it, long before its era is over."""
    world, chain = await computed("fails")
    async with acting(submitter(world, chain)):
        await to_the_sending(world)
        chain.advance(START + 1)
        await quiet(world.log)
        assert journal(world) == ["Intended 0", "Submitted 0"]
        chain.advance(START + 5)
        await quiet(world.log)
    assert journal(world)[2:] == ["Failed 0"]
    failed = world.events(WeightsFailed)[0]
    assert (failed.code, failed.reason) == ("version-key", "update")


async def test_an_intent_is_not_sent_by_the_next_process() -> None:
    """Killed between intent and sending, or after it: nobody knows, so the era passes."""
    world, chain = await computed()
    async with acting(submitter(world, chain)):
        await quiet(world.log)
    await world.checkpoint()
    restarted = START + 20
    chain.advance(restarted)
    async with acting(submitter(world, chain)):
        await quiet(world.log)
        chain.advance(restarted + ERA_BLOCKS)
        await quiet(world.log)
        assert (journal(world), chain.sent) == (["Intended 0"], [])
        chain.advance(restarted + ERA_BLOCKS + 1)
        await to_the_sending(world)
    assert journal(world) == ["Intended 0", "Unknown 0", "Intended 1", "Submitted 1"]
    assert chain.sent == [ROW]


async def test_a_restart_after_the_sending_finds_the_row() -> None:
    """Killed before it could say that it sent."""
    world, chain = await computed("lands unanswered")
    async with acting(submitter(world, chain)):
        await to_the_sending(world)
    chain.advance(START + 50)
    async with acting(submitter(world, chain)):
        await quiet(world.log)
        chain.advance(START + 51)
        await quiet(world.log)
    assert journal(world) == ["Intended 0", "Confirmed 0", "Verified 0"]
    assert len(chain.sent) == 1


async def test_a_row_that_does_not_stand_is_told() -> None:
    """Another row in its place, at the next block: not equal."""
    world, chain = await computed()
    async with acting(submitter(world, chain)):
        await to_the_sending(world)
        chain.advance(START + 1)
        await quiet(world.log)
        chain.rows[START + 2] = {3: 65535}
        chain.advance(START + 2)
        await quiet(world.log)
    assert journal(world)[2:] == ["Confirmed 0", "Verified 0"]
    assert not world.events(WeightsVerified)[0].equal


async def test_without_a_uid_nothing_is_sent() -> None:
    """The log says that the hotkey is not registered."""
    world, chain = await computed(registered=False)
    async with acting(submitter(world, chain)):
        await quiet(world.log)
    assert journal(world) == ["Failed 0"]
    assert world.events(WeightsFailed)[0].code == "not-registered"
    assert chain.sent == []


async def test_a_chain_that_is_away_at_the_sending() -> None:
    """The next run of the actor does not send that attempt a second time."""
    world, chain = await computed("away")
    actor = submitter(world, chain)
    with pytest.raises(ExceptionGroup) as failure:
        async with acting(actor):
            await to_the_sending(world)
    assert failure.group_contains(ChainError)
    async with acting(actor):
        await quiet(world.log)
        chain.advance(START + ERA_BLOCKS + 1)
        await to_the_sending(world)
    assert journal(world) == ["Intended 0", "Unknown 0", "Intended 1", "Submitted 1"]
    assert len(chain.sent) == 2


async def test_a_chain_that_is_away_before_the_sending() -> None:
    """A new run of the same process knows that it has not sent, so it loses no era."""
    world, chain = await computed()
    actor = submitter(world, chain)
    async with acting(actor):
        await quiet(world.log)
    async with acting(actor):
        await to_the_sending(world)
    async with acting(actor):
        await quiet(world.log)
    assert journal(world) == ["Intended 0", "Submitted 0"]
    assert len(chain.sent) == 1
