"""The validator's contexts of open rounds, packed as they travel.

A cache: the revealed seed makes them anew, so they leave when their round is revealed and that was
tried (``quasar.supervisor.retention``).
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

from quasar.door.packing import Packed, pack

_NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)


class Outbox:
    """``<folder>/<round>/<sha256 of the text>.zst``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, number: int, text: bytes) -> None:
        """Keep a context; durable on return. Blocks: call it in a thread."""
        path = self._path(number, hashlib.sha256(text).hexdigest())
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        pack(text, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)

    def get(self, number: int, sha256: str) -> Packed:
        """A context, ready to be sent. Raises FileNotFoundError where it is not here."""
        path = self._path(number, sha256)
        with path.open("rb") as file:
            packed = hashlib.file_digest(file, "sha256").hexdigest()
        return Packed(path, packed, path.stat().st_size)

    def rounds(self) -> list[int]:
        """Rounds of which anything is here, ascending."""
        names = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        return sorted(int(name) for name in names if _NUMBER.fullmatch(name))

    def held(self, number: int) -> list[str]:
        """SHA-256 of each of a round's texts that is here, sorted."""
        found = (self._folder / str(number)).glob("*.zst")
        return sorted(path.stem for path in found)

    def drop(self, number: int) -> None:
        """Forget a round, and what a crash left half written of it."""
        shutil.rmtree(self._folder / str(number), ignore_errors=True)

    def _path(self, number: int, sha256: str) -> Path:
        return self._folder / str(number) / f"{sha256}.zst"
