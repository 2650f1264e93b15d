"""Opens what a person names as a log."""

from pathlib import Path

from quasar.config import sample_archive
from quasar.log.archive_reader import ArchiveLog


def open_source(source: str) -> ArchiveLog:
    """``sample``, or the folder of an archive."""
    folder = sample_archive() if source == "sample" else Path(source)
    return ArchiveLog(folder)
