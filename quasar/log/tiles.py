"""Leaf hashes on disk: level 0 of C2SP tlog-tiles, 256 hashes of 32 bytes a file.

They say which stored line is the first that was altered, which a root alone cannot.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from quasar.errors import Damaged
from quasar.events.merkle import HASH_BYTES, Tree
from quasar.log.files import make_folder, read_regular, refuse_ours, write_atomically

TILE_HASHES = 256
TILE_BYTES = TILE_HASHES * HASH_BYTES


def tile_name(index: int, width: int = TILE_HASHES) -> str:
    """Path of a level-0 tile inside the archive: ``tile/0/x001/x234/067`` or ``.../067.p/12``."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    name = "tile/0/" + "/".join(groups)
    return name if width == TILE_HASHES else f"{name}.p/{width}"


def tile_names(size: int) -> Iterator[str]:
    """Paths of the tiles that hold the hashes of ``size`` events."""
    full, rest = divmod(size, TILE_HASHES)
    for index in range(full):
        yield tile_name(index)
    if rest:
        yield tile_name(full, rest)


def write_tiles(folder: Path, tree: Tree, old: int, new: int) -> None:
    """Write what is missing between two sizes; a full tile replaces its partial ones. Durable."""
    for index in range(old // TILE_HASHES, -(-new // TILE_HASHES)):
        start = index * TILE_HASHES
        width = min(TILE_HASHES, new - start)
        _write(folder / tile_name(index, width), tree.leaves(start, start + width))
        if width == TILE_HASHES:
            shutil.rmtree(folder / f"{tile_name(index)}.p", ignore_errors=True)


def write_partial_tile(folder: Path, tree: Tree, size: int) -> None:
    """Write the partial tile that a checkpoint of this size needs, where no full one holds it."""
    index, width = divmod(size, TILE_HASHES)
    if width and not (folder / tile_name(index)).exists():
        start = index * TILE_HASHES
        _write(folder / tile_name(index, width), tree.leaves(start, start + width))


def read_tiles(folder: Path, size: int) -> Iterator[bytes]:
    """The leaf hashes of ``size`` events, joined, at most 256 at a time.

    Raises Damaged with the first event whose hash is missing, after giving out those before.
    """
    for start in range(0, size, TILE_HASHES):
        width = min(TILE_HASHES, size - start)
        data, reason = _read(folder, start // TILE_HASHES, width)
        whole = len(data) // HASH_BYTES
        if whole:
            yield data[: whole * HASH_BYTES]
        if reason:
            raise Damaged(start + whole + 1, reason)


def read_tile(folder: Path, index: int, width: int = TILE_HASHES) -> bytes:
    """The first ``width`` hashes of one tile, joined. Raises Damaged as ``read_tiles``."""
    data, reason = _read(folder, index, width)
    if reason:
        raise Damaged(index * TILE_HASHES + len(data) // HASH_BYTES + 1, reason)
    return data


def read_leaf_hashes(folder: Path, size: int) -> Iterator[bytes]:
    """The leaf hashes of ``size`` events, one by one. Raises Damaged as ``read_tiles``."""
    for tile in read_tiles(folder, size):
        for i in range(0, len(tile), HASH_BYTES):
            yield tile[i : i + HASH_BYTES]


def _read(folder: Path, index: int, width: int) -> tuple[bytes, str]:
    """Up to ``width`` hashes of a tile, and what is wrong with it, or nothing."""
    name = tile_name(index, width)
    try:
        data = read_regular(folder, name, TILE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return _read_wider(folder, index, width)
    except OSError as error:
        refuse_ours(folder / name, error)
        return b"", f"its hash cannot be read: {name} {error.strerror}"
    if len(data) > width * HASH_BYTES:
        return b"", f"its hash cannot be trusted: {name} is longer than {width} hashes"
    if len(data) < width * HASH_BYTES:
        return data, f"its hash is missing: {name} ends early"
    return data, ""


def _read_wider(folder: Path, index: int, width: int) -> tuple[bytes, str]:
    """A writer may have completed the tile, and removed the partial one, since the manifest."""
    if width < TILE_HASHES:
        data, reason = _read(folder, index, TILE_HASHES)
        if not reason:
            return data[: width * HASH_BYTES], ""
    return b"", f"its hash is missing: there is no {tile_name(index, width)}"


def _write(path: Path, data: bytes) -> None:
    make_folder(path.parent)
    write_atomically(path, data)
