"""TaskSampler's state: a fold over rounds, outcomes and the schedule."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    AnswerScored,
    BlockObserved,
    Event,
    LogClosing,
    LogOpened,
    MetagraphObserved,
    MixDrawn,
    Neuron,
    PolicyAdopted,
    RoundAbandoned,
    RoundOpened,
    RoundScored,
    RoundSealed,
    RoundSkipped,
    RunStarted,
    SourceAdopted,
)
from quasar.events.blobs import Blobs
from quasar.rules import difficulty
from quasar.rules.carried import inherited
from quasar.rules.coverage import Turn, Waiting, take_turn
from quasar.rules.difficulty import DifficultyState
from quasar.rules.machine import Recorded
from quasar.rules.mixing import cells, played
from quasar.rules.neurons import read_neurons
from quasar.rules.plan import assignments, offered
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.schedule import Schedule
from quasar.rules.secrets import last_round
from quasar.rules.sources import adopt

SUBSCRIBES: frozenset[type[Event]] = frozenset(
    {
        LogOpened,
        LogClosing,
        RunStarted,
        SourceAdopted,
        PolicyAdopted,
        MetagraphObserved,
        BlockObserved,
        RoundOpened,
        RoundSkipped,
        RoundAbandoned,
        MixDrawn,
        AnswerReceived,
        AnswerAbandoned,
        RoundSealed,
        AnswerScored,
        RoundScored,
    }
)


@dataclass
class OpenRound:
    """A round between its opening and its seal."""

    opened: RoundOpened
    policy: Policy
    beacon_hash: str = ""
    """Set once the beacon is observed and the tasks are planned."""
    drawn: bool = False
    """Whether ``policy`` has the tasks that were drawn, where it has them drawn at all."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """Slot to ``sha256(payload)``, with a mark for answered ones."""
    answered: int = 0

    @property
    def expected(self) -> int:
        return assignments(self.policy, self.opened.participants)


@dataclass
class SamplerState:
    """The fold."""

    hotkey: str = ""
    policy: Policy | None = None
    policy_digest: str = ""
    policies: dict[str, Policy] = field(default_factory=dict)
    """By digest: a round keeps the policy it was opened under."""
    sandbox: str | None = None
    """Driver of the newest run; without one, tasks in code are left out."""
    base: int = 0
    """Newest round of the volumes before this one."""
    planned: int | None = None
    """The newest run opens no round after this one."""
    closing: int | None = None
    """Nor does this volume, once it is about to close."""
    schedule: Schedule | None = None
    last_block: int = 0
    decided: int = 0
    """Newest round that a block so far opens or skips. A run that was to end before leaves later
    rounds undecided; the next run skips them."""
    metagraph: MetagraphObserved | None = None
    rounds: dict[int, OpenRound] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    """Sealed or skipped rounds above ``revealed``."""
    revealed: int = 0
    rotation: list[Waiting] = field(default_factory=list)
    """Whose turn is next, where the policy covers everyone within several rounds."""
    difficulty: DifficultyState = field(default_factory=DifficultyState)

    @property
    def last_round(self) -> int:
        """No round after this one is opened."""
        planned = last_round(self.planned, self.base)
        return planned if self.closing is None else min(planned, self.closing)


def evolve(state: SamplerState, seen: Recorded, blobs: Blobs) -> SamplerState:
    """Fold one event."""
    match seen.event:
        case LogOpened() as opened:
            _open(state, opened, blobs)
        case LogClosing():
            schedule = state.schedule
            state.closing = schedule.rounds_through(state.last_block) if schedule else 0
        case RunStarted(rounds=rounds, sandbox=sandbox):
            state.planned, state.sandbox = rounds, sandbox
        case SourceAdopted() as source:
            adopt(source, blobs)
        case PolicyAdopted() as adopted:
            _adopt(state, adopted, blobs)
        case MetagraphObserved() as metagraph:
            state.metagraph = metagraph
        case BlockObserved() as block:
            _observe(state, block)
        case RoundOpened() as round_:
            policy = offered(state.policies[round_.policy], state.sandbox)
            state.rounds[round_.round] = OpenRound(round_, policy)
            if turn := turn_of(state, policy, round_.block_hash, blobs):
                state.rotation = turn.after
        case MixDrawn() as mix:
            _mix(state, state.rounds[mix.round], mix)
        case AnswerReceived() | AnswerAbandoned() as outcome:
            _note_outcome(state.rounds[outcome.round], outcome, seen)
        case RoundSealed(round=number) | RoundAbandoned(round=number):
            del state.rounds[number]
            _finish(state, number)
        case AnswerScored() as score:
            difficulty.note(state.difficulty, score)
        case RoundScored(round=number):
            difficulty.settle(state.difficulty, number)
        case RoundSkipped(round=number):
            _finish(state, number)
    return state


def _open(state: SamplerState, opened: LogOpened, blobs: Blobs) -> None:
    state.hotkey = opened.hotkey
    carried = inherited(opened, blobs)
    if carried is not None:
        state.base = state.revealed = state.decided = carried.round
        state.schedule, state.last_block = carried.schedule, carried.block
        state.counters = dict(carried.counters)
        state.rotation = list(carried.rotation)
        state.difficulty.rungs = {rung.cell: rung for rung in carried.rungs}


def _adopt(state: SamplerState, adopted: PolicyAdopted, blobs: Blobs) -> None:
    state.policy = recorded_policy(blobs.get(adopted.toml))
    state.policy_digest = adopted.toml.sha256
    state.policies[adopted.toml.sha256] = state.policy
    if state.schedule is not None:
        every = state.policy.cadence.round_every_blocks
        state.schedule = state.schedule.changed(state.last_block, every)


def _observe(state: SamplerState, block: BlockObserved) -> None:
    if state.schedule is None and state.policy is not None:
        every = state.policy.cadence.round_every_blocks
        state.schedule = Schedule(block.number, 0, every)
    state.last_block = max(state.last_block, block.number)
    if state.schedule is not None:
        due = min(state.schedule.rounds_through(block.number), state.last_round)
        state.decided = max(state.decided, due)
    for current in state.rounds.values():
        if current.opened.beacon_block == block.number:
            current.beacon_hash = block.hash
            if current.policy.sampling is None:
                count_on(state.counters, current.opened.participants, len(current.policy.tasks))


def _mix(state: SamplerState, current: OpenRound, mix: MixDrawn) -> None:
    """The round has its tasks."""
    if (rule := current.policy.adaptive) is not None:
        tasks = cells(current.policy, mix)
        difficulty.watch(state.difficulty, mix.round, rule, tasks)
    current.policy, current.drawn = played(current.policy, mix), True
    count_on(state.counters, current.opened.participants, len(mix.tasks))


def expired(current: OpenRound, block: BlockObserved) -> bool:
    """Whether a round without its beacon is given up at this block."""
    rule, beacon = current.policy.beacon, current.opened.beacon_block
    if rule is None or current.beacon_hash or block.number <= beacon:
        return False
    return block.head >= beacon + rule.wait_blocks


def turn_of(state: SamplerState, policy: Policy, block_hash: str, blobs: Blobs) -> Turn | None:
    """Who takes part in the round that this block opens; None where that is everyone."""
    sampling, metagraph = policy.sampling, state.metagraph
    if sampling is None or sampling.coverage_rounds == 1 or metagraph is None:
        return None
    present = participants(read_neurons(blobs, metagraph.neurons), state.hotkey)
    return take_turn(state.rotation, present, block_hash, sampling.coverage_rounds)


def participants(neurons: Sequence[Neuron], validator: str) -> list[str]:
    """Everyone who serves an endpoint, but the validator itself; sorted."""
    return sorted(n.hotkey for n in neurons if n.endpoint and n.hotkey != validator)


def count_on(counters: dict[str, int], hotkeys: Sequence[str], tasks: int) -> None:
    """Each participant has got the round's tasks."""
    for hotkey in hotkeys:
        counters[hotkey] = counters.get(hotkey, 0) + tasks


def _note_outcome(
    current: OpenRound, outcome: AnswerReceived | AnswerAbandoned, seen: Recorded
) -> None:
    current.outcomes[outcome.slot] = hashlib.sha256(seen.payload).hexdigest()
    current.answered += isinstance(outcome, AnswerReceived)


def _finish(state: SamplerState, number: int) -> None:
    state.finished.add(number)
    while state.revealed + 1 in state.finished:
        state.revealed += 1
        state.finished.discard(state.revealed)
