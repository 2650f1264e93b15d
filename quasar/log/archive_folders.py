"""The volumes of a log as archives in folders."""

import re
from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path

from quasar.log.archive_reader import ArchiveLog
from quasar.log.manifest import NAME as MANIFEST
from quasar.log.whole import is_pruned

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def volumes_of(folder: Path) -> list[ArchiveLog]:
    """The archives in a folder: itself, or those in it that have a number for a name."""
    if (folder / MANIFEST).exists():
        return [ArchiveLog(folder)]
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    numbers = sorted((name for name in names if _NUMBER.fullmatch(name)), key=int)
    return [ArchiveLog(folder / n) for n in numbers if (folder / n / MANIFEST).exists()]


def unpruned(volumes: Sequence[ArchiveLog]) -> list[ArchiveLog]:
    """Those from the first on that still has its events: older ones are pruned first."""
    return list(dropwhile(is_pruned, volumes))
