"""What WeightSetter does next with a computed row: a journal in a fixed order.

WeightsComputed, WeightsIntended, a checkpoint over both, the extrinsic, WeightsSubmitted, then one
of Confirmed, Failed, Unknown from finalised state, then Verified. An attempt is dead only when its
era has passed on the finalised chain; then the next attempt begins with an intent of its own. So
every row ends with WeightsVerified or WeightsFailed.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from quasar.events import (
    CheckpointSigned,
    Event,
    HyperparametersObserved,
    LogOpened,
    MetagraphObserved,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)
from quasar.events.blobs import Blobs
from quasar.rules.machine import Recorded
from quasar.rules.neurons import read_neurons

ERA_BLOCKS = 16
"""How long an extrinsic stays valid."""
MAX_ATTEMPTS = 3

SUBSCRIBES: frozenset[type[Event]] = frozenset(
    {
        LogOpened,
        MetagraphObserved,
        HyperparametersObserved,
        WeightsComputed,
        WeightsIntended,
        WeightsSubmitted,
        WeightsConfirmed,
        WeightsFailed,
        WeightsUnknown,
        WeightsVerified,
        CheckpointSigned,
    }
)


@dataclass
class Attempt:
    """One try to bring a row on chain."""

    number: int
    block: int
    """Finalised block at the intent; nothing of the attempt can stand there or before."""
    seq: int
    """Of the intent; a checkpoint must cover it before the extrinsic leaves."""
    extrinsic: str | None = None
    """Its name, once the chain's pool is known to have it."""
    outcome: type[Event] | None = None
    confirmed: int | None = None
    """Block at which finalised state showed the row."""


@dataclass
class Row:
    """A computed row and what became of it."""

    computed: WeightsComputed
    seq: int
    attempts: list[Attempt] = field(default_factory=list)
    verified: bool = False

    @property
    def u16(self) -> dict[int, int]:
        """uid to weight, zeros left out: what the chain holds."""
        return {w.uid: w.u16 for w in self.computed.weights if w.u16}

    @property
    def open(self) -> bool:
        """Whether something is left to do."""
        if self.verified:
            return False
        return not self.attempts or self.attempts[-1].outcome is not WeightsFailed


@dataclass
class SubmissionState:
    """The fold."""

    hotkey: str = ""
    uid: int | None = None
    """The validator's own place; None while it is not registered."""
    rows: dict[int, Row] = field(default_factory=dict)
    """By epoch; finished ones are dropped when a newer row comes."""
    covered: int = 0
    """Events under the newest checkpoint."""
    rate_limit: int = 0
    version: int = 0

    @property
    def current(self) -> Row | None:
        """The oldest row with work left."""
        return next((row for _, row in sorted(self.rows.items()) if row.open), None)


class Seen(NamedTuple):
    """The chain's finalised state, as far as the next step needs it."""

    head: int
    last_update: int
    """Block of this validator's newest row; 0 for none."""
    row: dict[int, int]
    """uid to u16, as finalised."""


class Intend(NamedTuple):
    """Write WeightsIntended."""

    attempt: int
    block: int


class GiveUp(NamedTuple):
    """Write WeightsFailed: this row is not tried again."""

    attempt: int
    code: str
    reason: str


class Submit(NamedTuple):
    """Send the extrinsic, then write WeightsSubmitted."""

    attempt: int


class Confirm(NamedTuple):
    """Write WeightsConfirmed."""

    attempt: int


class Lose(NamedTuple):
    """Write WeightsUnknown: the era passed and the row is not there."""

    attempt: int


class Verify(NamedTuple):
    """Write WeightsVerified."""

    attempt: int
    equal: bool


Action = Intend | GiveUp | Submit | Confirm | Lose | Verify


def evolve(state: SubmissionState, seen: Recorded, blobs: Blobs) -> SubmissionState:
    """Fold one event."""
    match seen.event:
        case LogOpened(hotkey=hotkey):
            state.hotkey = hotkey
        case MetagraphObserved(neurons=blob):
            uids = {n.hotkey: n.uid for n in read_neurons(blobs, blob)}
            state.uid = uids.get(state.hotkey)
        case HyperparametersObserved(weights_rate_limit=limit, weights_version=version):
            state.rate_limit, state.version = limit, version
        case CheckpointSigned(size=size):
            state.covered = max(state.covered, size)
        case WeightsComputed() as computed:
            state.rows = {e: row for e, row in state.rows.items() if row.open}
            state.rows[computed.epoch] = Row(computed, seen.seq)
        case WeightsIntended(epoch=epoch, attempt=number, block=block):
            state.rows[epoch].attempts.append(Attempt(number, block, seen.seq))
        case WeightsSubmitted(epoch=epoch, extrinsic=extrinsic):
            state.rows[epoch].attempts[-1].extrinsic = extrinsic
        case WeightsFailed(epoch=epoch) if not state.rows[epoch].attempts:
            del state.rows[epoch]
        case WeightsConfirmed(epoch=epoch, block=block):
            last = state.rows[epoch].attempts[-1]
            last.outcome, last.confirmed = WeightsConfirmed, block
        case WeightsFailed(epoch=epoch) | WeightsUnknown(epoch=epoch) as ended:
            state.rows[epoch].attempts[-1].outcome = type(ended)
        case WeightsVerified(epoch=epoch):
            state.rows[epoch].verified = True
    return state


def next_action(state: SubmissionState, seen: Seen, unsent: bool, settled: int) -> Action | None:
    """The next step for the oldest open row; None while there is nothing to do but wait.

    ``unsent``: this very process wrote the newest intent and has not sent it yet. After a restart
    nobody knows whether it was sent, so it is never sent again: its era must pass first.
    ``settled``: a finalised block after which nothing is signed any more for an attempt that is not
    unsent. An era begins when the extrinsic is signed, which may be long after the intent.
    """
    row = state.current
    if row is None:
        return None
    if not row.attempts or row.attempts[-1].outcome is WeightsUnknown:
        return _begin(state, row, seen)
    last = row.attempts[-1]
    if last.confirmed is not None:
        equal = seen.row == row.u16
        return Verify(last.number, equal) if seen.head > last.confirmed else None
    if unsent:
        return Submit(last.number) if state.covered >= last.seq else None
    if seen.last_update > last.block and seen.row == row.u16:
        return Confirm(last.number)
    if seen.head > max(last.block, settled) + ERA_BLOCKS:
        return Lose(last.number)
    return None


def _begin(state: SubmissionState, row: Row, seen: Seen) -> Action | None:
    """The first or next attempt, once the chain's rate limit allows it."""
    number = len(row.attempts)
    if any(epoch > row.computed.epoch for epoch in state.rows):
        return GiveUp(number, "superseded", "a newer row was computed")
    if number >= MAX_ATTEMPTS:
        return GiveUp(number, "gave-up", f"{number} attempts were lost on their way to the chain")
    if seen.last_update and seen.head + 1 < seen.last_update + state.rate_limit:
        return None
    return Intend(number, seen.head)
