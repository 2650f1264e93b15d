"""``quasar export``: nothing is lost, nothing is left behind, and the same log gives the same."""

import errno
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given

from quasar.cli import app
from quasar.cli import export as command
from quasar.cli.output import err
from quasar.cli.run import run
from quasar.config import sample_archive
from quasar.errors import CannotJudge, Damaged, LogError, MissingExtra, UsageError
from quasar.events import EVENT_TYPES, AnswerReceived, AnyEvent, CodeExecuted, TaskAccepted
from quasar.events.envelope import decode
from quasar.events.merkle import Tree, leaf_hash
from quasar.log.archive_reader import ArchiveLog
from quasar.log.zstd import compress
from quasar.sinks import jsonl, parquet, tables
from quasar.sinks.columns import PLACE, columns_of, reader
from quasar.sinks.manifest import To
from quasar.sinks.sink import outline, record
from tests.forging import played
from tests.property.event_strategies import events
from tests.unit.exporting import need, one_volume, rows, two_volumes, write
from tests.unit.volume_folder import snapshot, write_volume

PYTHON_TYPES = {"int": int, "float": float, "text": str, "bool": bool}


@given(events())
def test_every_scalar_field_has_a_column(event: AnyEvent) -> None:
    """Of any event, each column's value is of its kind or null, and no name stands twice."""
    columns = columns_of(type(event))
    names = [column.name for column in (*PLACE, *columns)]
    assert len(set(names)) == len(names)
    for column, value in zip(columns, reader(type(event))(event), strict=True):
        assert value is None or isinstance(value, PYTHON_TYPES[column.kind])
        assert value is not None or len(column.path) > 1 or getattr(event, column.path[0]) is None


def test_structs_give_their_fields_and_lists_none() -> None:
    """A blob is its hash and length, an acceptance what it says; cases stay in the payload."""
    names = {cls: [c.name for c in columns_of(cls)] for cls in EVENT_TYPES.values()}
    assert {"blob_sha256", "blob_bytes", "receipt_block_number"} <= set(names[AnswerReceived])
    assert "acceptance_round" in names[TaskAccepted]
    assert "cases" not in names[CodeExecuted]
    assert "event_seq" in names[EVENT_TYPES["EventQuarantined"]]


def remade(folder: Path) -> list[tuple[int, int, bytes]]:
    """Volume, number and stored line of every row of every table, put together from the columns."""
    found = []
    for table in folder.glob("*.jsonl"):
        for r in rows(table):
            line = outline(r["key"], r["at"], r["actor"], r["cause"]) + r["payload"].encode() + b"}"
            found.append((r["volume"], r["seq"], line))
    return sorted(found)


def test_the_rows_are_the_log(tmp_path: Path) -> None:
    """The stored lines, and with them the root, are remade from the tables alone."""
    logs = two_volumes(tmp_path)
    manifest = write(logs, "jsonl", tmp_path / "out")
    lines = remade(tmp_path / "out")
    assert lines == [(log.manifest.volume, *item) for log in logs for item in log.lines()]
    for volume in manifest.volumes:
        leaves = [leaf_hash(line) for number, _, line in lines if number == volume.volume]
        assert Tree(leaves).root().hex() == volume.root
        assert (volume.first, volume.last) == (1, len(leaves))
        assert volume.checkpoint is not None


def test_columns_repeat_the_event(tmp_path: Path) -> None:
    """What a row says beside the payload is what the payload says."""
    write(one_volume(tmp_path), "jsonl", tmp_path / "out")
    for table in (tmp_path / "out").glob("*.jsonl"):
        for row in rows(table):
            line = outline(row["key"], row["at"], row["actor"], row["cause"])
            event = decode(line + row["payload"].encode() + b"}").event
            assert type(event).__name__ == table.stem
            assert [row[c.name] for c in columns_of(type(event))] == list(
                reader(type(event))(event)
            )


def test_the_manifest_lists_every_file(tmp_path: Path) -> None:
    """Digests, lengths and counts are those of the files, and no other file is there."""
    manifest = write(one_volume(tmp_path), "jsonl", tmp_path / "out")
    files = snapshot(tmp_path / "out")
    assert set(files) == {file.name for file in manifest.files} | {"manifest.json"}
    for file in manifest.files:
        data = files[file.name]
        assert (file.sha256, file.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
        assert file.rows == data.count(b"\n")
        if file.name.endswith(".jsonl"):
            assert manifest.events[Path(file.name).stem] == file.rows
    assert sum(manifest.events.values()) == len(played().lines)


@pytest.mark.parametrize("to", ["jsonl", "otlp"])
def test_the_same_log_gives_the_same_bytes(tmp_path: Path, to: To) -> None:
    """Twice the same, and no path of this machine in it."""
    logs = one_volume(tmp_path)
    write(logs, to, tmp_path / "one")
    write(logs, to, tmp_path / "two")
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    assert not any(str(tmp_path).encode() in data for data in snapshot(tmp_path / "one").values())


@pytest.mark.parametrize(("most", "held"), [(3, 2**20), (4096, 2000)], ids=["rows", "bytes"])
def test_small_batches_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, held: int
) -> None:
    """Where a batch ends changes nothing in a table."""
    logs = one_volume(tmp_path)
    write(logs, "jsonl", tmp_path / "one")
    monkeypatch.setattr(tables, "ROWS", most)
    monkeypatch.setattr(tables, "HELD_BYTES", held)
    write(logs, "jsonl", tmp_path / "two")
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


class Counting:
    """A format, and its only file, that notes the size of every batch."""

    suffix = ".none"
    packages: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.bytes = 0

    def load(self) -> None:
        """Nothing is needed."""

    def open(self, path: Path, columns: object) -> "Counting":
        return self

    def write(self, batch: Sequence[tables.Row]) -> None:
        self.rows.append(len(batch))
        self.bytes += sum(len(row[6]) for row in batch)

    def close(self) -> None:
        """Nothing is open."""


def test_no_more_is_held_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows wait up to a number and up to a size; then they are in the file."""
    monkeypatch.setattr(tables, "ROWS", 4)
    monkeypatch.setattr(tables, "HELD_BYTES", 3000)
    counting, taken = Counting(), 0
    sink = tables.Tables(counting)
    sink.begin(tmp_path)
    for seq, line in enumerate(played().lines, 1):
        found = record("log", 1, seq, line)
        taken += len(found.payload)
        sink.write(found)
        assert taken - counting.bytes <= 3000
    assert max(counting.rows) == 4


def test_blobs_come_when_asked_for(tmp_path: Path) -> None:
    """Those of both volumes, each under its hash; without the flag, none."""
    logs = two_volumes(tmp_path)
    manifest = write(logs, "jsonl", tmp_path / "with", blobs=True)
    files = snapshot(tmp_path / "with" / "blobs")
    assert all(hashlib.sha256(data).hexdigest() == name[3:] for name, data in files.items())
    assert set(files) == {n for log in logs for n in snapshot(log.folder / "blobs")}
    assert manifest.blobs is not None
    assert manifest.blobs.count == len(files) > 0
    assert manifest.blobs.bytes == sum(map(len, files.values()))
    assert write(logs, "jsonl", tmp_path / "without").blobs is None
    assert not (tmp_path / "without" / "blobs").exists()


def packed_again(log: ArchiveLog, old: bytes, new: bytes) -> None:
    """Other bytes in the first line that has them."""
    data = b"".join(line + b"\n" for _, line in log.lines())
    (segment,) = (log.folder / "segments").iterdir()
    segment.write_bytes(compress(data.replace(old, new, 1)))


def test_damage_leaves_nothing_behind(tmp_path: Path) -> None:
    """A changed line is named, and no half of an export stays, in a new folder or an old one."""
    (log,) = one_volume(tmp_path)
    packed_again(log, b'"reward":0.0', b'"reward":1.0')
    (tmp_path / "old").mkdir()
    for name in ("old", "new"):
        with pytest.raises(Damaged, match="differs from its hash"):
            write([log], "jsonl", tmp_path / name)
    assert list((tmp_path / "old").iterdir()) == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("to", ["jsonl", "parquet", "datasets"])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: To
) -> None:
    """One line names the folder and the reason; what was written before is gone."""
    if to != "jsonl":
        need("pyarrow")
    logs = one_volume(tmp_path)
    for form in (jsonl, parquet):
        monkeypatch.setattr(form._Writer, "write", refuse)
    with pytest.raises(LogError, match=f"{tmp_path / 'out'} cannot be written: No space"):
        write(logs, to, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def refuse(*_: object) -> None:
    """As a disk does that is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        (b'"cause":', b'"cause": ', Damaged, "not in the form"),
        (b'"round":', b'"rounds":', Damaged, "not an event"),
        (b'"RunStarted"', b'"RunMoved"', CannotJudge, "RunMoved"),
    ],
    ids=["blank", "field", "type"],
)
def test_a_line_that_could_not_be_remade(
    old: bytes, new: bytes, error: type[Exception], words: str
) -> None:
    """What the columns would lose, or this program does not know, is refused."""
    line = next(line for line in played().lines if old in line)
    assert record("log", 1, 7, line).seq == 7
    with pytest.raises(error, match=words):
        record("log", 1, 7, line.replace(old, new, 1))


def test_folders_that_are_refused(tmp_path: Path) -> None:
    """One with something in it, a file, one below a file, and one inside the archive."""
    logs = one_volume(tmp_path)
    (tmp_path / "file").write_text("mine")
    before = snapshot(tmp_path)
    inside = logs[0].folder / "out"
    for out in (tmp_path, tmp_path / "file", tmp_path / "file" / "out", inside):
        with pytest.raises(UsageError, match=str(out)):
            write(logs, "jsonl", out)
    assert snapshot(tmp_path) == before


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow, one line says how to get it; nothing is written."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for to in ("parquet", "datasets"):
        with pytest.raises(MissingExtra, match=r"quasar-subnet\[export\]"):
            write(one_volume(tmp_path / to), to, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what it wrote and how to ask it; the manifest calls a folder by its last name."""
    folder = write_volume(played(), tmp_path / "somebody" / "archive")
    arguments = ["export", str(folder), "--to", "jsonl", "--out", str(tmp_path / "out")]
    assert run(app, arguments) == 0
    assert f"{len(played().lines)} events" in (said := capsys.readouterr().out)
    assert "queries.sql" in said
    assert b'"source": "archive"' in (tmp_path / "out" / "manifest.json").read_bytes()
    assert run(app, arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_bar_is_shown_when_it_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal and after two seconds; never before."""
    monkeypatch.setenv("TERM", "xterm")
    for soon, shown in ((0.0, True), (60.0, False)):
        monkeypatch.setattr(command, "SOON", soon)
        monkeypatch.setattr(err, "_force_terminal", True)
        monkeypatch.setattr(err, "is_interactive", True)
        out = tmp_path / str(soon)
        assert run(app, ["export", "sample", "--to", "jsonl", "--out", str(out)]) == 0
        assert ("exporting" in capsys.readouterr().err) is shown


def test_the_sample_has_its_recorded_root(tmp_path: Path) -> None:
    """The root in the manifest is the one that the sample's own checkpoint signs."""
    log = ArchiveLog(sample_archive())
    manifest = write([log], "jsonl", tmp_path / "out")
    assert manifest.volumes[0].root == log.tree().root().hex()
