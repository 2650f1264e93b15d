"""One table per event type, written in batches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from quasar.sinks.columns import PLACE, Column, columns_of, reader
from quasar.sinks.queries import queries
from quasar.sinks.sink import Origin, Record

ROWS = 4096
"""Of a table in one batch."""
HELD_BYTES = 16 * 2**20
"""Of all payloads that wait for their batch; more than that, and every table is written."""

Row = tuple[Any, ...]


class TableWriter(Protocol):
    """A file that grows by batches."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows, with a value for each column."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


class TableFormat(Protocol):
    """A file format for tables."""

    suffix: str
    packages: tuple[str, ...]

    def load(self) -> None:
        """Import what it needs. Raises MissingExtra."""
        ...

    def open(self, path: Path, columns: Sequence[Column]) -> TableWriter:
        """A new, empty file."""
        ...


class _Table(NamedTuple):
    name: str
    writer: TableWriter
    rows: list[Row]


class Tables:
    """The sink of every format that knows tables."""

    def __init__(self, form: TableFormat, below: str = "") -> None:
        """``below``: the folder of the tables, relative, with a slash at its end."""
        self.packages = form.packages
        self._form = form
        self._below = below
        self._tables: dict[str, _Table] = {}
        """By the tag of their events."""
        self._counts: dict[str, int] = {}
        self._held = 0
        self._folder = Path()

    def begin(self, folder: Path) -> None:
        """As ``Sink.begin``."""
        self._form.load()
        self._folder = folder
        (folder / self._below).mkdir(exist_ok=True)

    def write(self, record: Record) -> None:
        """As ``Sink.write``."""
        table = self._tables.get(record.tag) or self._open(record)
        table.rows.append(
            (
                record.volume,
                record.seq,
                record.key,
                record.at,
                record.actor,
                record.cause,
                record.payload,
                *reader(type(record.event))(record.event),
            )
        )
        self._held += len(record.payload)
        if len(table.rows) == ROWS:
            self._flush(table)
        elif self._held > HELD_BYTES:
            self._flush_all()

    def end(self, source: Origin) -> dict[str, int]:  # noqa: ARG002 - tables say nothing of it
        """As ``Sink.end``; ``queries.sql`` besides the tables."""
        self._flush_all()
        for table in self._tables.values():
            table.writer.close()
        files = {table.name: tag for tag, table in self._tables.items()}
        sql = queries(files, self._form.suffix)
        (self._folder / "queries.sql").write_text(sql, "utf-8")
        return {**self._counts, "queries.sql": sql.count("\n")}

    def close(self) -> None:
        """As ``Sink.close``."""
        for table in self._tables.values():
            table.writer.close()

    def _open(self, record: Record) -> _Table:
        cls = type(record.event)
        name = f"{self._below}{record.tag}{self._form.suffix}"
        writer = self._form.open(self._folder / name, (*PLACE, *columns_of(cls)))
        self._counts[name] = 0
        self._tables[record.tag] = table = _Table(name, writer, [])
        return table

    def _flush(self, table: _Table) -> None:
        if table.rows:
            table.writer.write(table.rows)
            self._counts[table.name] += len(table.rows)
            self._held -= sum(len(row[6]) for row in table.rows)
            table.rows.clear()

    def _flush_all(self) -> None:
        for table in self._tables.values():
            self._flush(table)
