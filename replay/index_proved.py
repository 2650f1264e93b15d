"""Single events of an archive, each proved: what an index points to is believed only then.

A wrong index can make reading fail, and cannot make it show what is not in the signed log: each
line is hashed, found in its hash tile, and led up to the root of the newest signed checkpoint, as
a stranger would do it. That root is made from the index's tile roots, so they are proved with it.
"""

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events.base import Blob
from quasar.events.blobs import Blobs
from quasar.events.envelope import decode, is_canonical
from quasar.events.exhibits import FORMAT, Exhibit, Exhibits, encode_exhibits, open_file
from quasar.events.merkle import HASH_BYTES, Tree, leaf_hash, verify_inclusion
from quasar.events.note import BadSignature, Checkpoint, LogKeys
from quasar.events.opening import Opening, read_opening
from quasar.events.proof import write_proof
from quasar.events.rotation import keys_after
from quasar.log.archive import ArchiveLog
from quasar.log.archive_places import TILE_HASHES, PlacedLines, read_tile
from quasar.replay.index import Index
from quasar.rules.machine import Recorded


class ProvedLog:
    """An archive, under its newest signed checkpoint."""

    def __init__(self, log: ArchiveLog, index: Index, note: str) -> None:
        """Raises Damaged where index, archive and checkpoint are not of one log."""
        self.log, self.index, self.note = log, index, note
        self.blobs = log.blobs
        self._lines = PlacedLines(log, index.marks)
        self._leaves = lru_cache(maxsize=256)(self._tile)
        self._shown: dict[int, tuple[bytes, list[bytes]]] = {}
        first, last = divmod(index.size, TILE_HASHES)
        self._tiles = Tree(_hashes(bytes(index.tiles)))
        if last:
            self._tiles.append(_root(read_tile(log.folder, first, last)))
        self.opening, self.keys, self.checkpoint = self._signed()
        self.root = self.checkpoint.root
        for seq in (1, *index.rotations):
            self.inclusion(seq)

    def _signed(self) -> tuple[Opening, LogKeys, Checkpoint]:
        size = self.index.size
        opening = read_opening(self._lines.line(1))
        if opening.origin != self.log.manifest.identity.origin:
            raise Damaged(1, "the manifest names another log than LogOpened")
        keys = keys_after(opening, ((s, self._lines.line(s)) for s in self.index.rotations))
        try:
            checkpoint = keys.open(self.note, opening.origin)
        except (CannotJudge, BadSignature) as problem:
            raise Damaged(size, f"the checkpoint does not verify: {problem}") from None
        if (checkpoint.size, checkpoint.root) != (size, self._tiles.root()):
            raise Damaged(size, "the checkpoint is signed and has another root")
        return opening, keys, checkpoint

    async def recorded(self, seq: int) -> Recorded:
        """As ``IndexedLog``."""
        return decoded(seq, self._proved(seq)[0])

    def blob(self, seq: int, blob: Blob) -> bytes:
        """As ``IndexedLog``."""
        return blob_of(self.blobs, seq, blob)

    def inclusion(self, seq: int) -> list[bytes]:
        """As ``IndexedLog``. Raises Damaged where the line does not stand in the signed log."""
        return self._proved(seq)[1]

    def _proved(self, seq: int) -> tuple[bytes, list[bytes]]:
        """A line and its inclusion proof. Both are kept: their frame is soon gone from memory."""
        if seq not in self._shown:
            line = self._lines.line(seq)
            self._shown[seq] = line, self._prove(seq, leaf_hash(line))
        return self._shown[seq]

    def _prove(self, seq: int, leaf: bytes) -> list[bytes]:
        if not 1 <= seq <= self.index.size:
            raise Damaged(seq, "no signed checkpoint covers this event")
        tile, at = divmod(seq - 1, TILE_HASHES)
        leaves = self._leaves(tile)
        if leaf != leaves.leaves(at, at + 1):
            raise Damaged(seq, "the stored bytes do not match the log's hash tile")
        path = leaves.inclusion(at, leaves.size) + self._tiles.inclusion(tile, self._tiles.size)
        if not verify_inclusion(leaf, seq - 1, self.index.size, path, self.root):
            raise Damaged(seq, "its hash tile does not lead to the root of the signed checkpoint")
        return path

    def proof(self, seq: int) -> str:
        """The ``.tlog-proof`` file of an event, verified as a stranger would."""
        others = [self._exhibit(s) for s in (1, *self.index.rotations) if s != seq]
        own = self._exhibit(seq)
        shown = Exhibits(
            format=FORMAT, kind="inclusion", event=own.event, others=others, request=None
        )
        text = write_proof(own.index, own.hashes, self.note, encode_exhibits(shown))
        open_file(text)
        return text

    def _exhibit(self, seq: int) -> Exhibit:
        line, hashes = self._proved(seq)
        return Exhibit(index=seq - 1, hashes=hashes, event=line.decode())

    def _tile(self, tile: int) -> Tree:
        width = min(TILE_HASHES, self.index.size - tile * TILE_HASHES)
        return Tree(_hashes(read_tile(self.log.folder, tile, width)))


def decoded(seq: int, line: bytes) -> Recorded:
    """The event in a line. Raises Damaged for what no log writes, CannotJudge for a newer one."""
    try:
        envelope = decode(line)
    except CannotJudge as unknown:
        raise CannotJudge(f"event {seq}: {unknown}") from None
    except msgspec.DecodeError as problem:
        raise Damaged(seq, f"not an event: {problem}") from None
    if not is_canonical(line, envelope):
        raise Damaged(seq, "not canonical: the stored bytes are not what a log writes")
    return Recorded(seq, line, envelope)


def blob_of(blobs: Blobs, seq: int, blob: Blob) -> bytes:
    """What an event names. Raises Damaged of that event."""
    try:
        return blobs.get(blob)
    except Damaged as damage:
        raise Damaged(seq, damage.reason) from None
    except CannotJudge as missing:
        raise Damaged(seq, f"its blob is missing: {missing}") from None


def _hashes(joined: bytes) -> Iterator[bytes]:
    return (joined[i : i + HASH_BYTES] for i in range(0, len(joined), HASH_BYTES))


def _root(leaves: bytes) -> bytes:
    return Tree(_hashes(leaves)).root()
