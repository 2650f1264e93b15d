"""How a step is checked, and how it meets slots that are taken: one rule for every log."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from quasar.errors import Diverged, UsageError
from quasar.events.base import Kind
from quasar.events.envelope import Draft, encode, same_decision
from quasar.log import MAX_STEP, Stored

Clock = Callable[[], int]
"""Unix time in nanoseconds."""

_SLOT = re.compile(r"[0-9A-Za-z_:@+-]+(\.[0-9A-Za-z_:@+-]+)*")
"""What is a subject of NATS without wildcards, and harmless in every other place."""


class Entry(NamedTuple):
    """An event of a step, encoded."""

    slot: str
    line: bytes
    kind: Kind

    def settle(self, seq: int, line: bytes) -> Stored:
        """What stands where event ``seq`` already took the slot.

        Raises Diverged where this is a decision and the stored event is another one.
        """
        if self.kind is Kind.DECISION and not same_decision(self.line, line):
            raise Diverged(self.slot, seq)
        return Stored(seq, line, new=False)


def prepare(step: Sequence[Draft], at: int) -> list[Entry]:
    """Encode a step. Raises UsageError where a log could not store it as one."""
    if len(step) > MAX_STEP:
        raise UsageError(
            f"a step of {len(step)} events is longer than {MAX_STEP}: append it in parts"
        )
    entries = [Entry(d.event.slot, encode(d, at), d.event.kind) for d in step]
    seen: set[str] = set()
    for slot, _, _ in entries:
        if not _SLOT.fullmatch(slot):
            raise UsageError(
                f"{slot!r} cannot be a slot: use dot-separated words of letters, digits and _:@+-"
            )
        if slot in seen:
            raise UsageError(f"slot {slot} stands twice in one step: append one event to it")
        seen.add(slot)
    return entries
