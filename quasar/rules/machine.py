"""The shape of a rule: a fold over the log, and decisions that follow from it."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from quasar.events import AnyEvent, Event
from quasar.events.blobs import Blobs
from quasar.events.envelope import Envelope, decode, encode_event, payload_of
from quasar.events.upcast import UPCASTERS, newest

S = TypeVar("S")


class Recorded:
    """A stored event as rules see it."""

    __slots__ = ("envelope", "event", "line", "seq")

    def __init__(self, seq: int, line: bytes, envelope: Envelope | None = None) -> None:
        self.seq = seq
        self.line = line
        self.envelope = envelope or decode(line)
        stored = self.envelope.event
        self.event: AnyEvent = newest(stored) if type(stored) in UPCASTERS else stored
        """In the newest schema; ``envelope.event`` is as stored."""

    @property
    def payload(self) -> bytes:
        """The event's own bytes, as stored."""
        return payload_of(self.line)

    @property
    def decided(self) -> bytes:
        """What a decision is compared by: its payload, as the newest schema would have it."""
        return self.payload if self.event is self.envelope.event else encode_event(self.event)


class Rule(Protocol[S]):
    """What one deciding actor does. Blobs are read by hash, so reading them is pure too."""

    actor: str
    subscribes: frozenset[type[Event]]

    def initial(self) -> S:
        """State before the first event."""
        ...

    def decide(self, state: S, seen: Recorded, blobs: Blobs) -> Sequence[AnyEvent]:
        """Decisions that follow from ``seen``, given the fold of all subscribed events before it.

        Another event in between must not change them: an actor that starts again after a crash
        decides the same, from the same cause.
        """
        ...

    def evolve(self, state: S, seen: Recorded, blobs: Blobs) -> S:
        """The state after ``seen``. May reuse the state it was given."""
        ...
