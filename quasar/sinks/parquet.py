"""Parquet, through pyarrow. The same rows give the same bytes under the same pyarrow."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from quasar.errors import MissingExtra
from quasar.sinks.columns import PLACE, Column
from quasar.sinks.tables import Row


class Parquet:
    """A ``TableFormat``. Payloads are strings, for JSON functions refuse binary columns."""

    suffix = ".parquet"
    packages: tuple[str, ...] = ("pyarrow",)

    def load(self) -> None:
        """As ``TableFormat.load``."""
        _need("pyarrow")

    def open(self, path: Path, columns: Sequence[Column]) -> "_Writer":
        """As ``TableFormat.open``."""
        return _Writer(path, columns)


class _Writer:
    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._arrow = arrow = _need("pyarrow")
        types = {
            "int": arrow.int64(),
            "float": arrow.float64(),
            "text": arrow.string(),
            "bool": arrow.bool_(),
        }
        self._schema = arrow.schema(
            [arrow.field(c.name, types[c.kind], nullable=c not in PLACE) for c in columns]
        )
        self._file = path.open("xb")
        self._writer = _need("pyarrow.parquet").ParquetWriter(
            self._file, self._schema, compression="zstd"
        )

    def write(self, rows: Sequence[Row]) -> None:
        columns = zip(zip(*rows, strict=True), self._schema, strict=True)
        arrays = [self._arrow.array(values, type=field.type) for values, field in columns]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        try:
            self._writer.close()
        finally:
            self._file.close()


def _need(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise MissingExtra("export", "pyarrow") from None
