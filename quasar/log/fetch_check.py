"""What was fetched, held against itself: hashes under the signed root, lines under their hashes."""

import hashlib
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from quasar.errors import CannotJudge, Damaged, LogError
from quasar.events.base import Blob
from quasar.events.envelope import MAX_EVENT_BYTES
from quasar.events.frontier import Frontier, Span
from quasar.events.merkle import HASH_BYTES, leaf_hash
from quasar.events.note import parse_checkpoint
from quasar.log.blobs import MAX_BLOB_BYTES
from quasar.log.frames import BadFrame, unpack
from quasar.log.manifest import Manifest, Segment, segment_name
from quasar.log.tiles import TILE_HASHES, read_tile, read_tiles

_BLOB = re.compile(rb'\{"sha256":"([0-9a-f]{64})","bytes":([0-9]{1,16})\}')
_PIECE = 1 << 20


class Lines(NamedTuple):
    """What a segment's file holds."""

    good: bool
    """Every line is what its hash says, and there are as many as the manifest says."""
    end: int
    """Offset behind the frame with the last of them."""
    blobs: set[Blob]
    """That lines behind the one asked for name."""


def check_manifest(url: str, manifest: Manifest) -> None:
    """Raises LogError unless its segments follow each other and have the names that they must."""
    follows = 1
    for segment in manifest.segments:
        right = segment.first == follows and segment.last >= follows
        if not right or segment.name != segment_name(segment.first):
            raise LogError(f"{url}: its manifest names a segment {segment.name[:64]!r} wrongly")
        follows = segment.last + 1
    if (manifest.first, manifest.last) != (1, follows - 1):
        raise LogError(f"{url}: its manifest counts other events than its segments hold")


def noted_root(note: str | None, manifest: Manifest) -> bytes | None:
    """The root that a note states over exactly these events; None where it does not.

    Who signed it is for an audit to say.
    """
    try:
        checkpoint = parse_checkpoint(note or "")
    except (CannotJudge, LogError):
        return None
    if (checkpoint.origin, checkpoint.size) != (manifest.identity.origin, manifest.last):
        return None
    return checkpoint.root


def root_of(folder: Path, size: int) -> bytes | None:
    """The root over the hash tiles in a folder; None where there are not so many."""
    tree = Frontier()
    try:
        for tile in read_tiles(folder, size):
            span = Span(tree.size, tile)
            tree.extend(span.end, span.nodes(span.end))
    except Damaged:
        return None
    return tree.root()


def hashes_of(folder: Path, segment: Segment) -> Iterator[bytes]:
    """Of the events of a segment, in order. Raises Damaged where they are missing."""
    at = segment.first - 1
    while at < segment.last:
        index, skip = divmod(at, TILE_HASHES)
        width = min(TILE_HASHES, segment.last - index * TILE_HASHES)
        tile = read_tile(folder, index, width)
        for i in range(skip * HASH_BYTES, len(tile), HASH_BYTES):
            yield tile[i : i + HASH_BYTES]
        at = index * TILE_HASHES + width


def check_lines(path: Path, segment: Segment, hashes: Iterator[bytes], after: int) -> Lines:
    """Compare the lines of a segment's file with ``hashes``, which begin at its first event."""
    seq, rest, blobs = segment.first - 1, b"", set[Blob]()
    try:
        with path.open("rb") as file:
            for chunk in unpack(file):
                *lines, rest = (rest + chunk.data).split(b"\n")
                for line, leaf in zip(lines, islice(hashes, len(lines)), strict=False):
                    seq += 1
                    if leaf_hash(line) != leaf:
                        return Lines(False, 0, blobs)
                    if seq > after:
                        blobs.update(_named(line))
                if seq >= segment.last and chunk.end is not None:
                    return Lines(True, chunk.end, blobs)
                if len(rest) > MAX_EVENT_BYTES:
                    break
    except (BadFrame, Damaged):
        pass
    return Lines(False, 0, blobs)


def is_blob(path: Path, blob: Blob) -> bool:
    """Whether a file holds the bytes that a blob's name says."""
    with path.open("rb") as file:
        if file.seek(0, 2) != blob.bytes:
            return False
        file.seek(0)
        digest = hashlib.sha256()
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest() == blob.sha256


def starts_with(tile: Path, held: bytes) -> bool:
    """Whether a tile begins with these hashes."""
    return tile.read_bytes().startswith(held)


def _named(line: bytes) -> Iterator[Blob]:
    for digest, size in _BLOB.findall(line):
        if int(size) <= MAX_BLOB_BYTES:
            yield Blob(sha256=digest.decode(), bytes=int(size))
