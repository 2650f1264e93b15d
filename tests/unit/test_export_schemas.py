"""Exports of a log that holds one event in two schemas."""

from pathlib import Path

import pytest

from quasar.events import CodeExecuted
from quasar.log.archive_reader import ArchiveLog
from tests.code_round import older
from tests.forgery.honest import SUBMISSIONS, ran
from tests.forging import Forging, write_archive
from tests.unit.exporting import rows, write
from tests.unit.test_export_otlp import spans


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> ArchiveLog:
    """The first record of a program is of the first schema."""
    forging = Forging(ran())
    item = forging.one(CodeExecuted)
    item.event = older(item.event)
    folder = tmp_path_factory.mktemp("log")
    return ArchiveLog(write_archive(folder / "archive", ran(), forging.lines()))


def test_each_schema_has_its_table(log: ArchiveLog, tmp_path: Path) -> None:
    """Named by its tag, with its own columns; the manifest counts them apart."""
    manifest = write([log], "jsonl", tmp_path / "out")
    (old,) = rows(tmp_path / "out" / "CodeExecuted.jsonl")
    new = rows(tmp_path / "out" / "CodeExecuted.2.jsonl")
    assert len(new) == SUBMISSIONS - 1
    assert {"code", "driver", "python"} == set(new[0]) - set(old)
    assert manifest.events["CodeExecuted"] == 1
    assert manifest.events["CodeExecuted.2"] == SUBMISSIONS - 1
    sql = (tmp_path / "out" / "queries.sql").read_text()
    assert "VIEW \"CodeExecuted.2\" AS\nSELECT * FROM read_json('CodeExecuted.2.jsonl'" in sql


def test_traces_know_the_newest_schema_alone(log: ArchiveLog, tmp_path: Path) -> None:
    """A run is noted in its assignment, whichever schema tells of it."""
    found = [span for span in spans([log], tmp_path) if "executed_seq" in span["attributes"]]
    assert len(found) == SUBMISSIONS
