"""What a log says of the chain, compared with a chain that the caller hands in."""

import msgspec

from quasar.chain import Block, Chain
from quasar.events import (
    BlockObserved,
    CheckpointAnchored,
    CheckpointSigned,
    HyperparametersObserved,
    LogOpened,
    MetagraphObserved,
    Neuron,
    RoundOpened,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsUnknown,
)
from quasar.events.blobs import Blobs
from quasar.replay.finding import LISTED, Finding, Report
from quasar.rules.anchoring import anchor_digest
from quasar.rules.machine import Recorded

_encode = msgspec.json.Encoder().encode
_neurons = msgspec.json.Decoder(list[Neuron]).decode


class ChainCheck:
    """Feeds on every event in order, and asks the chain about each that speaks of it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._blobs: Blobs
        self._volume: int | None = None
        self.findings: list[Finding] = []
        self.blocks = self.metagraphs = self.rows = self.anchors = 0
        """Compared, and equal if there are no findings."""
        self.foreign = False
        """Another chain or subnet: the rest would tell nothing."""
        self._seen: dict[int, Block] = {}
        self._hotkey = ""
        self._uid: int | None = None
        self._rows: dict[int, dict[int, int]] = {}
        self._intents: dict[tuple[int, int], int] = {}
        """Epoch and attempt to the intent's block, while its outcome is not recorded."""
        self._notes: dict[int, str] = {}
        self._explained = 0
        """Block up to which the log explains the row on chain."""
        self._newest: tuple[Recorded, int] | None = None
        """Newest block that the log saw."""
        self._first: int | None = None
        """Its first."""
        self._signed: set[str] = set()
        """Digests of all checkpoints of the log, which alone may be anchored."""
        self._anchored = self._unanchored = 0
        self.notes: list[str] = []
        """What the chain leaves open."""

    def begin(self, blobs: Blobs, volume: int | None = None) -> None:
        """Events of another volume follow, which names these blobs."""
        self._blobs, self._volume = blobs, volume

    async def feed(self, seen: Recorded) -> None:
        """Compare one event. Raises ChainError."""
        match seen.event:
            case LogOpened() as opened:
                await self._open(seen, opened)
            case BlockObserved() as block:
                await self._block(seen, block)
            case MetagraphObserved() as observed:
                await self._metagraph(seen, observed)
            case HyperparametersObserved() as observed_:
                await self._hyperparameters(seen, observed_)
            case WeightsComputed(epoch=epoch, weights=weights):
                self._rows[epoch] = {w.uid: w.u16 for w in weights if w.u16}
            case WeightsIntended(epoch=epoch, attempt=attempt, block=number):
                self._intents[(epoch, attempt)] = number
            case WeightsFailed() | WeightsUnknown() as ended:
                self._intents.pop((ended.epoch, ended.attempt), None)
            case WeightsConfirmed() as confirmed:
                await self._row(seen, confirmed)
            case CheckpointSigned(size=size, note=note):
                self._notes[size] = note
                self._signed.add(anchor_digest(note))
            case RoundOpened(beacon_block=beacon):
                self._unanchored += not self._anchored or beacon <= self._anchored
            case CheckpointAnchored() as anchored:
                await self._anchor(seen, anchored)

    async def finish(self) -> None:
        """After the last event: the chain holds no row and no anchor that the log does not."""
        if self.foreign or self._newest is None:
            return
        seen, number = self._newest
        await self._unexplained(seen, number)
        await self._anchors(seen, number)

    async def _unexplained(self, seen: Recorded, number: int) -> None:
        """A row that this validator set and that no event up to here tells of."""
        if self._uid is None:
            return
        updated = await self._chain.last_update(self._uid, number)
        under_way = any(updated >= block for block in self._intents.values())
        if updated <= self._explained or under_way:
            return
        if await self._chain.weights(self._uid, number):
            reason = f"the chain took a row of this validator at block {updated}, and no event did"
            self._report(seen, "row", None, updated, reason)
            self._explained = updated

    async def _anchors(self, seen: Recorded, number: int) -> None:
        """The newest anchor is of a checkpoint of this log, unless the log ends before it."""
        if self._unanchored:
            self.notes.append(
                f"beacons: {self._unanchored} rounds began before the chain held an anchor of this "
                "log, so nothing shows that their secrets are older than their beacons"
            )
        found = await self._chain.commitment(self._hotkey, (await self._chain.head()).number)
        if found is None or found.digest in self._signed or found.block < (self._first or 0):
            return
        if found.block > number:
            self.notes.append(
                f"the rest: the chain holds an anchor of block {found.block}, and this log ends at "
                f"block {number}: ask its validator for what comes after, or for another history"
            )
            return
        reason = f"the chain holds an anchor of block {found.block} that is of no checkpoint here"
        self._report(seen, "commitment", None, found.digest, reason)

    async def _open(self, seen: Recorded, opened: LogOpened) -> None:
        self._hotkey = opened.hotkey
        before = len(self.findings)
        self._compare(seen, "genesis", opened.genesis, await self._chain.genesis())
        self._compare(seen, "netuid", opened.netuid, self._chain.netuid)
        self.foreign = len(self.findings) > before

    async def _block(self, seen: Recorded, recorded: BlockObserved) -> None:
        block = await self._at(recorded.number)
        for name in ("hash", "timestamp_ms", "epoch"):
            self._compare(seen, name, getattr(recorded, name), getattr(block, name))
        if self._newest is None:
            # A row from before this log is none of its business.
            self._explained = max(0, recorded.number - 1)
            self._first = recorded.number
        self._newest = seen, recorded.number
        self.blocks += 1

    async def _metagraph(self, seen: Recorded, recorded: MetagraphObserved) -> None:
        data = self._blobs.get(recorded.neurons)
        self._uid = next((n.uid for n in _neurons(data) if n.hotkey == self._hotkey), None)
        self._compare(seen, "hash", recorded.hash, (await self._at(recorded.number)).hash)
        actual = _encode(await self._chain.metagraph(recorded.number))
        if actual != data:
            self._compare(seen, "neurons", *_first_other(_neurons(data), _neurons(actual)))
        if self._newest is not None:
            await self._unexplained(seen, recorded.number)
        self.metagraphs += 1

    async def _hyperparameters(self, seen: Recorded, recorded: HyperparametersObserved) -> None:
        actual = await self._chain.hyperparameters(recorded.number)
        self._compare(seen, "hash", recorded.hash, (await self._at(recorded.number)).hash)
        for name, value in msgspec.structs.asdict(actual).items():
            self._compare(seen, name, getattr(recorded, name), value)

    async def _row(self, seen: Recorded, confirmed: WeightsConfirmed) -> None:
        number = confirmed.block
        self._compare(seen, "block_hash", confirmed.block_hash, (await self._at(number)).hash)
        if self._uid is None:
            self._report(seen, "uid", None, None, "a row of a validator that is not registered")
            return
        row = self._rows.get(confirmed.epoch, {})
        self._compare(seen, "row", *_differing(row, await self._chain.weights(self._uid, number)))
        updated = await self._chain.last_update(self._uid, number)
        intended = self._intents.pop((confirmed.epoch, confirmed.attempt), 0)
        if not intended < updated <= number:
            reason = f"the chain took no row of this validator in blocks {intended} to {number}"
            self._report(seen, "last_update", number, updated, reason)
        self._explained = max(self._explained, updated)
        self.rows += 1

    async def _anchor(self, seen: Recorded, anchored: CheckpointAnchored) -> None:
        block = await self._at(anchored.block)
        self._compare(seen, "block_hash", anchored.block_hash, block.hash)
        note = self._notes.get(anchored.size)
        digest = anchor_digest(note) if note else None
        found = await self._chain.commitment(self._hotkey, anchored.block)
        self._compare(seen, "commitment", digest, found.digest if found else None)
        self._anchored = self._anchored or anchored.block
        self.anchors += 1

    async def _at(self, number: int) -> Block:
        if number not in self._seen:
            self._seen[number] = await self._chain.block(number)
        return self._seen[number]

    def _compare(self, seen: Recorded, field: str, recorded: object, actual: object) -> None:
        if recorded != actual:
            self._report(seen, field, recorded, actual, "the chain says otherwise")

    def _report(
        self, seen: Recorded, field: str, recorded: object, actual: object, reason: str
    ) -> None:
        self.findings.append(
            Finding(
                seq=seen.seq,
                level="chain",
                type=type(seen.event).__name__,
                field=field,
                recorded=_shown(recorded),
                recomputed=_shown(actual),
                reason=reason,
                volume=self._volume,
            )
        )


def merged(report: Report, check: ChainCheck) -> Report:
    """One verdict of both."""
    found = sorted([*check.findings, *report.listed], key=lambda f: (f.volume or 0, f.seq))
    proved = [
        *report.proved,
        f"{check.blocks} blocks, {check.metagraphs} metagraphs and {check.rows} rows equal the "
        "chain's",
    ]
    if check.anchors:
        proved.append(f"{check.anchors} checkpoints anchored on the chain")
    compared = {} if check.foreign else {"metagraphs_without_chain": 0}
    return msgspec.structs.replace(
        report,
        result="divergent" if found else "clean",
        proved=[] if found else proved,
        not_checked=[
            *(n for n in report.not_checked if check.foreign or not n.startswith("chain:")),
            *check.notes,
        ],
        assumed=report.assumed | compared,
        findings=report.findings + len(check.findings),
        first_divergence=found[0] if found else None,
        listed=found[:LISTED],
    )


def _first_other(recorded: list[Neuron], actual: list[Neuron]) -> tuple[object, object]:
    """The first neuron that differs, or how many there are."""
    for one, two in zip(recorded, actual, strict=False):
        if one != two:
            return one, two
    return f"{len(recorded)} neurons", f"{len(actual)} neurons"


def _differing(recorded: dict[int, int], actual: dict[int, int]) -> tuple[object, object]:
    """Both rows without the uids on which they agree."""
    others = [u for u in sorted(recorded | actual) if recorded.get(u) != actual.get(u)]
    return {u: recorded.get(u) for u in others}, {u: actual.get(u) for u in others}


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()[:200]
