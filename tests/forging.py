"""A played log taken apart, so that a forger can edit it and sign it again."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec

from quasar.events import (
    AnyEvent,
    CheckpointAnchored,
    CheckpointSigned,
    DeliveryTried,
    Event,
    Evidence,
    RoundScored,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft, decode, encode
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from quasar.replay import Report
from quasar.replay.audit import ALONE
from quasar.replay.audit import audit as audit_log
from quasar.replay.finding import Level
from quasar.rules.scoring import ScoringRule
from quasar.rules.weights import WeightRule
from tests.builders import LineLog, Play, World, small_policy

E = TypeVar("E", bound=Event)

WEIGHTS_STEPS = (
    WeightsIntended,
    WeightsSubmitted,
    WeightsConfirmed,
    WeightsFailed,
    WeightsUnknown,
    WeightsVerified,
)
"""A row causes what is done with it."""


def few_tasks(**changes: str) -> bytes:
    """A policy with one task of the first bucket and two of the second."""
    toml = small_policy(**{"tasks = 4": "tasks = 1", **changes}).decode()
    head, _, rest = toml.partition('[[mix]]\nfamily = "factbook@1"\nbucket = "512k"')
    return (head + rest[rest.index("[answers]") :]).encode()


@cache
def played() -> World:
    """Three rounds of three miners; in the second, every way to fail. Not to be changed."""
    world = World(miners=3, policy=few_tasks())
    anyio.run(_play, world)
    return world


async def _play(world: World) -> None:
    await world.play_round(1)
    await world.checkpoint()
    await world.start_round(2)
    await fail_in_every_way(world)
    await world.checkpoint()
    await world.play_round(3)
    await world.block(300, epoch=4, metagraph=True)
    await world.checkpoint()


async def fail_in_every_way(world: World) -> None:
    """Nine assignments: three right, then late, long, refused, silent, unreachable, cut off."""
    d = world.open_deliveries()
    for ok in (0, 1, 2):
        answer = world.right_answer(*d[ok].key)
        await world.deliver(d[ok], world.acceptance(d[ok]), world.received(d[ok], answer))
    late = world.received(d[3], world.right_answer(*d[3].key), elapsed_ms=d[3].request.deadline_ms)
    late = msgspec.structs.replace(late, elapsed_ms=late.deadline_ms + 1)
    await world.deliver(d[3], world.acceptance(d[3]), late)
    await world.deliver(d[4], world.acceptance(d[4]), world.received(d[4], b"x" * 5000))
    await world.deliver(d[5], world.refused(d[5]))
    await world.deliver(d[6], world.acceptance(d[6]), world.abandoned(d[6], "answer", "timeout"))
    await world.deliver(d[7], world.abandoned(d[7]))
    await world.deliver(d[8], world.abandoned(d[8], "upload", "reset"))
    await world.settle()


def report_of(
    lines: list[bytes],
    blobs: Blobs,
    hotkey: str | None = None,
    levels: Collection[Level] = ALONE,
) -> Report:
    """An audit of lines without a tree."""
    return anyio.run(lambda: audit_log(LineLog(lines, blobs), hotkey=hotkey, levels=levels))


def identity_of(world: World) -> ArchiveIdentity:
    """What the world's archive is called."""
    return ArchiveIdentity(
        log_id=world.log_id,
        volume=1,
        netuid=24,
        hotkey=world.hotkey.ss58_address,
        genesis=world.genesis,
    )


def write_archive(folder: Path, world: World, lines: list[bytes]) -> Path:
    """The lines as a fully signed archive, with a checkpoint over all and each that the log has."""
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        named = b"".join(lines)
        for sha256, data in world.log.blobs._held.items():  # type: ignore[attr-defined]
            if f'"sha256":"{sha256}"'.encode() in named:
                writer.put_blob(data)
        writer.append(lines)
        writer.flush()
        sizes = [e.size for e in map(event_of, lines) if isinstance(e, CheckpointSigned)]
        for size in (*sizes, len(lines)):
            head = Checkpoint(world.origin, size, writer.tree.root(size))
            writer.publish(sign_checkpoint(head, world.log_key), size)
    return folder


def event_of(line: bytes) -> AnyEvent:
    """The event in a line."""
    return decode(line).event


@dataclass(eq=False)
class Item:
    """An event on its way into the forged log."""

    seq: int
    """In the honest log; 0 for one that the forger adds."""
    at: int
    actor: str
    cause: int
    """By the honest log's numbers."""
    event: Any


@dataclass
class Forging:
    """The log in the forger's hands, who holds every key of the validator."""

    world: World
    items: list[Item] = field(init=False)

    def __post_init__(self) -> None:
        envelopes = [decode(line) for line in self.world.lines]
        self.items = [
            Item(seq, e.at, e.actor, e.cause, e.event) for seq, e in enumerate(envelopes, 1)
        ]

    def all(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> list[Item]:
        """Events of a type."""
        return [i for i in self.items if isinstance(i.event, kind) and where(i.event)]

    def one(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> Item:
        """The first of them."""
        return self.all(kind, where)[0]

    def edit(self, item: Item, **changes: Any) -> Item:
        """Change fields of an event."""
        item.event = msgspec.structs.replace(item.event, **changes)
        return item

    def drop(self, items: list[Item]) -> None:
        """Leave events out."""
        self.items = [i for i in self.items if i not in items]

    def drop_slots(self, *starts: str) -> None:
        """Leave out every event whose slot starts so."""
        self.items = [i for i in self.items if not i.event.slot.startswith(starts)]

    def add(self, after: Item, event: AnyEvent, actor: str | None = None) -> Item:
        """Put a new event behind another, as if by the same actor from the same cause."""
        cause = after.cause
        if isinstance(event, WEIGHTS_STEPS):
            rows = self.all(WeightsComputed, lambda row: bool(row.epoch == event.epoch))
            cause = rows[0].seq if rows else cause
        item = Item(0, after.at, actor or after.actor, cause, event)
        self.items.insert(self.items.index(after) + 1, item)
        return item

    def decide_again(self) -> None:
        """Make round means and rows follow from the forged scores."""
        for rule, kind in ((ScoringRule(), RoundScored), (WeightRule(), WeightsComputed)):
            player = Play(rule, self.world.log.blobs)
            decided = [
                d.event for s, line in enumerate(self.lines(), 1) for d in player.step(s, line)
            ]
            follows = {event.slot: event for event in decided if isinstance(event, kind)}
            for item in self.items:
                item.event = follows.get(item.event.slot, item.event)

    def lines(self) -> list[bytes]:
        """The forged log: renumbered, with its checkpoints signed again."""
        return list(self._lines())

    def _lines(self) -> Iterator[bytes]:
        place = {item.seq: seq for seq, item in enumerate(self.items, 1) if item.seq}
        tree, moved = Tree(), dict[int, int]()
        for item in self.items:
            event, cause = item.event, place.get(item.cause, item.cause)
            if isinstance(event, CheckpointSigned):
                cause = tree.size
                head = Checkpoint(self.world.origin, tree.size, tree.root())
                note = sign_checkpoint(head, self.world.log_key)
                moved[event.size] = tree.size
                event = CheckpointSigned(size=tree.size, root=tree.root().hex(), note=note)
            elif isinstance(event, CheckpointAnchored) and item.seq:
                size = moved.get(event.size, event.size)
                event = msgspec.structs.replace(event, size=size)
            line = encode(Draft(actor=item.actor, cause=cause, event=event), item.at)
            tree.append(leaf_hash(line))
            yield line

    def place(self, item: Item) -> int:
        """Its number in the forged log."""
        return self.items.index(item) + 1


def first_is(report: Report, seq: int, level: str, reason: str) -> None:
    """The report must name this event, at this level, for this reason."""
    first = report.first_divergence
    assert report.result == "divergent"
    assert report.proved == []
    assert first is not None
    assert (first.seq, first.level) == (seq, level), first
    assert reason in first.reason


def in_round(number: int) -> Callable[[Any], bool]:
    """Events of a round."""
    return lambda event: bool(event.round == number)


def tried(item: Item) -> DeliveryTried:
    """A failed first attempt at the assignment of an event."""
    evidence = Evidence(stage="connect", code="refused", bytes=0, elapsed_ms=1)
    e = item.event
    return DeliveryTried(round=e.round, task=e.task, hotkey=e.hotkey, attempt=1, evidence=evidence)
