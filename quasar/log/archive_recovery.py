"""What a writer finds when it opens an archive: the durable prefix, or the reason to stop."""

from pathlib import Path
from typing import BinaryIO, NamedTuple

from quasar.errors import Damaged, UsageError
from quasar.events.envelope import MAX_EVENT_BYTES
from quasar.events.merkle import HASH_BYTES, Tree, leaf_hash
from quasar.events.note import parse_checkpoint
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import make_folder, sync_file, sync_folder
from quasar.log.frames import BadFrame, Chunk, unpack
from quasar.log.manifest import (
    CONTEXTS,
    NAME,
    ArchiveIdentity,
    Withheld,
    new_manifest,
    segment_name,
    write_manifest,
)
from quasar.log.tiles import TILE_HASHES, read_tiles


class Found(NamedTuple):
    """The state of an archive."""

    tree: Tree
    """Over all whole lines."""
    listed: int
    """Events that the manifest knows; the tree may hold more."""
    withheld: list[Withheld]


def prepare(folder: Path, identity: ArchiveIdentity) -> None:
    """Make an archive without events where there is none, and clear what a crash left half done.

    Raises UsageError where the folder holds something else.
    """
    for pattern in (".*.tmp", "checkpoints/.*.tmp", "tile/**/.*.tmp"):
        for leftover in list(folder.glob(pattern)):
            leftover.unlink()
    segments = folder / "segments"
    if not (folder / NAME).exists():
        if any(path != segments for path in folder.iterdir()) or any(segments.glob("*")):
            raise UsageError(f"{folder} holds files, and no {NAME}; choose an empty folder")
        write_manifest(folder, new_manifest(identity, 0, 1, [CONTEXTS]))
    make_folder(segments)


def recover(folder: Path, identity: ArchiveIdentity, segment_events: int) -> Found:
    """Read back every durable line, cut off a torn end, and compare with tiles and checkpoint.

    Raises UsageError where the archive is another log's, and Damaged with the first event that
    was durable and is no longer what it was.
    """
    archive = ArchiveLog(folder)
    manifest = archive.manifest
    if manifest.identity != identity:
        raise UsageError(
            f"{folder} is the archive of {manifest.identity.origin}, not of {identity.origin}"
        )
    tree = Tree()
    while _recover_segment(folder, tree, manifest.last, segment_events):
        pass
    if tree.size < manifest.last:
        raise Damaged(tree.size + 1, "it was durable, and the archive has lost it")
    _check_tiles(folder, tree, manifest.last)
    _check_checkpoint(archive, tree)
    return Found(tree, manifest.last, manifest.withheld)


def _recover_segment(folder: Path, tree: Tree, listed: int, segment_events: int) -> bool:
    """Add one segment's lines to the tree. False where no further segment can follow."""
    limit = tree.size + segment_events
    path = folder / "segments" / segment_name(tree.size + 1)
    if not path.exists():
        return False
    with path.open("r+b") as file:
        end = _read_frames(file, tree, listed)
        file.truncate(end)
        sync_file(file)
    if end == 0:
        path.unlink()
        sync_folder(path.parent)
    if tree.size > limit:
        raise Damaged(limit + 1, f"segments/{path.name} holds more than {segment_events} events")
    return tree.size == limit


def _read_frames(file: BinaryIO, tree: Tree, listed: int) -> int:
    """Add the lines of all whole frames to the tree; returns where the last of them ends."""
    end = 0
    try:
        for chunk in unpack(file):
            if chunk.end is None:
                raise Damaged(tree.size + 1, "its frame is larger than any this program writes")
            tree.extend(_leaf_hashes(chunk, tree.size + 1))
            end = chunk.end
    except BadFrame as error:
        if tree.size < listed:
            raise Damaged(tree.size + 1, f"it was durable, and is altered: {error}") from None
    return end


def _leaf_hashes(chunk: Chunk, first: int) -> list[bytes]:
    *lines, rest = chunk.data.split(b"\n")
    for seq, line in enumerate(lines, first):
        if not 0 < len(line) <= MAX_EVENT_BYTES:
            raise Damaged(seq, f"its line is {len(line)} bytes long")
    if rest:
        raise Damaged(first + len(lines), "its line lacks the newline")
    return list(map(leaf_hash, lines))


def _check_tiles(folder: Path, tree: Tree, listed: int) -> None:
    """Two copies of every hash, one made now: a flipped bit in either stops the writer."""
    for i, tile in enumerate(read_tiles(folder, listed)):
        start = i * TILE_HASHES
        now = tree.leaves(start, start + len(tile) // HASH_BYTES)
        if tile != now:
            same = next(k for k in range(len(tile)) if tile[k] != now[k]) // HASH_BYTES
            raise Damaged(start + same + 1, "the stored line differs from its hash in tile/0")


def _check_checkpoint(archive: ArchiveLog, tree: Tree) -> None:
    """Nothing may be signed that contradicts what was published."""
    note = archive.checkpoint_note()
    if note is None:
        return
    checkpoint = parse_checkpoint(note)
    if checkpoint.size > tree.size:
        raise Damaged(tree.size + 1, "a published checkpoint covers it, and the archive lost it")
    if checkpoint.root != tree.root(checkpoint.size):
        raise Damaged(checkpoint.size, "the lines up to it do not give their checkpoint's root")
