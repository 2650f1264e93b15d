"""What an export says of itself: ``manifest.json``, written last."""

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec

from quasar import __version__

FORMAT = "quasar-export/1"
NAME = "manifest.json"

To = Literal["parquet", "jsonl", "datasets", "otlp"]


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """One volume."""

    origin: str
    volume: int
    first: int
    last: int
    """Sequence number of the newest event."""
    root: str
    """Of the Merkle tree over all of them, hex. The lines were compared with it."""
    checkpoint: str | None
    """The newest signed note, as the archive has it; its signature was not checked."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the export, other than blobs and the manifest."""

    name: str
    sha256: str
    bytes: int
    rows: int
    """Events of a table, lines of a text."""


class HeldBlobs(msgspec.Struct, frozen=True, kw_only=True):
    """The folder ``blobs``: ``<first 2 hex>/<sha256>``, so each file's name is its digest."""

    count: int
    bytes: int


class ExportManifest(msgspec.Struct, frozen=True, kw_only=True):
    """Where the files come from, and what they must be."""

    format: str
    to: To
    source: str
    """Name of the log as it was given, without the folders above it."""
    schema: str
    """The quasar-subnet whose vocabulary this is; ``schema.json`` has it in full."""
    versions: dict[str, str]
    """Packages that decide on the bytes: under others, digests may differ and rows may not."""
    volumes: list[Exported]
    events: dict[str, int]
    """Event type to how many there are."""
    files: list[File]
    """By name."""
    blobs: HeldBlobs | None
    """None where they were not asked for."""


def describe(folder: Path, name: str, rows: int) -> File:
    """A file as the manifest lists it."""
    with (folder / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = (folder / name).stat().st_size
    return File(name=name, sha256=digest, bytes=size, rows=rows)


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Of this program and these packages."""
    return {"quasar-subnet": __version__, **{name: metadata.version(name) for name in packages}}


def encode(manifest: ExportManifest) -> bytes:
    """The file."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
