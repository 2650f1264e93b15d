"""Recorded logs for tests of exports, and their tables read back."""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from quasar.log.archive_reader import ArchiveLog
from quasar.sinks.export import export
from quasar.sinks.manifest import ExportManifest, To
from tests.forging import played
from tests.unit.volume_folder import worlds, write_volume


def one_volume(folder: Path) -> list[ArchiveLog]:
    """Three rounds; in the second, every way to fail."""
    return [ArchiveLog(write_volume(played(), folder / "log"))]


def two_volumes(folder: Path) -> list[ArchiveLog]:
    """A log that goes on in a second volume."""
    return [ArchiveLog(write_volume(w, folder / str(w.volume))) for w in worlds()[:2]]


def write(logs: list[ArchiveLog], to: To, out: Path, *, blobs: bool = False) -> ExportManifest:
    """An export under a name that says nothing."""
    return export(logs, to, out, source="log", blobs=blobs)


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a table of JSON lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def need(package: str) -> None:
    """Leave the test out where the package is not installed; on CI it must be."""
    if find_spec(package) is None and not os.environ.get("CI"):
        pytest.skip(f"{package} is not installed: pip install 'quasar-subnet[dev]'")
