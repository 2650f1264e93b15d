"""A backup: one private file, a tar whose last member names every other with its hash."""

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

from quasar.errors import LogError, UsageError
from quasar.log.files import make_folder, open_regular, sync_file, sync_folder
from quasar.log.manifest import ArchiveIdentity

FORMAT = "quasar-backup/1"
NAME = "backup.json"
_PIECE = 2**20
_LIMIT = 2**30
"""Bytes that the list of parts may take."""


class BadBackup(LogError):
    """Raised when a backup is damaged, cut short or none at all. Use another copy."""

    exit_code = 1


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of the backup."""

    name: str
    """``<top>/<path>``, with slashes."""
    mode: int
    """Permissions."""
    bytes: int
    sha256: str


class Contents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``backup.json`` says."""

    format: str = FORMAT
    log: ArchiveIdentity
    """Of the newest volume."""
    volumes: int
    events: int
    parts: list[Part]


class BackupWriter:
    """Takes files one by one. Make one with ``open``."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.parts: list[Part] = []

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["BackupWriter"]:
        """A new file of mode 0600, which appears under its name when the context ends well.

        Raises UsageError where there is a file already, LogError where the disk refuses.
        """
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} exists: name another file, no backup is overwritten")
        partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    with tarfile.open(fileobj=file, mode="w|") as tar:
                        yield cls(tar)
                    sync_file(file)
                partial.replace(path)
            finally:
                with suppress(FileNotFoundError):
                    partial.unlink()
            sync_folder(path.parent)
        except OSError as error:
            raise LogError(f"{path} cannot be written: {error.strerror or error}") from error

    def add(self, root: Path, name: str, top: str, size: int | None = None) -> None:
        """Take the regular file ``root/name`` as ``top/name``, or its first ``size`` bytes.

        Raises LogError where it is something else, is reached by a link below ``root``, or ends
        too early.
        """
        try:
            with open_regular(root, name) as file:
                self._add(file, f"{top}/{name}", size)
        except OSError as error:
            raise LogError(
                f"{root / name} cannot be backed up: {error.strerror or error}"
            ) from None

    def finish(self, log: ArchiveIdentity, volumes: int, events: int) -> Contents:
        """Write the list, which is what makes it a backup."""
        contents = Contents(log=log, volumes=volumes, events=events, parts=self.parts)
        data = msgspec.json.encode(contents)
        self._tar.addfile(_member(NAME, len(data), 0o600), io.BytesIO(data))
        return contents

    def _add(self, file: IO[bytes], name: str, size: int | None) -> None:
        status = os.fstat(file.fileno())
        mode, size = stat.S_IMODE(status.st_mode), status.st_size if size is None else size
        hashed = _Hashed(file)
        self._tar.addfile(_member(name, size, mode), hashed)
        _forget(self._tar)
        self.parts.append(Part(name=name, mode=mode, bytes=size, sha256=hashed.digest()))


def check_backup(path: Path) -> Contents:
    """Read all of a backup and compare every part with the list. Raises BadBackup."""
    found: list[Part] = []
    contents: Contents | None = None
    with _opened(path) as tar:
        for member, file in _members(path, tar):
            if contents is not None:
                raise BadBackup(f"{path} goes on behind its end: use another copy")
            if member.name == NAME:
                contents = _decode(path, file.read(_LIMIT))
            else:
                found.append(_part(member, file))
    if contents is None:
        raise BadBackup(f"{path} is no backup, or it was cut short: use another copy")
    if found != contents.parts:
        pairs = zip(found, contents.parts, strict=False)
        bad = next((listed.name for part, listed in pairs if part != listed), "its end")
        raise BadBackup(f"{path} is damaged at {bad}: use another copy")
    for part in found:
        _check_name(path, part.name)
    return contents


def unpack_backup(path: Path, contents: Contents, tops: Mapping[str, Path]) -> None:
    """Write the parts of a checked backup, each top into its folder, and make them durable.

    Raises BadBackup where it is no longer what was checked, LogError where the disk refuses.
    """
    expected = iter(contents.parts)
    with _opened(path) as tar:
        for member, file in _members(path, tar):
            if member.name == NAME:
                break
            part = next(expected, None)
            if part is None or part.name != member.name:
                raise BadBackup(f"{path} changed while it was read: try again")
            top, _, rest = part.name.partition("/")
            _write(tops[top] / rest, part, file)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        raw = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        with raw, tarfile.open(fileobj=raw, mode="r|") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as error:
        raise BadBackup(f"{path} is no backup, or damaged ({error}): use another copy") from None


def _members(path: Path, tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    while (member := tar.next()) is not None:
        file = tar.extractfile(member) if member.isreg() else None
        if file is None:
            raise BadBackup(f"{path} holds {member.name!r}, which is no file")
        yield member, file
        _forget(tar)


def _forget(tar: tarfile.TarFile) -> None:
    """A tar keeps every member that it saw; there may be millions."""
    tar.members.clear()  # type: ignore[attr-defined]


def _part(member: tarfile.TarInfo, file: IO[bytes]) -> Part:
    hashed = _Hashed(file)
    while hashed.read(_PIECE):
        pass
    mode, size = stat.S_IMODE(member.mode), member.size
    return Part(name=member.name, mode=mode, bytes=size, sha256=hashed.digest())


def _write(target: Path, part: Part, file: IO[bytes]) -> None:
    hashed = _Hashed(file)
    try:
        make_folder(target.parent)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            while piece := hashed.read(_PIECE):
                out.write(piece)
            os.fchmod(handle, part.mode)
            sync_file(out)
    except OSError as error:
        raise LogError(f"{target} cannot be written: {error.strerror or error}") from error
    if hashed.digest() != part.sha256:
        raise BadBackup(f"{part.name} changed while it was read: try again")


def _decode(path: Path, data: bytes) -> Contents:
    try:
        return msgspec.json.decode(data, type=Contents)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBackup(
            f"{path} was not written by this version of quasar-subnet, or is damaged ({error})"
        ) from None


def _check_name(path: Path, name: str) -> None:
    """A name that leads elsewhere is never written."""
    top, *rest = name.split("/")
    bad = any(word in {"", ".", ".."} or "\0" in word or "\\" in word for word in rest)
    if top not in {"state", "archive"} or not rest or bad:
        raise BadBackup(f"{path} names {name[:80]!r}, which is no part of a backup")


def _member(name: str, size: int, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, mode
    return member


class _Hashed(io.RawIOBase):
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()
