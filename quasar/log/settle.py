"""How a step is checked, and how it meets slots that are taken: one rule for every log."""

from collections.abc import Callable, Sequence

import msgspec

from quasar.errors import Diverged, UsageError
from quasar.events.base import Kind
from quasar.events.envelope import Draft, encode_in
from quasar.events.upcast import same_decision
from quasar.log import MAX_STEP, Stored

Clock = Callable[[], int]
"""Unix time in nanoseconds."""


class Entry(msgspec.Struct, frozen=True, gc=False):
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
    entries = [_entry(draft, at) for draft in step]
    if len(entries) > 1:
        _check_different(entries)
    return entries


def _entry(draft: Draft, at: int) -> Entry:
    event = draft.event
    slot = event.slot
    # All else that fields may hold makes a slot that is a subject of NATS, without wildcards.
    if ".." in slot:
        raise UsageError(f"{slot!r} cannot be a slot: two dots stand side by side")
    return Entry(slot, encode_in(slot, draft, at), event.kind)


def _check_different(entries: Sequence[Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.slot in seen:
            raise UsageError(f"slot {entry.slot} stands twice in one step: append one event to it")
        seen.add(entry.slot)
