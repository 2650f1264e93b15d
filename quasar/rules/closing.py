"""When a volume may close, and what it hands to the next: a fold over all its events."""

from dataclasses import dataclass, field

import msgspec

from quasar.events import (
    AnswerReceived,
    BlockObserved,
    LogClosing,
    LogOpened,
    PolicyAdopted,
    RoundRevealed,
    RunStarted,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.events.blobs import Blobs
from quasar.events.receipt import digest
from quasar.rules import anchoring, sampling_state, scoring, submission, weights
from quasar.rules.anchoring import AnchorState
from quasar.rules.carried import Carried, CarriedStanding, inherited
from quasar.rules.difficulty import Cell, Rung
from quasar.rules.machine import Recorded
from quasar.rules.sampling_state import SamplerState
from quasar.rules.scoring_state import ScorerState
from quasar.rules.submission import SubmissionState
from quasar.rules.weights import WeightState

RECEIPTS = 16
"""Newest receipts of each hotkey that are carried: as many as a miner's next one may name."""


@dataclass
class ClosingState:
    """The fold: every state of which something is carried, or that must be at rest first."""

    sampler: SamplerState = field(default_factory=SamplerState)
    scorer: ScorerState = field(default_factory=ScorerState)
    weights: WeightState = field(default_factory=WeightState)
    submission: SubmissionState = field(default_factory=SubmissionState)
    anchors: AnchorState = field(default_factory=AnchorState)
    runs: int = 0
    policies: int = 0
    receipts: dict[str, list[str]] = field(default_factory=dict)
    closing: bool = False
    revealed: int = 0
    """Newest round whose secret is in the log."""
    owed: set[int] = field(default_factory=set)
    """Epochs that began, and whose row or deferral is not in the log yet."""

    @property
    def drained(self) -> bool:
        """Every round is scored, none opens any more, and the last row has come to its end."""
        if not self.closing or self.revealed < self.sampler.last_round:
            return False
        return not (self.scorer.rounds or self.owed or self.submission.current)


_SCORING = scoring.ScoringRule()
_WEIGHTS = weights.WeightRule()


def evolve(state: ClosingState, seen: Recorded, blobs: Blobs) -> ClosingState:
    """Fold one event."""
    kind = type(seen.event)
    state = evolve_others(state, seen, blobs)
    if kind in sampling_state.SUBSCRIBES:
        state.sampler = sampling_state.evolve(state.sampler, seen, blobs)
    if kind in _SCORING.subscribes:
        state.scorer = _SCORING.evolve(state.scorer, seen, blobs)
    if kind in _WEIGHTS.subscribes:
        state.weights = _WEIGHTS.evolve(state.weights, seen, blobs)
    return state


def evolve_others(state: ClosingState, seen: Recorded, blobs: Blobs) -> ClosingState:
    """Fold one event into all but the states of the deciding actors, for one who folds those
    anyway and sets them here afterwards."""
    kind = type(seen.event)
    _count(state, seen, blobs)
    if kind in submission.SUBSCRIBES:
        state.submission = submission.evolve(state.submission, seen, blobs)
    if kind in anchoring.SUBSCRIBES:
        state.anchors = anchoring.evolve(state.anchors, seen, blobs)
    return state


def _count(state: ClosingState, seen: Recorded, blobs: Blobs) -> None:
    match seen.event:
        case LogOpened() as opened if (carried := inherited(opened, blobs)) is not None:
            state.runs, state.policies, state.revealed = (
                carried.runs,
                carried.policies,
                carried.round,
            )
            state.receipts = {hotkey: list(named) for hotkey, named in carried.receipts.items()}
        case LogClosing():
            state.closing = True
        case RunStarted(run=run):
            state.runs = run
        case PolicyAdopted(number=number):
            state.policies = number
        case RoundRevealed(round=number):
            state.revealed = number
        case BlockObserved(epoch=epoch):
            before = state.weights.epoch
            if before is not None and epoch > before:
                state.owed.add(epoch)
        case WeightsComputed(epoch=epoch) | WeightsDeferred(epoch=epoch):
            state.owed.discard(epoch)
        case AnswerReceived(hotkey=hotkey, receipt=receipt):
            named = state.receipts.get(hotkey, [])
            state.receipts[hotkey] = [*named, digest(receipt)][-RECEIPTS:]


def _by_cell(entry: tuple[Cell, Rung]) -> bytes:
    return msgspec.json.encode(entry[0])


def carried_from(state: ClosingState) -> Carried:
    """What the next volume starts from, once this one is drained."""
    sampler, schedule = state.sampler, state.sampler.schedule
    block = sampler.last_block
    if schedule is not None:
        # A round whose block came while the volume closed is the next volume's to name.
        block = min(block, schedule.block_of(sampler.revealed + 1) - 1)
    return Carried(
        runs=state.runs,
        policies=state.policies,
        round=sampler.revealed,
        schedule=schedule,
        block=block,
        epoch=state.weights.epoch,
        scored=state.weights.rounds,
        standings=[
            CarriedStanding(hotkey=hotkey, score=s.score, samples=s.samples)
            for hotkey, s in sorted(state.weights.standings.items())
        ],
        counters=sampler.counters,
        receipts=state.receipts,
        anchor=state.anchors.previous,
        rotation=sampler.rotation,
        rungs=[rung for _, rung in sorted(sampler.difficulty.rungs.items(), key=_by_cell)],
    )
