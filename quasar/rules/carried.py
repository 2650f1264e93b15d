"""What a volume hands to the next one: the little of its state that outlives its last round."""

import msgspec

from quasar.events import LogOpened
from quasar.events.base import Count, Digest, Hotkey, Part
from quasar.events.blobs import Blobs
from quasar.rules.coverage import Waiting
from quasar.rules.difficulty import Rung
from quasar.rules.schedule import Schedule


class CarriedStanding(Part, frozen=True):
    """What a hotkey has earned so far."""

    hotkey: Hotkey
    score: float
    """EMA of its round means."""
    samples: Count
    """Scored answers."""


class Carried(Part, frozen=True, omit_defaults=True):
    """The folded state of a closed volume, and so of every volume before it."""

    runs: Count
    policies: Count
    round: Count
    """The newest round; every one up to it is revealed and scored."""
    schedule: Schedule | None
    """None where no block was observed yet."""
    block: Count
    """Before this block or at it, every scheduled round is in a closed volume."""
    epoch: Count | None
    """Newest epoch that a block was observed in."""
    scored: Count
    """Rounds with scores."""
    standings: list[CarriedStanding]
    """By hotkey."""
    counters: dict[str, Count]
    """Hotkey to its assignments so far."""
    receipts: dict[str, list[Digest]]
    """Hotkey to the newest receipts, which its next one may name."""
    anchor: Digest | None
    """Newest anchor on chain."""
    rotation: list[Waiting] = msgspec.field(default_factory=list)
    """Whose turn is next; left out, as the next, where no policy has it."""
    rungs: list[Rung] = msgspec.field(default_factory=list)
    """By cell."""


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Carried).decode


def encode_carried(carried: Carried) -> bytes:
    """The blob that LogOpened names: equal states have equal bytes."""
    return _encode(carried)


def inherited(opened: LogOpened, blobs: Blobs) -> Carried | None:
    """What this volume starts from; None for the first. Raises as ``Blobs.get``."""
    return None if opened.previous is None else _decode(blobs.get(opened.previous.state))
