"""One segment of an archive checked on its own, in any process: lines, hashes, blobs.

The quick way reads lines that are as a writer stores them, and gives up at anything else; the slow
way, ``ArchiveLog``, then names the first event that is not what it should be, if there is one.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from quasar.errors import CannotJudge, Damaged, QuasarError
from quasar.events.base import Blob
from quasar.events.envelope import MAX_EVENT_BYTES
from quasar.events.frontier import Span
from quasar.events.log import ROTATION_MARK
from quasar.events.merkle import HASH_BYTES, leaf_hash, leaf_hashes
from quasar.log.blobs import FolderBlobs
from quasar.log.files import open_regular
from quasar.log.manifest import Segment
from quasar.log.rotations import note_rotation
from quasar.log.tiles import TILE_BYTES, TILE_HASHES, tile_name
from quasar.log.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

_BLOB = re.compile(rb'\{"sha256":"([0-9a-f]{64})","bytes":([0-9]{1,16})\}')
"""What names a blob. A text cannot hold it: there each quotation mark has a backslash."""
_FRAME = b"\x28\xb5\x2f\xfd"
_HEADER = len(_FRAME) + 1
_FLAGS = 0b0001_1100
"""Of the frame header's descriptor: two bits that must be 0, and the checksum's."""
_CHECKSUM = 0b0000_0100
_PIECE = 16_384
_STEP = 131_072
"""Small enough for the processor's cache: text is hashed while it is there."""
_WINDOW_LOG = 23


class Job(msgspec.Struct, frozen=True):
    """What is to be checked."""

    folder: str
    """Of the archive."""
    segment: Segment
    events: int
    """Of the whole log."""
    sizes: list[int]
    """Of checkpoints that end in this segment, ascending."""
    blobs: bool = True
    """Whether the blobs that its events name are checked too."""


class Part(msgspec.Struct, frozen=True):
    """What a segment was found to hold."""

    nodes: dict[int, list[bytes]] = {}
    """For each size asked for, and the segment's end: the tree's nodes from its first leaf."""
    blobs: int = 0
    """Different ones that its events name; all are there."""
    rotations: list[tuple[int, bytes]] = []
    """Lines that replace the log key, with their numbers."""
    damage: tuple[int, str] | None = None
    """The first bad event, and why."""
    failure: str = ""
    """Why this machine cannot tell."""


class _Unsure(Exception):
    """Raised where the quick way cannot tell; no verdict."""


class _Found(NamedTuple):
    leaves: bytearray
    """Their hashes, joined."""
    blobs: dict[Blob, int]
    """To the first event that names it."""
    rotations: list[tuple[int, bytes]]


def check_segment(job: Job) -> Part:
    """Check one segment. What is wrong is in the result, which can travel between processes."""
    try:
        found = _check_lines(job)
        _check_blobs(Path(job.folder), found.blobs)
    except Damaged as damage:
        return Part(damage=(damage.seq, damage.reason))
    except (QuasarError, OSError) as problem:
        return Part(failure=str(problem))
    span = Span(job.segment.first - 1, bytes(found.leaves))
    nodes = {size: span.nodes(size) for size in (*job.sizes, job.segment.last)}
    return Part(nodes=nodes, blobs=len(found.blobs), rotations=found.rotations)


def _check_lines(job: Job) -> _Found:
    try:
        found = _quick(job)
        if found.leaves == _tiles(job):
            return found
    except (_Unsure, Damaged, ZstdError, OSError):
        pass
    return _slow(job)


def _quick(job: Job) -> _Found:
    """Hash whole lines as they come. Raises _Unsure for anything unusual."""
    found, rest = _Found(bytearray(), {}, []), b""
    with open_regular(Path(job.folder), f"segments/{job.segment.name}") as file:
        for text in _texts(file):
            seq = job.segment.first + len(found.leaves) // HASH_BYTES
            lines = text.split(b"\n")
            lines[0] = rest + lines[0]
            if job.blobs:
                _name_blobs(found.blobs, seq, lines[0], text)
            rest = lines.pop()
            if ROTATION_MARK in text or ROTATION_MARK in b"".join(lines[:1]):
                for n, line in enumerate(lines, seq):
                    note_rotation(found.rotations, n, line)
            if not all(lines) or max(map(len, (*lines[:1], rest))) > MAX_EVENT_BYTES:
                raise _Unsure
            if _has_long_line(text):
                raise _Unsure
            found.leaves.extend(b"".join(leaf_hashes(lines)))
    events = job.segment.last - job.segment.first + 1
    if rest or len(found.leaves) != events * HASH_BYTES:
        raise _Unsure
    return found


def _has_long_line(text: bytes) -> bool:
    """Whether a line that begins in this text is longer than an event may be.

    Looks back for the last line feed within the limit, which is quicker than to measure each line.
    """
    at = 0
    while len(text) - at > MAX_EVENT_BYTES:
        at = text.rfind(b"\n", at, at + MAX_EVENT_BYTES + 1) + 1
        if at == 0:
            return True
    return False


def _name_blobs(blobs: dict[Blob, int], seq: int, first: bytes, text: bytes) -> None:
    """Note what blobs a piece of text names; its first line began in the piece before."""
    for where in (first, text):
        for match in _BLOB.finditer(where):
            blob = Blob(sha256=match[1].decode(), bytes=int(match[2]))
            if blob not in blobs:
                blobs[blob] = seq + where.count(b"\n", 0, match.start())


def _texts(file: BinaryIO) -> Iterator[bytes]:
    """Unpacked text in small pieces; a checksum that does not match raises ZstdError behind it."""
    packed = file.read(_PIECE)
    while packed:
        if len(packed) < _HEADER:
            packed += file.read(_PIECE)
        if len(packed) < _HEADER or not packed.startswith(_FRAME):
            raise _Unsure
        if packed[len(_FRAME)] & _FLAGS != _CHECKSUM:
            raise _Unsure
        decoder = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG})
        unpacked = False
        while not decoder.eof:
            if decoder.needs_input and not packed:
                packed = file.read(_PIECE)
                if not packed:
                    raise _Unsure
            text, packed = decoder.decompress(packed, _STEP), b""
            if text:
                unpacked = True
                yield text
        if not unpacked:
            raise _Unsure
        packed = decoder.unused_data or file.read(_PIECE)


def _tiles(job: Job) -> bytes:
    """The recorded hashes of the segment's events. Raises _Unsure or OSError for want of any."""
    start, end = job.segment.first - 1, job.segment.last
    tiles, folder, regular = [], "", set[str]()
    for index in range(start // TILE_HASHES, -(-end // TILE_HASHES)):
        width = min(TILE_HASHES, job.events - index * TILE_HASHES)
        parent, _, name = tile_name(index, width).rpartition("/")
        if parent != folder:
            folder, regular = parent, _regular_files(job.folder, parent)
        if name not in regular:
            raise _Unsure
        with open(f"{job.folder}/{parent}/{name}", "rb") as file:  # noqa: PTH123 - a hot loop
            tile = file.read(TILE_BYTES + 1)
        if len(tile) != width * HASH_BYTES:
            raise _Unsure
        tiles.append(tile)
    skip = start % TILE_HASHES * HASH_BYTES
    return b"".join(tiles)[skip : skip + (end - start) * HASH_BYTES]


def _regular_files(folder: str, name: str) -> set[str]:
    """Names of the files that stand in a folder that is itself no link, nor behind one."""
    path = Path(folder)
    for part in name.split("/"):
        path /= part
        if path.is_symlink():
            raise _Unsure
    return {entry.name for entry in os.scandir(path) if entry.is_file(follow_symlinks=False)}


def _slow(job: Job) -> _Found:
    """Line by line. Raises Damaged with the first event that is not what it should be."""
    from quasar.log.archive_reader import ArchiveLog  # not needed to start, and slow to load

    log, found = ArchiveLog(Path(job.folder)), _Found(bytearray(), {}, [])
    hashes = log.leaf_hashes()
    for _ in range(job.segment.first - 1):
        next(hashes)
    for seq, line in log.lines(job.segment.first - 1):
        if seq > job.segment.last:
            break
        leaf = leaf_hash(line)
        if next(hashes) != leaf:
            raise Damaged(seq, "the stored line differs from its hash in tile/0")
        if job.blobs:
            _name_blobs(found.blobs, seq, b"", line)
        note_rotation(found.rotations, seq, line)
        found.leaves.extend(leaf)
    return found


def _check_blobs(folder: Path, blobs: dict[Blob, int]) -> None:
    """Raises Damaged with the first event whose blob is missing or altered."""
    held = FolderBlobs(folder / "blobs", read_only=True)
    for blob, seq in blobs.items():
        try:
            held.get(blob)
        except (Damaged, CannotJudge) as problem:
            raise Damaged(seq, f"its blob: {getattr(problem, 'reason', problem)}") from None
