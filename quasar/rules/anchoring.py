"""Which checkpoints are anchored: their hash goes on chain, one at a time, each naming the last."""

import hashlib
from dataclasses import dataclass, field

from quasar.events import (
    AnchorFailed,
    CheckpointAnchored,
    CheckpointSigned,
    Event,
    LogOpened,
    WeightsIntended,
)
from quasar.events.blobs import Blobs
from quasar.events.note import checkpoint_body, parse_checkpoint
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded

SUBSCRIBES: frozenset[type[Event]] = frozenset(
    {LogOpened, WeightsIntended, CheckpointSigned, CheckpointAnchored, AnchorFailed}
)


@dataclass
class AnchorState:
    """The fold."""

    landmark: int = 0
    """Newest event whose checkpoint is to be anchored."""
    covered: int = 0
    """Events under the newest checkpoint."""
    notes: dict[int, str] = field(default_factory=dict)
    """Size to signed note, of checkpoints that wait for an anchor, in order."""
    previous: str | None = None
    """Digest of the newest anchor."""

    @property
    def due(self) -> int | None:
        """Size of the newest checkpoint that waits."""
        return next(reversed(self.notes), None)


def evolve(state: AnchorState, seen: Recorded, blobs: Blobs) -> AnchorState:
    """Fold one event."""
    match seen.event:
        case LogOpened() as opened:
            carried = inherited(opened, blobs)
            state.previous = carried.anchor if carried else None
            state.landmark = seen.seq
        case WeightsIntended():
            state.landmark = seen.seq
        case CheckpointSigned(size=size, note=note):
            if state.covered < state.landmark <= size:
                state.notes[size] = note
            state.covered = max(state.covered, size)
        case CheckpointAnchored(size=size):
            state.previous = anchor_digest(state.notes[size])
            state.notes = {s: note for s, note in state.notes.items() if s > size}
        case AnchorFailed(size=size):
            state.notes = {s: note for s, note in state.notes.items() if s > size}
    return state


def anchor_digest(note: str) -> str:
    """What the chain holds of a checkpoint: SHA-256 of the text that its note signs, hex."""
    return hashlib.sha256(checkpoint_body(parse_checkpoint(note)).encode()).hexdigest()
