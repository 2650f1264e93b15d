"""The root folder of embedded cells: the very files of the image, unpacked once and kept.

Both drivers run the same bytes, so a folder is named by the digest that the image's layer has.
"""

import fcntl
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from quasar.sandbox.cache import open_folder
from quasar.sandbox.errors import SandboxError
from quasar.sandbox.image import configuration, layer_of, recipe, tar


class RootFolder(NamedTuple):
    """Unpacked and verified."""

    path: Path
    image: str
    """The id that an engine gives to the image of these files, 64 hex digits."""
    layer: str
    """SHA-256 of the layer, 64 hex digits."""


def prepared(cache: Path) -> RootFolder:
    """The root folder of this interpreter, unpacked into ``cache`` unless a whole one is there.

    Reads all of it. Raises SandboxError where it cannot be built or written.
    """
    made = recipe()
    note = cache / f"{made.name.rpartition(':')[2]}.layer"
    try:
        known = note.read_text() if note.exists() else ""
        if not known or not _is_whole(cache / known):
            known = _unpacked(layer_of(made.files), cache)
            note.write_text(known)
    except OSError as error:
        raise SandboxError(
            f"cannot keep the sandbox's files in {cache}: {error.strerror}; make room there"
        ) from error
    config = configuration(known)
    return RootFolder(cache / known, hashlib.sha256(config).hexdigest(), known)


def _is_whole(folder: Path) -> bool:
    """Also not where another program removes it just now."""
    try:
        return digest_of(folder) == folder.name
    except FileNotFoundError:
        return False


def digest_of(folder: Path) -> str:
    """SHA-256 of the layer that a folder would make; of an empty one where there is none."""
    files: dict[str, bytes] = {}
    folders = []
    for here, _, names in os.walk(folder):
        inside = Path(here).relative_to(folder)
        folders.append(inside.as_posix())
        files |= {(inside / name).as_posix(): Path(here, name).read_bytes() for name in names}
    return hashlib.sha256(tar(files, sorted(folders)[1:])).hexdigest()


def _unpacked(layer: bytes, cache: Path) -> str:
    """Name of the folder with the layer's files: there as a whole or not at all."""
    digest = hashlib.sha256(layer).hexdigest()
    part = cache / f"{digest}.part"
    open_folder(cache)
    with locked(cache):
        if digest_of(cache / digest) != digest:  # else another process was quicker
            for old in (part, cache / digest):  # left by one that was killed; altered by somebody
                remove(old)
            _unpack(layer, part)
            part.rename(cache / digest)
    return digest


def _unpack(layer: bytes, target: Path) -> None:
    """Names, contents, modes and times as in the archive, which is our own."""
    target.mkdir()
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        entries = archive.getmembers()
        for entry in entries:
            if entry.isdir():
                (target / entry.name).mkdir()
            elif (content := archive.extractfile(entry)) is not None:
                (target / entry.name).write_bytes(content.read())
        for entry in reversed(entries):  # folders last: they are read-only from then on
            (target / entry.name).chmod(entry.mode)
            os.utime(target / entry.name, (entry.mtime, entry.mtime))
    target.chmod(0o555)


def remove(folder: Path) -> None:
    """All of it: its folders are read-only, for their owner too."""
    for here, _, _ in os.walk(folder):
        Path(here).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """One process at a time unpacks and removes; the lock of a killed one is free."""
    with (cache / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
