"""WeightSetter's rule: an EMA per hotkey, and the u16 row at every new epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from quasar.events import (
    AnyEvent,
    BlockObserved,
    Event,
    LogClosing,
    LogOpened,
    MetagraphObserved,
    Neuron,
    PolicyAdopted,
    RoundAbandoned,
    RoundOpened,
    RoundScored,
    Weight,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.events.blobs import Blobs
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded
from quasar.rules.neurons import read_neurons
from quasar.rules.policy import Policy, recorded_policy

ACTOR = "weight-setter"
U16_MAX = 65535


class Standing(NamedTuple):
    """What a hotkey has earned so far."""

    score: float
    """EMA of its round means."""
    samples: int
    """Scored answers."""


@dataclass
class WeightState:
    """The fold."""

    policy: Policy | None = None
    """The newest."""
    adopted: dict[str, Policy] = field(default_factory=dict)
    """By digest."""
    opened: dict[int, Policy] = field(default_factory=dict)
    """Round that is not scored to the policy it was opened under: one that is adopted after the
    answers must not weigh them."""
    standings: dict[str, Standing] = field(default_factory=dict)
    rounds: int = 0
    epoch: int | None = None
    """Newest epoch that a block was observed in."""
    metagraph: MetagraphObserved | None = None
    closing: bool = False
    """The volume is about to close: its last row is on its way."""


class WeightRule:
    """Decides WeightsComputed or WeightsDeferred, once an epoch."""

    actor = ACTOR
    subscribes: frozenset[type[Event]] = frozenset(
        {
            LogOpened,
            LogClosing,
            PolicyAdopted,
            RoundOpened,
            RoundAbandoned,
            RoundScored,
            MetagraphObserved,
            BlockObserved,
        }
    )

    def initial(self) -> WeightState:
        return WeightState()

    def decide(self, state: WeightState, seen: Recorded, blobs: Blobs) -> Sequence[AnyEvent]:
        match seen.event:
            case BlockObserved() as block if state.epoch is not None and block.epoch > state.epoch:
                return [_decide_epoch(state, block, blobs)]
        return ()

    def evolve(self, state: WeightState, seen: Recorded, blobs: Blobs) -> WeightState:
        match seen.event:
            case LogOpened() as opened:
                _open(state, opened, blobs)
            case LogClosing():
                state.closing = True
            case PolicyAdopted(toml=toml):
                state.policy = state.adopted[toml.sha256] = recorded_policy(blobs.get(toml))
            case RoundOpened(round=number, policy=digest) if digest in state.adopted:
                state.opened[number] = state.adopted[digest]
            case RoundAbandoned(round=number):
                state.opened.pop(number, None)
            case RoundScored() as scored:
                policy = state.opened.pop(scored.round, state.policy)
                assert policy is not None
                state.rounds += 1
                for reward in scored.rewards:
                    before = state.standings.get(reward.hotkey)
                    after = fold_mean(before, reward.mean, reward.scored, policy)
                    if after is not None:
                        state.standings[reward.hotkey] = after
            case MetagraphObserved() as metagraph:
                state.metagraph = metagraph
                _forget_absent(state, read_neurons(blobs, metagraph.neurons))
            case BlockObserved(epoch=epoch):
                state.epoch = max(epoch, state.epoch or 0)
        return state


def _open(state: WeightState, opened: LogOpened, blobs: Blobs) -> None:
    carried = inherited(opened, blobs)
    if carried is not None:
        state.rounds, state.epoch = carried.scored, carried.epoch
        state.standings = {s.hotkey: Standing(s.score, s.samples) for s in carried.standings}


def fold_mean(
    before: Standing | None, mean: float | None, scored: int, policy: Policy
) -> Standing | None:
    """One EMA step: ``alpha * mean + (1 - alpha) * before``; nothing scored changes nothing."""
    if mean is None:
        return before
    alpha = policy.scoring.ema_alpha
    old = before or Standing(policy.scoring.ema_start, 0)
    return Standing(alpha * mean + (1.0 - alpha) * old.score, old.samples + scored)


def row_of(scores: Mapping[int, float]) -> dict[int, int]:
    """uid to u16: ``round(score / max * 65535)``, half to even, as bittensor 11.3 normalises.

    Scores that are zero, negative or NaN get 0. Empty where nothing is positive.
    """
    positive = {uid: s for uid, s in scores.items() if s > 0.0}
    if not positive:
        return {}
    highest = max(positive.values())
    return {uid: round(positive.get(uid, 0.0) / highest * U16_MAX) for uid in scores}


def _forget_absent(state: WeightState, neurons: Sequence[Neuron]) -> None:
    """A hotkey that left the subnet starts empty if it returns."""
    present = {n.hotkey for n in neurons}
    for hotkey in [h for h in state.standings if h not in present]:
        del state.standings[hotkey]


def _decide_epoch(state: WeightState, block: BlockObserved, blobs: Blobs) -> AnyEvent:
    if state.closing:
        return _deferred(block, "closing")
    if state.metagraph is None or state.metagraph.hash != block.hash:
        return _deferred(block, "no-metagraph")
    if not state.standings or state.policy is None:
        return _deferred(block, "no-scores")
    neurons = [
        n for n in read_neurons(blobs, state.metagraph.neurons) if n.hotkey in state.standings
    ]
    minimum = state.policy.scoring.minimum_samples
    standing = {n.uid: state.standings[n.hotkey] for n in neurons}
    if all(s.samples < minimum for s in standing.values()):
        return _deferred(block, "too-few")
    enough = {uid: s.score if s.samples >= minimum else 0.0 for uid, s in standing.items()}
    row = row_of(enough)
    if not row:
        return _deferred(block, "all-zero")
    return WeightsComputed(
        epoch=block.epoch,
        attempt=0,
        block=block.number,
        block_hash=block.hash,
        rounds=state.rounds,
        weights=[
            Weight(
                hotkey=n.hotkey,
                uid=n.uid,
                score=standing[n.uid].score,
                samples=standing[n.uid].samples,
                u16=row[n.uid],
            )
            for n in sorted(neurons, key=lambda n: n.uid)
        ],
    )


def _deferred(block: BlockObserved, reason: str) -> WeightsDeferred:
    return WeightsDeferred(epoch=block.epoch, attempt=0, block=block.number, reason=reason)
