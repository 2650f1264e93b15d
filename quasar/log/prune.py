"""Removes the events of an old volume once another copy of them was verified."""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from shutil import rmtree

import msgspec

from quasar.errors import LogError, UsageError
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import FolderLock, open_regular
from quasar.log.manifest import Manifest, write_manifest
from quasar.log.parts import event_parts, kept_parts
from quasar.log.whole import PRUNED, is_pruned, is_sealed, verify_whole

_PIECE = 2**20
_PARTS = ("segments", "tile", "blobs")


def check_prunable(own: ArchiveLog, copy: ArchiveLog) -> None:
    """Verify the copy line by line, and that it equals the volume byte for byte.

    What an earlier prune removed already is not compared again. Raises UsageError where the two
    are not two copies of one sealed volume, and Damaged where the copy is not whole.
    """
    if not is_sealed(own):
        raise UsageError(f"volume {own.manifest.volume} is not sealed: it is still written")
    if is_pruned(copy):
        raise UsageError(f"{copy.folder} was pruned itself: name a copy that holds the events")
    if _without_mark(own.manifest) != copy.manifest:
        raise UsageError(f"{copy.folder} is no copy of {own.folder}: their manifests differ")
    verify_whole(copy)
    for log in (own, copy):
        if log.checkpoint_note() is None or log.manifest.last not in log.checkpoint_sizes():
            raise UsageError(f"{log.folder} lacks its newest checkpoint: get it from another copy")
    for name in _to_compare(own):
        _compare(own.folder, copy.folder, name)


def prune(own: ArchiveLog) -> int:
    """Remove segments, hash tiles and blobs; returns how many bytes. Check it first.

    The mark in the manifest comes first, so that a crash leaves a pruned volume with leftovers,
    which the next prune removes. Raises TryAgain while another process has the volume, LogError
    where the disk refuses.
    """
    lock = FolderLock(own.folder)
    try:
        freed = 0
        for name in event_parts(own):
            freed += (own.folder / name).lstat().st_size
        if not is_pruned(own):
            marked = [*own.manifest.withheld, PRUNED]
            manifest = msgspec.structs.replace(own.manifest, withheld=marked)
            data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
            write_manifest(own.folder, data)
        for part in _PARTS:
            if (own.folder / part).exists():
                rmtree(own.folder / part)
    except OSError as error:
        raise LogError(f"{own.folder} cannot be pruned: {error.strerror or error}") from error
    finally:
        lock.release()
    return freed


def _without_mark(manifest: Manifest) -> Manifest:
    left = [entry for entry in manifest.withheld if entry.what != PRUNED.what]
    return msgspec.structs.replace(manifest, withheld=left)


def _to_compare(own: ArchiveLog) -> Iterator[str]:
    signed = (name for name in kept_parts(own) if name.startswith("checkpoint"))
    return chain(signed, event_parts(own))


def _compare(own: Path, copy: Path, name: str) -> None:
    try:
        with open_regular(own, name) as ours, open_regular(copy, name) as theirs:
            if os.path.sameopenfile(ours.fileno(), theirs.fileno()):
                raise UsageError(f"{copy / name} is the very file in {own}, not a copy of it")
            same = True
            while same and (piece := ours.read(_PIECE)):
                same = theirs.read(_PIECE) == piece
            same = same and not theirs.read(1)
    except OSError as error:
        raise UsageError(f"{copy} is no whole copy: {name}: {error.strerror or error}") from None
    if not same:
        raise UsageError(f"{name} differs between {own} and {copy}: audit both, keep the good one")
