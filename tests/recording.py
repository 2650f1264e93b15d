"""Events as a rule sees them, without a log."""

from typing import Any

from quasar.events import AnyEvent, BlockObserved
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft, encode
from quasar.rules.machine import Recorded
from tests.builders import World


def recorded(event: AnyEvent, seq: int = 1) -> Recorded:
    """The event as stored."""
    return Recorded(seq, encode(Draft(actor="test", cause=0, event=event), 0))


def fold(module: Any, state: Any, blobs: Blobs, *events: AnyEvent) -> Any:
    """The state after some events; ``module`` has an ``evolve``."""
    for seq, event in enumerate(events, 1):
        state = module.evolve(state, recorded(event, seq), blobs)
    return state


def block(number: int, *, epoch: int = 0, head: int | None = None) -> BlockObserved:
    """A finalised block."""
    return BlockObserved(
        number=number,
        hash=World.block_hash(number),
        timestamp_ms=number * 12_000,
        epoch=epoch,
        head=number if head is None else head,
    )
