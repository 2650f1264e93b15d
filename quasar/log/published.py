"""What of a volume's archive anyone may read: all of a sealed one, else a prefix of it.

Nobody but the actors reads past the last revealed round: a miner who sees another's answer, or the
question before it is asked, needs no model.
"""

import io
import re
from pathlib import Path
from typing import BinaryIO

import msgspec

from quasar.events.envelope import payload_of, tag_of
from quasar.events.merkle import HASH_BYTES
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import open_regular
from quasar.log.frames import unpack
from quasar.log.manifest import NAME as MANIFEST
from quasar.log.manifest import Segment
from quasar.log.tiles import TILE_HASHES
from quasar.log.whole import is_pruned, is_sealed

OPENED = frozenset({"TaskSampled", "TaskAssigned"})
"""With these a round begins to hold what must not be read yet."""

_TILE = re.compile(r"tile/0/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)
_BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})", re.ASCII)
_CHECKPOINT = re.compile(r"checkpoints/(0|[1-9][0-9]{0,15})", re.ASCII)
_NAMED = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class _Round(msgspec.Struct):
    round: int


_round = msgspec.json.Decoder(_Round).decode


class Piece:
    """The beginning of a file. To be closed."""

    def __init__(self, file: BinaryIO, size: int | None = None) -> None:
        """``size``: how many bytes may be read; None for all."""
        self._file = file
        self.size = file.seek(0, 2) if size is None else size

    def read(self, start: int, size: int) -> bytes:
        """Bytes from ``start``, within ``self.size``. Blocks."""
        self._file.seek(start)
        return self._file.read(max(0, min(size, self.size - start)))

    def close(self) -> None:
        """Once it is read."""
        self._file.close()


class Revealed:
    """Follows a growing log: up to where, and which blobs, it may be read."""

    def __init__(self) -> None:
        self._seen = 0
        self._open: dict[int, int] = {}
        """Round that is not revealed to the first event that must not be read."""
        self._named: list[tuple[int, bytes]] = []
        """Blobs named behind the prefix, with the event that names them."""
        self.blobs: set[bytes] = set()

    def follow(self, log: ArchiveLog) -> int:
        """Events of the prefix. Raises Damaged as ``ArchiveLog.lines``."""
        for seq, line in log.lines(self._seen):
            self._take(seq, line)
        last = min(self._open.values(), default=self._seen + 1) - 1
        self.blobs.update(name for seq, name in self._named if seq <= last)
        self._named = [(seq, name) for seq, name in self._named if seq > last]
        return last

    def _take(self, seq: int, line: bytes) -> None:
        self._seen, tag = seq, tag_of(line).partition(".")[0]  # in whatever version
        if tag in OPENED:
            self._open.setdefault(_round(payload_of(line)).round, seq)
        elif tag == "RoundRevealed":
            self._open.pop(_round(payload_of(line)).round, None)
        if tag != "TaskAssigned":  # its context is no blob
            self._named += [(seq, bytes.fromhex(n.decode())) for n in _NAMED.findall(line)]


class Publication:
    """A volume as it is published. ``refresh`` follows its writer; between two, nothing changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._revealed: Revealed | None = Revealed()
        """None once the volume is sealed: then there is nothing to hide."""
        self._manifest = b""
        self._note: bytes | None = None
        self._size = 0
        self._ends: dict[str, int | None] = {}
        """Segments, and how much of each."""

    def refresh(self) -> None:
        """Look what may be read now. Raises UsageError and Damaged as ``ArchiveLog``."""
        if self._revealed is None and not is_pruned(ArchiveLog(self.folder)):
            return
        log = ArchiveLog(self.folder)
        if is_sealed(log):
            self._revealed = None
            self._publish(log, log.manifest.last, None)
            return
        assert self._revealed is not None
        size, end = _checkpoint_before(log, self._revealed.follow(log))
        if size > self._size or not self._manifest:
            self._publish(log, size, end)

    def open(self, name: str) -> Piece | None:
        """A published part by its relative name; None for anything else.

        Raises FileNotFoundError or OSError where it is published and cannot be opened.
        """
        if name == MANIFEST:
            return Piece(io.BytesIO(self._manifest))
        if name == "checkpoint":
            return None if self._note is None else Piece(io.BytesIO(self._note))
        if name.startswith("segments/"):
            segment = name.removeprefix("segments/")
            if segment not in self._ends:
                return None
            return Piece(open_regular(self.folder, name), self._ends[segment])
        return self._open(name) if self._holds(name) else None

    def _open(self, name: str) -> Piece:
        full, _, width = name.partition(".p/")
        try:
            return Piece(open_regular(self.folder, name))
        except FileNotFoundError:
            if not width:
                raise
        # The writer is past it, and keeps the full tile alone.
        return Piece(open_regular(self.folder, full), int(width) * HASH_BYTES)

    def _holds(self, name: str) -> bool:
        if found := _CHECKPOINT.fullmatch(name):
            return int(found[1]) <= self._size
        if found := _BLOB.fullmatch(name):
            return self._revealed is None or bytes.fromhex(found[2]) in self._revealed.blobs
        if found := _TILE.fullmatch(name):
            index = int(found[1].replace("x", "").replace("/", ""))
            return index * TILE_HASHES + int(found[2] or TILE_HASHES) <= self._size
        return False

    def _publish(self, log: ArchiveLog, size: int, end: int | None) -> None:
        """The first ``size`` events; ``end``: how much of the newest segment that is."""
        segments = [
            msgspec.structs.replace(segment, last=min(segment.last, size))
            for segment in log.manifest.segments
            if segment.first <= size
        ]
        manifest = msgspec.structs.replace(log.manifest, last=size, segments=segments)
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        note = log.checkpoint_note(size) if size else None
        # The manifest last: it never names what cannot be had yet.
        ends: dict[str, int | None] = {segment.name: None for segment in segments[:-1]}
        self._ends = ends | {segment.name: end for segment in segments[-1:]}
        self._note, self._size = note.encode() if note else None, size
        self._manifest = log.manifest_bytes if size == log.manifest.last else data


def _checkpoint_before(log: ArchiveLog, last: int) -> tuple[int, int | None]:
    """The newest checkpoint over no event above ``last``, and where the newest segment ends then.

    A checkpoint is signed right after its lines were written, so that a frame ends there.
    """
    sizes = [size for size in log.checkpoint_sizes() if 0 < size <= last]
    for segment in reversed(log.manifest.segments):
        inside = [size for size in sizes if segment.first <= size <= segment.last]
        ends = _frame_ends(log, segment) if inside else {}
        for size in reversed(inside):
            if size in ends:
                return size, ends[size]
    return 0, None


def _frame_ends(log: ArchiveLog, segment: Segment) -> dict[int, int]:
    """Last event of each frame to the offset behind it."""
    ends, seq = {}, segment.first - 1
    with open_regular(log.folder, f"segments/{segment.name}") as file:
        for chunk in unpack(file):
            seq += chunk.data.count(b"\n")
            if chunk.end is not None:
                ends[seq] = chunk.end
            if seq >= segment.last:
                break
    return ends
