"""New rounds with recorded miners, in virtual time: no model, no context, no network.

A virtual answer is one of the results that the miner had in the log at the same task family and
length, drawn with replacement. From there on the rules of a validator decide: mean, EMA, row.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from quasar.draw import Draw, derive
from quasar.errors import CannotJudge
from quasar.events import (
    AnyEvent,
    BlockObserved,
    MeanReward,
    MetagraphObserved,
    Neuron,
    RoundScored,
    Weight,
    WeightsComputed,
)
from quasar.events.envelope import Envelope
from quasar.log.blobs import MemoryBlobs
from quasar.replay.ranks import shares
from quasar.replay.reading import Progress
from quasar.replay.records import Records
from quasar.replay.virtual_miners import VirtualMiner, cast_of, hands
from quasar.rules.budget import example
from quasar.rules.machine import Recorded
from quasar.rules.plan import offered
from quasar.rules.policy import Policy
from quasar.rules.rewards import MEANS
from quasar.rules.statistics import mean_of
from quasar.rules.weights import WeightRule

BLOCK_S = 12
"""Seconds of chain time between two blocks."""


class Outlook(Struct, frozen=True, kw_only=True):
    """What virtual rounds brought a miner."""

    hotkey: str
    recorded: str
    """The miner of the log that it is a copy of; itself for the first copy."""
    score: float
    """EMA after the last round."""
    u16: int
    share: float
    """Mean of its part of the row over the second half of the rounds."""
    lowest: float
    """Smallest part in any of these rows: how much luck matters."""
    highest: float


class VirtualRounds(Struct, frozen=True, kw_only=True):
    """The outcome."""

    policy: str
    rounds: int
    seed: str
    hours: float
    """What the rounds would have taken on chain."""
    answers: int
    not_scored: int
    """Left out as the recorded ones were."""
    unjudged: list[str]
    """Family and length of tasks that nobody in the log was asked: left out."""
    row: list[Weight]
    """After the last round; empty where nobody earned anything."""
    miners: list[Outlook]
    """By share."""


def play_rounds(
    records: Records,
    policy: Policy,
    *,
    rounds: int,
    miners: int | None = None,
    seed: str = "0",
    sandbox: str | None = None,
    progress: Progress | None = None,
) -> VirtualRounds:
    """Play rounds under a policy. Equal arguments give equal bytes, on any machine.

    Raises CannotJudge where the log has nobody to play with, or none of the policy's tasks.
    """
    game = _Game(records, offered(policy, sandbox), cast_of(records, miners), seed)
    for number in range(1, rounds + 1):
        game.play(number, counts=2 * number > rounds)
        if progress is not None:
            progress(number, rounds)
    return game.outcome(rounds)


class _Game:
    def __init__(
        self, records: Records, policy: Policy, miners: Sequence[VirtualMiner], seed: str
    ) -> None:
        self._policy, self._miners, self._named = policy, miners, seed
        self._seed = hashlib.sha256(b"quasar virtual rounds\0" + seed.encode()).digest()
        tasks = [(entry.family, entry.bucket) for entry in example(policy)]
        self._unjudged = [cell for cell in dict.fromkeys(tasks) if cell not in records.cells]
        if all(cell in self._unjudged for cell in tasks):
            raise CannotJudge("nobody in this log was asked any task of this policy")
        worth = {bucket.name: bucket.multiplier for bucket in policy.buckets}
        dealt = {name: hands(cells, tasks, worth) for name, cells in records.results.items()}
        self._asked = {miner.hotkey: dealt[miner.recorded] for miner in miners}
        self._setter = _Setter(policy, miners)
        self._shares: dict[str, list[float]] = {miner.hotkey: [] for miner in miners}
        self._answers = self._not_scored = 0

    def play(self, number: int, *, counts: bool) -> None:
        """One round and its row; ``counts`` towards the shares."""
        seed = derive(self._seed, f"virtual/{number}")
        rewards = [self._reward(seed, miner.hotkey) for miner in self._miners]
        block = number * self._policy.cadence.round_every_blocks
        self._setter.fold(RoundScored(round=number, rewards=rewards))
        self._setter.decide(number, block)
        if counts:
            for hotkey, share in shares(self._setter.u16s).items():
                self._shares[hotkey].append(share)

    def _reward(self, seed: bytes, hotkey: str) -> MeanReward:
        draw = Draw(seed, hotkey)
        drawn = [result for hand in self._asked[hotkey] for result in hand.drawn(draw)]
        earned = [result.earned for result in drawn if result.earned is not None]
        self._answers += len(drawn)
        self._not_scored += len(drawn) - len(earned)
        return MeanReward(
            hotkey=hotkey,
            scored=len(earned),
            not_scored=len(drawn) - len(earned),
            unproved=len([1 for result in drawn if result.unproved]),
            mean=MEANS[self._policy.scoring.reward](earned) if earned else None,
        )

    def outcome(self, rounds: int) -> VirtualRounds:
        blocks = rounds * self._policy.cadence.round_every_blocks
        looks = [self._outlook(miner) for miner in self._miners]
        return VirtualRounds(
            policy=self._policy.name,
            rounds=rounds,
            seed=self._named,
            hours=blocks * BLOCK_S / 3600,
            answers=self._answers,
            not_scored=self._not_scored,
            unjudged=[f"{family} at {bucket}" for family, bucket in self._unjudged],
            row=self._setter.row,
            miners=sorted(looks, key=lambda look: (-look.share, look.hotkey)),
        )

    def _outlook(self, miner: VirtualMiner) -> Outlook:
        parts = self._shares[miner.hotkey]
        return Outlook(
            hotkey=miner.hotkey,
            recorded=miner.recorded,
            score=self._setter.score(miner.hotkey),
            u16=self._setter.u16s.get(miner.hotkey, 0),
            share=mean_of(parts) if parts else 0.0,
            lowest=min(parts, default=0.0),
            highest=max(parts, default=0.0),
        )


class _Setter:
    """WeightSetter's rule on a chain of its own: every round is an epoch."""

    def __init__(self, policy: Policy, miners: Sequence[VirtualMiner]) -> None:
        self._blobs = MemoryBlobs()
        neurons = [
            Neuron(uid=uid, hotkey=miner.hotkey, endpoint=None) for uid, miner in enumerate(miners)
        ]
        self._neurons = self._blobs.put(msgspec.json.encode(neurons))
        self._rule = WeightRule()
        self._state = self._rule.initial()
        self._state.policy = policy
        self._state.epoch = 0
        self.row: list[Weight] = []
        self.u16s: dict[str, int] = {miner.hotkey: 0 for miner in miners}
        """In the newest row."""

    def score(self, hotkey: str) -> float:
        """The EMA of its round means."""
        standing = self._state.standings.get(hotkey)
        return standing.score if standing else 0.0

    def fold(self, event: AnyEvent) -> None:
        """Let the rule see an event."""
        self._state = self._rule.evolve(self._state, _seen(event), self._blobs)

    def decide(self, epoch: int, block: int) -> None:
        """The row of an epoch that this block begins."""
        name = f"0x{block:064x}"
        self.fold(MetagraphObserved(number=block, hash=name, neurons=self._neurons))
        at = block * BLOCK_S * 1000
        begun = BlockObserved(number=block, hash=name, timestamp_ms=at, epoch=epoch, head=block)
        for event in self._rule.decide(self._state, _seen(begun), self._blobs):
            if isinstance(event, WeightsComputed):
                self.row = event.weights
                self.u16s.update((weight.hotkey, weight.u16) for weight in event.weights)
        self.fold(begun)


def _seen(event: AnyEvent) -> Recorded:
    """The event as rules see it, without a log around it."""
    return Recorded(0, b"", Envelope(key=event.slot, at=0, actor="virtual", cause=0, event=event))
