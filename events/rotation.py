"""How a log's keys follow one another: ``LogOpened`` names the first, each rotation the next.

A rotation is an event of the log, signed by the hotkey. The statement names the event's place and
the limits of the key before, so none of it can be moved, replayed or widened.
"""

from collections.abc import Iterable

import msgspec

from quasar.errors import Damaged, UsageError
from quasar.events.envelope import decode
from quasar.events.log import LogKeyRotated
from quasar.events.note import LogKeys
from quasar.events.opening import Opening
from quasar.events.signing import verify_hotkey


def rotation_statement(origin: str, genesis: str, event: LogKeyRotated) -> bytes:
    """What the hotkey signs to replace a log key; the event's own signature is left out."""
    fields = (event.number, event.log_key, event.first, event.until, event.reason)
    return "\n".join(map(str, ("quasar-log-key-rotation/1", origin, genesis, *fields, ""))).encode()


def rotate_keys(keys: LogKeys, opening: Opening, seq: int, event: LogKeyRotated) -> LogKeys:
    """The keys after a rotation. Raises Damaged where it is not the hotkey's, or not in order."""
    statement = rotation_statement(opening.origin, opening.event.genesis, event)
    if not verify_hotkey(opening.event.hotkey, statement, event.log_key_signature):
        raise Damaged(seq, "the hotkey did not sign this rotation of the log key")
    if event.number != len(keys.ranges):
        raise Damaged(seq, "log keys are numbered from 1 in a volume, without gaps")
    if event.first != seq:
        raise Damaged(seq, f"the hotkey signed this rotation for event {event.first}")
    new = bytes.fromhex(event.log_key)
    try:
        if event.reason == "revoked":
            return keys.revoked(new, event.first, event.until)
        rotated = keys.rotated(new, event.first)
    except UsageError as problem:
        raise Damaged(seq, str(problem)) from None
    if event.until != event.first - 1:
        raise Damaged(seq, "a key that is rotated, not revoked, counts up to the rotation")
    return rotated


def keys_after(opening: Opening, rotations: Iterable[tuple[int, bytes]]) -> LogKeys:
    """The keys of a log, from its lines with rotations and their numbers, in order.

    Raises Damaged as ``rotate_keys``, and for a line that is no event; CannotJudge for one that a
    newer program wrote.
    """
    keys = LogKeys.of(opening.log_key)
    for seq, line in rotations:
        try:
            event = decode(line).event
        except msgspec.DecodeError as problem:
            raise Damaged(seq, f"not an event: {problem}") from None
        if isinstance(event, LogKeyRotated):
            keys = rotate_keys(keys, opening, seq, event)
    return keys
