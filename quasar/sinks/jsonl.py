"""JSON Lines: one object an event, for every tool there is. Needs no package."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from quasar.sinks.columns import Column
from quasar.sinks.tables import Row


class JsonLines:
    """A ``TableFormat``."""

    suffix = ".jsonl"
    packages: tuple[str, ...] = ()

    def load(self) -> None:
        """Nothing is missing."""

    def open(self, path: Path, columns: Sequence[Column]) -> "_Writer":
        """As ``TableFormat.open``."""
        return _Writer(path, columns)


class _Writer:
    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        self._encoder = msgspec.json.Encoder()
        self._file = path.open("xb")

    def write(self, rows: Sequence[Row]) -> None:
        objects = [dict(zip(self._names, row, strict=True)) for row in rows]
        self._file.write(self._encoder.encode_lines(objects))

    def close(self) -> None:
        self._file.close()
