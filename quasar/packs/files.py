"""Where the data files of LongBench stand: in the hub's layouts, or named one by one."""

import hashlib
import os
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

from quasar.errors import UsageError

V1_PLACES = (
    "data/{file}.jsonl",
    "{file}.jsonl",
    "{file}.json",
    "{file}.parquet",
    "{file}/*.parquet",
    "{file}/test/*.parquet",
    "{file}/*.jsonl",
    "data/{file}-*.parquet",
    "data/{file}/*.parquet",
)
"""In a folder, in the order in which they are tried; before them all ``data.zip``."""
V2_PLACES = (
    "data.json",
    "data.jsonl",
    "data/*.parquet",
    "*.parquet",
    "default/train/*.parquet",
    "data/*.jsonl",
    "*.jsonl",
)
ZIP = "data.zip"
SUFFIXES = (".jsonl", ".json", ".parquet", ".zip")


def places(file: str) -> list[str]:
    """Patterns of a data set's files in a folder; of LongBench v2 for an empty name."""
    return [place.format(file=file) for place in V1_PLACES] if file else list(V2_PLACES)


class Found(NamedTuple):
    """Data files of one kind, in order."""

    paths: Sequence[Path]
    names: Sequence[str]
    """What to call them, without the folders of this machine."""
    revision: str
    """SHA-256 over their names and bytes; or what the hub calls this state of it."""

    @classmethod
    def at(cls, path: Path, file: str, scratch: Path, revision: str = "") -> "Found":
        """The files of a data set in a folder, or one file. ``scratch`` takes what is unpacked.

        Raises UsageError where there are none.
        """
        named = {n.relative_to(path).as_posix(): n for n in _in_folder(path, file)}
        if path.is_file():
            named = {path.name: path}
        if named and (name := next(iter(named))).endswith(".zip"):
            named = {f"{name}/{file}.jsonl": _unpacked(named[name], file, scratch)}
        if not named:
            wanted = ", ".join([ZIP, *places(file)] if file else places(file))
            raise UsageError(f"{path} holds no {file or 'LongBench v2'}: it needs one of {wanted}")
        _check_suffixes(named)
        return cls(list(named.values()), list(named), revision or _digest(named))


def _in_folder(path: Path, file: str) -> list[Path]:
    """The zip, or the files of the first place that has any."""
    if file and (path / ZIP).is_file():
        return [path / ZIP]
    for place in places(file):
        if found := sorted(p for p in path.glob(place) if p.is_file()):
            return found
    return []


def _unpacked(archive: Path, file: str, scratch: Path) -> Path:
    """One data set out of the hub's ``data.zip``."""
    target = scratch / f"{file}.jsonl"
    try:
        with ZipFile(archive) as zipped:
            inside = [n for n in zipped.namelist() if n.rpartition("/")[2] == target.name]
            if not inside:
                raise UsageError(f"{archive} holds no {target.name}")
            with zipped.open(inside[0]) as packed, target.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
    except (BadZipFile, OSError, EOFError, RuntimeError, zlib.error) as problem:  # also encrypted
        raise UsageError(f"{archive} cannot be unpacked: {problem}") from None
    return target


def _check_suffixes(named: dict[str, Path]) -> None:
    for name, path in named.items():
        if path.suffix not in SUFFIXES:
            raise UsageError(f"{name} is neither JSONL, JSON, Parquet nor the hub's {ZIP}")


def _digest(named: dict[str, Path]) -> str:
    total = hashlib.sha256()
    for name, path in named.items():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{found}  ".encode() + os.fsencode(name) + b"\n")
    return total.hexdigest()
