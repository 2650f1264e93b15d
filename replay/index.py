"""Where in an archive the events stand that `quasar why` needs, so that it need not read them all.

It only points. ``quasar.replay.index_proved`` reads every event from its segment and proves it
under the newest signed checkpoint; ``quasar.replay.index_growth`` makes an index.
"""

from array import array
from typing import Literal

import msgspec
from msgspec import Struct, field

from quasar.log.archive_places import Mark

HEADS = ("assign", "accept", "answer", "exec", "score")
"""Of the slots that tell of one answer."""
MAX_TASK = 2**20 - 1
MAX_SEQ = 2**40 - 1


class Block(Struct, frozen=True, array_like=True):
    """A block that was observed."""

    seq: int
    number: int


class Row(Struct, frozen=True, array_like=True):
    """What was decided for an epoch."""

    seq: int
    block: int
    computed: bool
    """False where it was deferred."""


class Index(Struct, kw_only=True):
    """Sequence numbers, by what the events say of themselves in their slots."""

    format: Literal["quasar-index/2"] = "quasar-index/2"
    origin: str
    size: int = 0
    """Events that it covers."""
    tiles: bytearray = field(default_factory=bytearray)
    """Root of each full hash tile, joined."""
    marks: list[Mark] = field(default_factory=list)
    types: dict[str, int] = field(default_factory=dict)
    """Type of event to the first of it."""
    sources: list[int] = field(default_factory=list)
    policies: list[int] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    """Starts of runs."""
    rotations: list[int] = field(default_factory=list)
    """Of the log key."""
    metagraphs: list[int] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    opened: dict[int, int] = field(default_factory=dict)
    """Round to RoundOpened, or RoundSkipped."""
    revealed: dict[int, int] = field(default_factory=dict)
    scored: dict[int, int] = field(default_factory=dict)
    findings: dict[str, list[int]] = field(default_factory=dict)
    """Hotkey to those that name it."""
    told: dict[str, dict[int, bytes]] = field(default_factory=dict)
    """Hotkey and round to the events of all its answers: ``array("Q")`` as by ``packed``."""

    def answers(self, hotkey: str, round_: int) -> dict[int, dict[str, int]]:
        """Events of a miner's answers in a round: by task, then by head of the slot.

        Of two in one slot, which an audit names, the first counts.
        """
        found: dict[int, dict[str, int]] = {}
        for value in array("Q", self.told.get(hotkey, {}).get(round_, b"")):
            task, seq, head = value >> 44, value >> 4 & MAX_SEQ, value & 15
            found.setdefault(task, {}).setdefault(HEADS[head], seq)
        return dict(sorted(found.items()))


def packed(task: int, seq: int, head: int) -> int:
    """One event of an answer as 64 bits; ``head`` counts in HEADS."""
    return task << 44 | seq << 4 | head


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Index).decode


def encode_index(index: Index) -> bytes:
    """The bytes to keep."""
    return _encode(index)


def decode_index(data: bytes) -> Index | None:
    """The index in kept bytes; None for those of another version."""
    try:
        return _decode(data)
    except msgspec.DecodeError:
        return None
