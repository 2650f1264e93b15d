"""A folder of volumes, or of one archive, as it is published: paths in, bytes out."""

import re
from collections.abc import Iterator
from pathlib import Path

from quasar.errors import UsageError
from quasar.log.manifest import NAME as MANIFEST
from quasar.log.published import Piece, Publication

_PATH = re.compile(r"(?:([1-9][0-9]{0,8})/)?([a-z0-9./_-]{1,128})", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class PublishedFolder:
    """Parts of an archive by name, or of volumes behind their number, as in ``1/manifest.json``.

    There is no listing: a reader counts the volumes up; manifest and events name the rest.
    """

    def __init__(self, folder: Path) -> None:
        """Raises UsageError where there is no archive, Damaged where one is not whole."""
        self._folder = folder
        self._volumes: dict[str, Publication] = {}
        self.refresh()
        if not self._volumes:
            raise UsageError(f"{folder} holds no archive: give the folder of one")

    def refresh(self) -> None:
        """Look which volumes there are now and how far each may be read. Blocks."""
        for name, folder in self._found():
            volume = self._volumes.get(name) or Publication(folder)
            volume.refresh()
            self._volumes[name] = volume

    def open(self, path: str) -> Piece | None:
        """What is published there; None for everything else, links among it. Blocks."""
        found = _PATH.fullmatch(path)
        volume = self._volumes.get(found[1] or "") if found else None
        if found is None or volume is None:
            return None
        try:
            return volume.open(found[2])
        except OSError:  # pruned, not there, or a link
            return None

    def _found(self) -> Iterator[tuple[str, Path]]:
        if (self._folder / MANIFEST).exists():
            yield "", self._folder
            return
        inside = list(self._folder.iterdir()) if self._folder.is_dir() else []
        numbered = [path for path in inside if _NUMBER.fullmatch(path.name)]
        for path in sorted(numbered, key=lambda path: int(path.name)):
            if not path.is_symlink() and (path / MANIFEST).exists():
                yield path.name, path
