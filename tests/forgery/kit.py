"""The forging replayer: edit a recorded log, and let the validator's own rules decide what follows.

The forger holds every key of the validator. Facts are taken from the honest log as the forger wants
them; decisions are made anew by the rules after each fact, unless the forger puts one of his own in
a slot; then all is numbered, hashed and signed again. What a miner signed stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from quasar.events import (
    AnyEvent,
    Blob,
    CheckpointAnchored,
    CheckpointSigned,
    Event,
    HyperparametersObserved,
    Kind,
    MetagraphObserved,
)
from quasar.events.envelope import Draft, decode, encode
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.rules.anchoring import anchor_digest
from quasar.rules.policy import recorded_policy
from quasar.rules.sampling import SamplingRule
from quasar.rules.scoring import ScoringRule
from quasar.rules.weights import WeightRule
from tests.builders import Play, World

E = TypeVar("E", bound=Event)


@dataclass(eq=False)
class Fact:
    """An event that the replayer takes as it stands."""

    at: int
    actor: str
    led_by: str
    """Slot of its cause, or "" for none. Where that slot is not filled, this never happened."""
    event: Any


@dataclass
class Forger:
    """An honest log in the hands of him who may sign for it."""

    world: World
    facts: list[Fact] = field(init=False)
    put: dict[str, AnyEvent | None] = field(default_factory=dict)
    """Slot to the decision that is to stand there, or None for none at all."""
    known: list[Blob] = field(default_factory=list)
    """Policies that the rules are to know before any is adopted."""
    dated: dict[str, int] = field(default_factory=dict)
    """Slot to nanoseconds by which the time of its decision is moved."""

    def __post_init__(self) -> None:
        envelopes = [decode(line) for line in self.world.lines]
        slots = ["", *(e.key for e in envelopes)]
        self.decided = [e.event for e in envelopes if e.event.kind is Kind.DECISION]
        self.facts = [
            Fact(e.at, e.actor, slots[e.cause], e.event)
            for e in envelopes
            if e.event.kind is not Kind.DECISION
        ]

    def fact(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> Fact:
        """The first fact of a type."""
        return next(f for f in self.facts if isinstance(f.event, kind) and where(f.event))

    def last(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> Fact:
        """The last fact of a type."""
        return [f for f in self.facts if isinstance(f.event, kind) and where(f.event)][-1]

    def decision(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> E:
        """The first recorded decision of a type."""
        return next(e for e in self.decided if isinstance(e, kind) and where(e))

    def edit(self, fact: Fact, **changes: Any) -> str:
        """Change fields of a fact; gives its slot."""
        fact.event = msgspec.structs.replace(fact.event, **changes)
        return str(fact.event.slot)

    def impose(self, decision: Any, **changes: Any) -> str:
        """Let a decision stand in its slot that the rules do not make; gives the slot."""
        forged = msgspec.structs.replace(decision, **changes)
        self.put[forged.slot] = forged
        return str(forged.slot)

    def drop(self, *facts: Fact) -> None:
        """Leave facts out."""
        self.facts = [f for f in self.facts if f not in facts]

    def drop_if(self, where: Callable[[Any], bool]) -> None:
        """Leave out the facts for which this holds."""
        self.facts = [f for f in self.facts if not where(f.event)]

    def insert(self, after: Fact, event: Any, actor: str | None = None) -> Fact:
        """Put a fact behind another, as if by the same actor from the same cause."""
        fact = Fact(after.at, actor or after.actor, after.led_by, event)
        self.facts.insert(self.facts.index(after) + 1, fact)
        return fact

    def lines(self) -> list[bytes]:
        """The forged log."""
        return Replayer(self).lines()


class Replayer:
    """Facts in, a whole log out."""

    def __init__(self, forger: Forger) -> None:
        self._forger, self._world = forger, forger.world
        blobs = self._world.log.blobs
        rules = (SamplingRule(self._world.secrets), ScoringRule(), WeightRule())
        self._players = [Play(rule, blobs) for rule in rules]
        for toml in forger.known:
            for player in self._players[:2]:
                player.state.policies[toml.sha256] = recorded_policy(blobs.get(toml))
        self._lines: list[bytes] = []
        self._tree = Tree()
        self._place = {"": 0}
        """Slot to sequence number."""
        self._again: dict[int, CheckpointSigned] = {}
        """Size of an honest checkpoint to the one signed in its place."""
        self._anchor: str | None = None

    def lines(self) -> list[bytes]:
        """Play every fact, and after each whatever the rules decide on it."""
        for fact in self._forger.facts:
            signed = isinstance(fact.event, CheckpointSigned)  # over whatever is there
            if signed or fact.led_by in self._place:
                self._append(fact.actor, self._place.get(fact.led_by, 0), fact.event, fact.at)
                # What is read at a block is written together with the block.
                if not isinstance(fact.event, MetagraphObserved | HyperparametersObserved):
                    self._settle(fact.at)
        return self._lines

    def _append(self, actor: str, cause: int, event: Any, at: int) -> None:
        if isinstance(event, CheckpointSigned):
            cause, event = self._tree.size, self._signed(event)
        if isinstance(event, CheckpointAnchored):
            event = self._anchored(event)
        line = encode(Draft(actor=actor, cause=cause, event=event), at)
        self._lines.append(line)
        self._tree.append(leaf_hash(line))
        self._place.setdefault(event.slot, len(self._lines))

    def _signed(self, honest: CheckpointSigned) -> CheckpointSigned:
        size, root = self._tree.size, self._tree.root()
        note = sign_checkpoint(Checkpoint(self._world.origin, size, root), self._world.log_key)
        self._again[honest.size] = CheckpointSigned(size=size, root=root.hex(), note=note)
        return self._again[honest.size]

    def _anchored(self, honest: CheckpointAnchored) -> CheckpointAnchored:
        signed, before = self._again[honest.size], self._anchor
        self._anchor = anchor_digest(signed.note)
        return msgspec.structs.replace(honest, size=signed.size, previous=before)

    def _settle(self, at: int) -> None:
        moved = True
        while moved:
            moved = False
            for player in self._players:
                while player.seq < len(self._lines):
                    moved = True
                    for draft in player.step(player.seq + 1, self._lines[player.seq]):
                        self._decide(draft, at)

    def _decide(self, draft: Draft, at: int) -> None:
        """The rule's decision, or what the forger wants in its slot."""
        event = self._forger.put.get(draft.event.slot, draft.event)
        if event is not None:
            at += self._forger.dated.get(event.slot, 0)
            self._append(draft.actor, draft.cause, event, at)


def place_of(lines: list[bytes], slot: str) -> int:
    """Sequence number of the event in a slot."""
    return next(seq for seq, line in enumerate(lines, 1) if decode(line).key == slot)
