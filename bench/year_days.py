"""A day of a validator as ``bench/year.py`` plays it: the real rules, and a scripted world."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from quasar.actors.checkpointer import ACTOR as CHECKPOINTER
from quasar.actors.checkpointer import Checkpointer
from quasar.draw import Draw
from quasar.events import (
    BlockObserved,
    CheckpointAnchored,
    HyperparametersObserved,
    LogClosed,
    LogClosing,
    MetagraphObserved,
    Neuron,
    RunEnded,
    WeightsConfirmed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsVerified,
)
from quasar.events.envelope import tag_of
from quasar.events.receipt import QuotedBlock, SignedCheckpoint, digest, statement_bytes
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from quasar.rules import anchoring, observing
from quasar.rules.forecast import EPOCH_BLOCKS
from quasar.rules.machine import Recorded
from quasar.rules.plan import PlannedTask, plan_tasks
from quasar.rules.policy import parse
from quasar.rules.secrets import round_seed
from tests.builders import BEACON_DELAY, BLOCK_NS, START_NS, World, small_policy
from tests.forging import few_tasks

DAY_BLOCKS = 7200
HYPER: dict[str, Any] = {
    "tempo": EPOCH_BLOCKS - 1,
    "weights_rate_limit": 100,
    "min_allowed_weights": 1,
    "max_weights_limit": 65535,
    "weights_version": 0,
    "commit_reveal": False,
}
SMALL = {
    "round_every_blocks = 75 ": f"round_every_blocks = {DAY_BLOCKS} ",
    "tokens = 2_000\n": "tokens = 1_100\n",
    "tokens = 3_000\n": "tokens = 1_200\n",
    "tokens = 4_000\n": "tokens = 1_300\n",
    "tokens = 5_000\n": "tokens = 1_400\n",
}
POLICIES = {9: small_policy(**SMALL), 3: few_tasks(**SMALL)}
"""By tasks a round: all of readme-v1's, or one of its first bucket and two of its second."""


class Day(World):
    """A volume of one day. ``before``: the day whose state it carries on."""

    def __init__(self, miners: int, policy: bytes, before: "Day | None") -> None:
        super().__init__(miners=miners, policy=policy, before=before)
        self.number = self.volume
        self._observer = observing.ObserverState()
        self._folded = 0
        self._rows: list[Any] = []
        self._signed: Any = None
        """The newest CheckpointSigned."""
        self._anchors = anchoring.AnchorState()

    async def play(self, keeper: "Keeper") -> None:
        """Every block of the day, and what follows from it."""
        await self.open()
        self.before = None  # it was needed for LogOpened; a year of them would fill the memory
        await self._anchored(keeper)
        first = (self.number - 1) * DAY_BLOCKS + DAY_BLOCKS // 2
        for head in range(first, first + DAY_BLOCKS):
            while (number := self._wanted(head)) is not None:
                await self._observe(number, head)
                await self._answer(keeper)
                await self._set_rows(keeper)
                await keeper.kept_up()
        await self.append("supervisor", LogClosing(reason="86400 s are a volume"))
        await self.settle()
        await self.append("supervisor", RunEnded(run=self.number, reason="the volume closes"))
        await self.append("supervisor", LogClosed(events=await self.log.head()))

    def _wanted(self, head: int) -> int | None:
        self._fold()
        return observing.wanted(self._observer, head, head // EPOCH_BLOCKS)

    def _fold(self) -> None:
        """What is new, into the observer's state and the rows that are due."""
        for seq in range(self._folded + 1, len(self.log._lines) + 1):
            tag = tag_of(self.line(seq))
            if tag in OBSERVED:
                seen = Recorded(seq, self.line(seq))
                self._observer = observing.evolve(self._observer, seen, self.log.blobs)
            if tag in ANCHORING:
                seen = Recorded(seq, self.line(seq))
                self._anchors = anchoring.evolve(self._anchors, seen, self.log.blobs)
            if tag == "WeightsComputed":
                self._rows.append(Recorded(seq, self.line(seq)).event)
            if tag == "CheckpointSigned":
                self._signed = Recorded(seq, self.line(seq)).event
        self._folded = len(self.log._lines)

    async def _observe(self, number: int, head: int) -> None:
        """As ChainObserver does."""
        self.now = START_NS + number * BLOCK_NS
        hash_, epoch = self.block_hash(number), number // EPOCH_BLOCKS
        if self._observer.fresh:
            hyper = HyperparametersObserved(number=number, hash=hash_, **HYPER)
            await self.append(observing.ACTOR, hyper)
        if observing.needs_metagraph(self._observer, number, epoch):
            blob = self.log.blobs.put(msgspec.json.encode(self._neurons(number)))
            await self.append(
                observing.ACTOR, MetagraphObserved(number=number, hash=hash_, neurons=blob)
            )
        await self.append(
            observing.ACTOR,
            BlockObserved(
                number=number, hash=hash_, timestamp_ms=self.now // 10**6, epoch=epoch, head=head
            ),
        )
        await self.settle()

    def _neurons(self, number: int) -> list[Neuron]:
        """Someone always has a new address: no two metagraphs are one blob."""
        found = [Neuron(uid=0, hotkey=self.hotkey.ss58_address, endpoint=None)]
        for uid, hotkey in enumerate(self.miners, 1):
            found.append(Neuron(uid=uid, hotkey=hotkey, endpoint=f"203.0.113.{uid % 256}:{number}"))
        return found

    async def _answer(self, keeper: "Keeper") -> None:
        """Every open delivery, at once, where the block was a beacon."""
        if tag_of(self.log._lines[-1]) != "TaskAssigned":
            return
        plans: dict[int, list[PlannedTask]] = {}
        unproved: dict[str, list[str]] = {}
        for i, d in enumerate(self.open_deliveries()):
            round_, task, hotkey = d.key
            if round_ not in plans:
                beacon = self.block_hash(round_ * DAY_BLOCKS + BEACON_DELAY)
                seed = round_seed(self.secrets.secret(round_), beacon)
                plans[round_] = list(plan_tasks(seed, parse(self.policy)))
            right = Draw(hotkey.encode(), f"{round_}/{task}").below(16) < len(unproved) % 16
            said = plans[round_][task].variant(hotkey).instance.answer if right else "1"
            waiting = unproved.setdefault(hotkey, [])
            event = self._received(d, f"ANSWER: {said}".encode(), waiting)
            await self.deliver(d, self.acceptance(d), event)
            waiting.append(digest(event.receipt))
            if i % 128 == 127:
                await keeper.kept_up()
                self._fold()
        await self.settle()

    def _received(self, d: Any, answer: bytes, waiting: list[str]) -> Any:
        """With a receipt as long as in the sample: checkpoint, block, what is not proved yet."""
        quoted = SignedCheckpoint(size=self._signed.size, root=self._signed.root)
        plain = self.received(d, answer, checkpoint=quoted)
        receipt = msgspec.structs.replace(
            plain.receipt,
            block=QuotedBlock(number=self._observer.block or 0, hash=self.block_hash(1)),
            unacknowledged=waiting[-16:],
        )
        self.receipts[d.key[2]] = digest(receipt)
        signature = self.miners[d.key[2]].sign(statement_bytes(receipt)).hex()
        return msgspec.structs.replace(plain, receipt=receipt, signature=signature)

    async def _set_rows(self, keeper: "Keeper") -> None:
        """WeightSetter's part, where a row was computed."""
        self._fold()
        while self._rows:
            epoch, block = self._rows.pop().epoch, self._observer.block or 0
            intended = WeightsIntended(epoch=epoch, attempt=0, block=block)
            await self.append("weight-setter", intended)
            await self._anchored(keeper)
            name, seen = self.block_hash(-epoch), self.block_hash(block + 1)
            for event in (
                WeightsSubmitted(epoch=epoch, attempt=0, extrinsic=name),
                WeightsConfirmed(epoch=epoch, attempt=0, block=block + 1, block_hash=seen),
                WeightsVerified(epoch=epoch, attempt=0, block=block + 2, equal=True),
            ):
                await self.append("weight-setter", event)

    async def _anchored(self, keeper: "Keeper") -> None:
        """The chain took the newest checkpoint."""
        await keeper.kept_up()
        self._fold()
        assert self._anchors.due is not None
        anchored = CheckpointAnchored(
            size=self._anchors.due,
            attempt=0,
            block=self._observer.block or 0,
            block_hash=self.block_hash(self._anchors.due),
            previous=self._anchors.previous,
        )
        await self.append(CHECKPOINTER, anchored)


@dataclass
class Keeper:
    """The real Checkpointer beside a day."""

    day: Day
    writer: ArchiveWriter
    actor: Checkpointer

    @classmethod
    @asynccontextmanager
    async def beside(cls, day: Day, folder: Path) -> AsyncIterator["Keeper"]:
        """Copies while the context is open, then seals."""
        with ArchiveWriter.open(folder, identity_of(day)) as writer:
            actor = Checkpointer(day.log, writer, day.log_key, day.origin)
            keeper = cls(day, writer, actor)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(actor.run)
                yield keeper
                await keeper.kept_up()
                tasks.cancel_scope.cancel()
            for data in day.log.blobs._held.values():  # type: ignore[attr-defined]
                writer.put_blob(data)
            await Checkpointer(day.log, writer, day.log_key, day.origin).seal()

    async def kept_up(self) -> None:
        """Wait until everything is copied, and signed where that is due."""
        threads, steady = anyio.to_thread.current_default_thread_limiter(), 0
        while steady < 4:
            held = self.writer.size + len(self.actor._pending)
            still = held == len(self.day.log._lines) and not threads.borrowed_tokens
            steady = steady + 1 if still else 0
            await anyio.sleep(0 if still else 0.0005)


OBSERVED = frozenset(kind.__name__ for kind in observing.SUBSCRIBES)
ANCHORING = frozenset(kind.__name__ for kind in anchoring.SUBSCRIBES)


def identity_of(day: Day) -> ArchiveIdentity:
    return ArchiveIdentity(
        log_id=day.log_id,
        volume=day.volume,
        netuid=24,
        hotkey=day.hotkey.ss58_address,
        genesis=day.genesis,
    )
