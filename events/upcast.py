"""Events of an older schema become the newest one on read; what is stored is never touched.

A changed schema is a new class with a new tag (``AnswerScored``, then ``AnswerScored.2``), and the
old class stays in the catalogue, so that old lines are decoded, compared with their own canonical
form and hashed as they always were. Rules know the newest schema alone: ``UPCASTERS`` has for each
older class a pure function that makes the next one of it, in the same slot and of the same kind.
"""

from collections.abc import Callable
from typing import Any

from quasar.events.base import Event
from quasar.events.catalogue import AnyEvent
from quasar.events.envelope import decode, encode_event
from quasar.events.envelope import same_decision as same_bytes
from quasar.events.execution import CodeExecuted1, newer_execution

Upcaster = Callable[[Any], Event]
"""Takes an event of its class; gives it as the next version, every field set."""

UPCASTERS: dict[type[Event], Upcaster] = {CodeExecuted1: newer_execution}
"""Older class to the step to its next version."""


def newest(event: AnyEvent) -> AnyEvent:
    """The event as rules know it."""
    found: Any = event
    while (step := UPCASTERS.get(type(found))) is not None:
        found = step(found)
    return found  # type: ignore[no-any-return]


def same_decision(ours: bytes, stored: bytes) -> bool:
    """Whether two lines hold the same decision, the stored one perhaps in an older schema."""
    if same_bytes(ours, stored):
        return True
    a, b = decode(ours), decode(stored)
    same = encode_event(newest(a.event)) == encode_event(newest(b.event))
    return same and (a.actor, a.cause) == (b.actor, b.cause)
