"""Which finalised blocks ChainObserver records: only those that a decision uses."""

from dataclasses import dataclass, field

from quasar.events import (
    BlockObserved,
    Event,
    LogClosing,
    LogOpened,
    PolicyAdopted,
    RoundOpened,
    RoundSkipped,
    RunStarted,
)
from quasar.events.blobs import Blobs
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.schedule import Schedule
from quasar.rules.secrets import last_round

ACTOR = "chain-observer"

SUBSCRIBES: frozenset[type[Event]] = frozenset(
    {
        LogOpened,
        LogClosing,
        PolicyAdopted,
        RunStarted,
        BlockObserved,
        RoundOpened,
        RoundSkipped,
    }
)


@dataclass
class ObserverState:
    """The fold."""

    policy: Policy | None = None
    waits: dict[str, int | None] = field(default_factory=dict)
    """Policy to the blocks that its beacons are waited for; None for ever."""
    base: int = 0
    """Newest round of the volumes before this one."""
    planned: int | None = None
    closing: int | None = None
    """No round after this one is opened, as the volume is about to close."""
    schedule: Schedule | None = None
    block: int | None = None
    """Newest recorded block, or the one up to which earlier volumes hold every round."""
    fresh: bool = True
    """This volume holds no block yet."""
    epoch: int = 0
    waiting_for: int = 0
    """A round whose block is recorded, but not yet its opening: nothing newer is read till then,
    so that its beacon is never in the log before it is named."""
    opened: int = 0
    beacons: dict[int, int | None] = field(default_factory=dict)
    """Beacons that are not read yet: up to which newest block each is waited for."""

    @property
    def last_round(self) -> int:
        """No round after this one is opened."""
        planned = last_round(self.planned, self.base)
        return planned if self.closing is None else min(planned, self.closing)


def evolve(state: ObserverState, seen: Recorded, blobs: Blobs) -> ObserverState:
    """Fold one event."""
    match seen.event:
        case LogOpened() as log_opened:
            _open(state, log_opened, blobs)
        case LogClosing():
            state.closing = state.opened
            if state.schedule is not None and state.block is not None:
                state.closing = state.schedule.rounds_through(state.block)
        case PolicyAdopted(toml=toml):
            state.policy = recorded_policy(blobs.get(toml))
            beacon = state.policy.beacon
            state.waits[toml.sha256] = beacon.wait_blocks if beacon else None
            if state.schedule is not None and state.block is not None:
                every = state.policy.cadence.round_every_blocks
                state.schedule = state.schedule.changed(state.block, every)
        case RunStarted(rounds=rounds):
            state.planned = rounds
        case BlockObserved() as block:
            _observe(state, block)
        case RoundOpened() as opened:
            state.opened = max(state.opened, opened.round)
            _await(state, opened)
        case RoundSkipped(round=number):
            state.opened = max(state.opened, number)
    return state


def wanted(state: ObserverState, head: int, head_epoch: int) -> int | None:
    """The next block to record, given the newest finalised one; None while there is none."""
    if state.policy is None:
        return None
    if state.fresh or state.block is None or state.schedule is None:
        return head
    if state.waiting_for > state.opened:
        return None
    due = {b for b, until in state.beacons.items() if b <= head and not _late(until, head)}
    if (opening := _next_opening(state, state.schedule, state.policy, head)) is not None:
        due.add(opening)
    if head_epoch > state.epoch or head >= state.block + state.policy.cadence.heartbeat_blocks:
        due.add(head)
    return min(due, default=None)


def needs_metagraph(state: ObserverState, number: int, epoch: int) -> bool:
    """Whether a decision will need to know who is registered at this block."""
    if state.fresh or state.schedule is None or epoch > state.epoch:
        return True
    return state.schedule.opens(number) is not None


def _next_opening(
    state: ObserverState, schedule: Schedule, policy: Policy, head: int
) -> int | None:
    """The first scheduled block that is new and not too old to open a round."""
    assert state.block is not None
    stale = head - policy.cadence.max_lag_blocks - 1
    number = schedule.rounds_through(max(state.block, stale)) + 1
    if number > state.last_round:
        return None
    block = schedule.block_of(number)
    return block if block <= head else None


def _open(state: ObserverState, opened: LogOpened, blobs: Blobs) -> None:
    carried = inherited(opened, blobs)
    if carried is not None:
        state.base = state.opened = carried.round
        state.schedule, state.block = carried.schedule, carried.block
        state.epoch = carried.epoch or 0


def _observe(state: ObserverState, block: BlockObserved) -> None:
    if state.schedule is None:
        assert state.policy is not None
        state.schedule = Schedule(block.number, 0, state.policy.cadence.round_every_blocks)
    number = state.schedule.opens(block.number)
    if number is not None and number <= state.last_round:
        state.waiting_for = number
    state.block = max(block.number, state.block or 0)
    state.epoch = max(block.epoch, state.epoch)
    state.beacons = {
        b: until
        for b, until in state.beacons.items()
        if b != block.number and not (b < block.number and _late(until, block.head))
    }
    state.fresh = False


def patient(state: ObserverState, number: int) -> bool:
    """Whether this block is a beacon that is waited for: one that is missing delays its round."""
    return state.beacons.get(number) is not None


def _await(state: ObserverState, opened: RoundOpened) -> None:
    """Two rounds may share a beacon: it is waited for as long as one of them does."""
    beacon, wait = opened.beacon_block, state.waits.get(opened.policy)
    until = None if wait is None else beacon + wait
    before = state.beacons.get(beacon, until)
    state.beacons[beacon] = None if until is None or before is None else max(before, until)


def _late(until: int | None, head: int) -> bool:
    return until is not None and head >= until
