"""A log beside the chain that it speaks of: equal is clean, each difference is named."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from quasar.chain import Block, Commitment, Hyperparameters, Outcome
from quasar.cli.audit import audit as audit_command
from quasar.cli.audit_chain import compare, open_chain
from quasar.errors import ChainError, UsageError
from quasar.events import (
    BlockObserved,
    CheckpointAnchored,
    CheckpointSigned,
    HyperparametersObserved,
    MetagraphObserved,
    Neuron,
    PolicyAdopted,
    RunStarted,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsVerified,
)
from quasar.events.signing import Signer
from quasar.log.archive_reader import ArchiveLog
from quasar.replay import Report
from quasar.replay import audit as audit_log
from quasar.rules.anchoring import anchor_digest
from tests.builders import LineLog, World
from tests.forging import Forging, Item, event_of, first_is, played, write_archive

INTENT, LANDED, SEEN, HEAD = 228, 229, 230, 300
LIMITS = Hyperparameters(
    tempo=75,
    weights_rate_limit=10,
    min_allowed_weights=1,
    max_weights_limit=65535,
    weights_version=0,
    commit_reveal=False,
)


@dataclass
class ScriptedChain:
    """A chain of plain facts."""

    genesis_hash: str
    hotkey: str
    found: dict[int, Block]
    neurons: dict[int, list[Neuron]]
    rows: dict[int, dict[int, int]] = field(default_factory=dict)
    """Block at which the row landed."""
    committed: dict[int, str] = field(default_factory=dict)
    netuid: int = 24

    async def genesis(self) -> str:
        return self.genesis_hash

    async def head(self) -> Block:
        return self.found[max(self.found)]

    async def block(self, number: int) -> Block:
        if number > HEAD:
            raise ChainError(f"block {number} is not final: ask again later")
        plain = Block(number=number, hash=World.block_hash(number), timestamp_ms=0, epoch=0)
        return self.found.get(number, plain)

    async def metagraph(self, number: int) -> list[Neuron]:
        return self.neurons[number]

    async def hyperparameters(self, number: int) -> Hyperparameters:
        return LIMITS

    async def weights(self, uid: int, number: int) -> dict[int, int]:
        return self.rows.get(await self.last_update(uid, number), {})

    async def last_update(self, uid: int, number: int) -> int:
        assert uid == 0
        return max((block for block in self.rows if block <= number), default=0)

    async def commitment(self, hotkey: str, number: int) -> Commitment | None:
        block = max((b for b in self.committed if b <= number), default=None)
        if hotkey != self.hotkey or block is None:
            return None
        return Commitment(digest=self.committed[block], block=block)

    def blocks(self, after: int) -> AsyncIterator[Block]:
        raise NotImplementedError

    async def outcome(self, extrinsic: str, number: int) -> Outcome | None:
        raise NotImplementedError

    async def serve(self, signer: Signer, endpoint: str) -> None:
        raise NotImplementedError

    async def submit_weights(self, signer: Signer, row: Mapping[int, int], version_key: int) -> str:
        raise NotImplementedError

    async def set_commitment(self, signer: Signer, digest: str) -> str:
        raise NotImplementedError


def recorded() -> tuple[Forging, ScriptedChain]:
    """The played log with a confirmed row and an anchor, and the chain that it tells of."""
    log = Forging(played())
    row = log.one(WeightsComputed, lambda e: e.epoch == 3)
    first = log.one(PolicyAdopted)
    limits = msgspec.structs.asdict(LIMITS)
    log.add(
        first,
        HyperparametersObserved(number=0, hash=World.block_hash(0), **limits),
        "chain-observer",
    )
    intent = log.add(row, WeightsIntended(epoch=3, attempt=0, block=INTENT))
    signed = log.add(intent, CheckpointSigned(size=0, root="0" * 64, note=""), "checkpointer")
    confirmed = WeightsConfirmed(epoch=3, attempt=0, block=SEEN, block_hash=World.block_hash(SEEN))
    landed = log.add(signed, confirmed, "weight-setter")
    verified = WeightsVerified(epoch=3, attempt=0, block=SEEN + 1, equal=True)
    last = log.add(landed, verified)
    anchor = CheckpointAnchored(
        size=log.place(signed) - 1,
        attempt=0,
        block=SEEN,
        block_hash=World.block_hash(SEEN),
        previous=None,
    )
    log.add(last, anchor, "checkpointer")
    return log, chain_of(log, signed)


def chain_of(log: Forging, signed: Item) -> ScriptedChain:
    """The chain that an honest log was written beside."""
    world = log.world
    found = {}
    for b in (item.event for item in log.all(BlockObserved)):
        block = Block(number=b.number, hash=b.hash, timestamp_ms=b.timestamp_ms, epoch=b.epoch)
        found[b.number] = block
    decode = msgspec.json.Decoder(list[Neuron]).decode
    graphs = [item.event for item in log.all(MetagraphObserved)]
    note = event_of(log.lines()[log.place(signed) - 1])
    assert isinstance(note, CheckpointSigned)
    row = log.one(WeightsComputed, lambda e: e.epoch == 3).event
    return ScriptedChain(
        world.genesis,
        world.hotkey.ss58_address,
        found,
        {g.number: decode(world.log.blobs.get(g.neurons)) for g in graphs},
        rows={LANDED: {w.uid: w.u16 for w in row.weights if w.u16}},
        committed={LANDED: anchor_digest(note.note)},
    )


def judged(log: Forging, chain: ScriptedChain) -> Report:
    """An audit, compared with the chain."""

    async def judge() -> Report:
        lines = LineLog(log.lines(), log.world.log.blobs)
        return await compare([lines], await audit_log(lines), chain, lambda done: None)

    return anyio.run(judge)


def test_an_honest_log_equals_its_chain() -> None:
    """Nothing of the chain is left unchecked, and the report says what was compared."""
    log, chain = recorded()
    report = judged(log, chain)
    assert report.result == "clean", report.first_divergence
    blocks, graphs = len(log.all(BlockObserved)), len(log.all(MetagraphObserved))
    assert f"{blocks} blocks, {graphs} metagraphs and 1 rows equal the chain's" in report.proved
    assert "1 checkpoints anchored on the chain" in report.proved
    assert not [line for line in report.not_checked if line.startswith("chain")]
    assert report.assumed["metagraphs_without_chain"] == 0


def another(chain: ScriptedChain, number: int, **changes: Any) -> None:
    chain.found[number] = msgspec.structs.replace(chain.found[number], **changes)


def moved_miner(chain: ScriptedChain) -> None:
    first, second, *rest = chain.neurons[75]
    chain.neurons[75] = [first, msgspec.structs.replace(second, endpoint=None), *rest]


Change = Callable[[ScriptedChain], Any]
OTHER = "0x" + "cd" * 32
CHANGES: dict[str, tuple[Change, type[Any], str]] = {
    "genesis": (lambda c: setattr(c, "genesis_hash", OTHER), object, "genesis"),
    "netuid": (lambda c: setattr(c, "netuid", 1), object, "netuid"),
    "block hash": (lambda c: another(c, 78, hash=OTHER), BlockObserved, "hash"),
    "block time": (lambda c: another(c, 78, timestamp_ms=1), BlockObserved, "timestamp_ms"),
    "epoch": (lambda c: another(c, 78, epoch=9), BlockObserved, "epoch"),
    "metagraph": (moved_miner, MetagraphObserved, "neurons"),
    "fewer miners": (lambda c: c.neurons[75].pop(), MetagraphObserved, "neurons"),
    "row": (lambda c: c.rows.update({LANDED: {1: 65535}}), WeightsConfirmed, "row"),
    "no row": (lambda c: c.rows.clear(), WeightsConfirmed, "row"),
    "older row": (lambda c: c.rows.update({9: c.rows.pop(LANDED)}), MetagraphObserved, "row"),
    "second row": (lambda c: c.rows.update({260: {1: 65535}}), MetagraphObserved, "row"),
    "anchor": (lambda c: c.committed.update({LANDED: "0" * 64}), CheckpointAnchored, "commitment"),
    "no anchor": (lambda c: c.committed.clear(), CheckpointAnchored, "commitment"),
}


@pytest.mark.parametrize(("change", "kind", "name"), CHANGES.values(), ids=CHANGES)
def test_a_chain_that_says_otherwise_is_named(change: Change, kind: type[Any], name: str) -> None:
    """The first event that the chain contradicts, at the level of the chain."""
    log, chain = recorded()
    change(chain)
    report = judged(log, chain)
    first = report.first_divergence
    assert first is not None
    assert isinstance(log.items[first.seq - 1].event, kind)
    assert (first.level, report.proved) == ("chain", [])
    assert (first.field or "").startswith(name)
    assert first.recorded != first.recomputed


def test_another_chain_is_no_confirmation() -> None:
    """Beside a foreign chain the metagraphs stay assumed."""
    log, chain = recorded()
    chain.genesis_hash = OTHER
    report = judged(log, chain)
    first_is(report, 1, "chain", "the chain says otherwise")
    assert report.findings == 1
    assert report.assumed["metagraphs_without_chain"] > 0
    assert [line for line in report.not_checked if line.startswith("chain")]


def test_a_confirmation_at_another_block_is_named() -> None:
    """The block of a confirmation must have the hash that it names."""
    log, chain = recorded()
    item = log.edit(log.one(WeightsConfirmed), block_hash=OTHER)
    first_is(judged(log, chain), log.place(item), "chain", "the chain says otherwise")


def test_a_row_that_is_still_under_way_is_no_finding() -> None:
    """The log may end between the extrinsic and its confirmation; a refusal explains nothing."""
    log, chain = recorded()
    log.drop_slots("anchor", "weights.3.0.outcome", "weights.3.0.verified")
    report = judged(log, chain)
    assert report.result == "clean", report.first_divergence
    failed = WeightsFailed(epoch=3, attempt=0, code="refused", reason="x")
    log.add(log.one(WeightsIntended), failed)
    chain.committed.clear()
    after = log.all(MetagraphObserved)[-1]
    first_is(judged(log, chain), log.place(after), "chain", "took a row")


def test_an_anchor_of_another_log_is_named() -> None:
    """25, 40: what the chain holds of this hotkey must be a checkpoint of this log."""
    log, chain = recorded()
    log.drop_slots("anchor")
    chain.committed[LANDED] = "ab" * 32
    newest = log.all(BlockObserved)[-1]
    first_is(judged(log, chain), log.place(newest), "chain", "of no checkpoint here")


def test_a_log_that_goes_on_is_said_to() -> None:
    """40: an anchor younger than the log's last block says that there is more of it."""
    log, chain = recorded()
    chain.committed[HEAD + 5] = "ab" * 32
    chain.found[HEAD + 5] = msgspec.structs.replace(chain.found[300], number=HEAD + 5)
    report = judged(log, chain)
    assert report.result == "clean", report.first_divergence
    assert [line for line in report.not_checked if "ask its validator for what comes after" in line]


def test_rounds_before_the_first_anchor_are_counted() -> None:
    """25: nothing shows that their secrets are older than their beacons."""
    log, chain = recorded()
    report = judged(log, chain)
    assert [line for line in report.not_checked if line.startswith("beacons: 3 rounds began")]


def test_a_finding_of_the_replay_stays_first() -> None:
    """One verdict: the earliest event of either kind is named, and both are counted."""
    log, chain = recorded()
    item = log.edit(log.one(RunStarted), run=2)
    chain.committed.clear()
    report = judged(log, chain)
    first_is(report, log.place(item), "lifecycle", "runs are numbered")
    assert report.findings == 2


def test_a_chain_that_is_behind_cannot_confirm() -> None:
    """A block that the chain does not have yet ends with 75, not with a verdict."""
    log, chain = recorded()
    log.edit(log.all(BlockObserved)[-1], number=HEAD + 1, head=HEAD + 1)
    with pytest.raises(ChainError, match="ask again later"):
        judged(log, chain)


@pytest.mark.parametrize("network", ["finney", "test"])
def test_a_played_log_is_not_compared_with_a_network(tmp_path: Path, network: str) -> None:
    """What was simulated is no live log, and nothing is asked of the network."""
    folder = write_archive(tmp_path / "a", played(), played().lines)
    with pytest.raises(UsageError, match="simulation and no live one"):
        audit_command(str(folder), chain=network)


def test_a_chain_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Exit 75, and what to do."""
    folder = write_archive(tmp_path / "a", played(), played().lines)

    async def opened() -> None:
        async with open_chain(ArchiveLog(folder), "ws://127.0.0.1:9", None):
            raise AssertionError("there is no chain")

    with pytest.raises(ChainError, match="check the address") as caught:
        anyio.run(opened)
    assert caught.value.exit_code == 75
