"""Hash tiles that no reader of events looks at: those that only older checkpoints need."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from quasar.errors import Damaged
from quasar.events.merkle import HASH_BYTES
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import read_regular, refuse_ours
from quasar.log.tiles import TILE_BYTES, TILE_HASHES, tile_name

_TILE = re.compile(r"((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def check_tile_files(log: ArchiveLog) -> None:
    """Compare every partial tile with the tile that the lines were compared with before.

    Raises Damaged with the first event whose hash differs there, and for a tile beyond the end.
    """
    last, final = log.manifest.last, log.is_final()
    for index, width in sorted(_tile_files(log.folder)):
        start, name = index * TILE_HASHES, tile_name(index, width)
        if start + width > last and final:
            raise Damaged(last + 1, f"{name} holds hashes of events that are not in the manifest")
        if width < TILE_HASHES and start < last:
            _compare_tiles(log, index, width)


def _compare_tiles(log: ArchiveLog, index: int, width: int) -> None:
    start, name = index * TILE_HASHES, tile_name(index, width)
    widest = min(TILE_HASHES, log.manifest.last - start)
    try:
        tile = read_regular(log.folder, name, TILE_BYTES)
        good = _read_tile(log.folder, index, widest)
    except OSError as error:
        refuse_ours(log.folder / name, error)
        raise Damaged(start + 1, f"{name} {error.strerror}") from None
    if len(tile) != width * HASH_BYTES:
        raise Damaged(start + 1, f"{name} is not {width} hashes long")
    for i in range(0, min(len(tile), len(good)), HASH_BYTES):
        if tile[i : i + HASH_BYTES] != good[i : i + HASH_BYTES]:
            seq = start + i // HASH_BYTES + 1
            raise Damaged(seq, f"the stored line differs from its hash in {name}")


def _read_tile(folder: Path, index: int, width: int) -> bytes:
    """A tile that was checked before; a writer may have completed it since."""
    try:
        return read_regular(folder, tile_name(index, width), TILE_BYTES)
    except FileNotFoundError:
        return read_regular(folder, tile_name(index), TILE_BYTES)


def _tile_files(folder: Path) -> Iterator[tuple[int, int]]:
    """Index and width of every tile that is there. Names that no reader asks for are left out."""
    root = folder / "tile" / "0"
    for path, _, names in os.walk(root):
        for name in names:
            found = _TILE.fullmatch((Path(path) / name).relative_to(root).as_posix())
            if found:
                index = int(found[1].replace("/", "").replace("x", ""))
                yield index, int(found[2] or TILE_HASHES)
