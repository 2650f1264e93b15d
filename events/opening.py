"""Event 1 of a volume: whose log it is, and the key that signs its checkpoints."""

from typing import NamedTuple

import msgspec

from quasar.errors import Damaged
from quasar.events.envelope import decode
from quasar.events.log import LogOpened
from quasar.events.note import BadSignature
from quasar.events.signing import log_id_of, log_key_statement, origin_of, verify_hotkey


class Opening(NamedTuple):
    """What event 1 says, and the hotkey signed."""

    event: LogOpened
    origin: str
    """The name under which checkpoints are signed."""

    @property
    def log_key(self) -> bytes:
        """Public Ed25519 key, 32 bytes."""
        return bytes.fromhex(self.event.log_key)


def read_opening(line: bytes, hotkey: str | None = None) -> Opening:
    """Event 1, once the hotkey's signature on the log key is verified.

    Raises Damaged for a line that opens no log or whose hotkey did not sign its log key,
    CannotJudge for one that a newer program wrote, and BadSignature where ``hotkey`` is given and
    the log is another one's.
    """
    try:
        opened = decode(line).event
    except msgspec.DecodeError as problem:
        raise Damaged(1, f"not an event: {problem}") from None
    if not isinstance(opened, LogOpened):
        raise Damaged(1, "no LogOpened, so no key to check the checkpoint with")
    origin = origin_of(opened.netuid, opened.hotkey, opened.log_id, opened.volume)
    statement = log_key_statement(origin, opened.genesis, opened.log_key)
    if not verify_hotkey(opened.hotkey, statement, opened.log_key_signature):
        raise Damaged(1, "the hotkey did not sign this log key")
    named = (opened.genesis, opened.netuid, opened.hotkey, opened.log_number)
    if log_id_of(*named) != opened.log_id:
        raise Damaged(1, "the log id does not follow from genesis, netuid, hotkey and log number")
    if hotkey not in (None, opened.hotkey):
        raise BadSignature(f"this is the log of {opened.hotkey}, not of {hotkey}")
    return Opening(opened, origin)
