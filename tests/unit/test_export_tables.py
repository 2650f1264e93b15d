"""What other people's tools make of an export: pyarrow, DuckDB and datasets."""

import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from quasar.events import (
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    TaskSampled,
    WeightsComputed,
)
from quasar.rules.statistics import summarise
from quasar.sinks.manifest import To
from tests.forging import played
from tests.unit.exporting import need, one_volume, rows, two_volumes, write
from tests.unit.volume_folder import snapshot

Answers = list[dict[str, Any]]


@pytest.mark.parametrize("to", ["parquet", "datasets"])
def test_parquet_holds_what_json_lines_hold(tmp_path: Path, to: To) -> None:
    """Every table, column, row and value; twice the same bytes."""
    need("pyarrow")
    parquet = import_module("pyarrow.parquet")
    logs = two_volumes(tmp_path)
    write(logs, "jsonl", tmp_path / "jsonl")
    manifest = write(logs, to, tmp_path / "one")
    write(logs, to, tmp_path / "two")
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    assert "pyarrow" in manifest.versions
    tables = list((tmp_path / "one").rglob("*.parquet"))
    assert {t.stem for t in tables} == {t.stem for t in (tmp_path / "jsonl").glob("*.jsonl")}
    for table in tables:
        read = parquet.read_table(table)
        assert read.to_pylist() == rows(tmp_path / "jsonl" / f"{table.stem}.jsonl")
        assert str(read.schema.field("payload").type) == "string"
        assert not read.schema.field("seq").nullable


def asked(folder: Path, monkeypatch: pytest.MonkeyPatch, view: str) -> Answers:
    """The rows of a view of ``queries.sql``, run as it stands."""
    monkeypatch.chdir(folder)
    with import_module("duckdb").connect() as connection:
        connection.execute((folder / "queries.sql").read_text())
        found = connection.execute(f"SELECT * FROM {view}")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


FORMATS = ["jsonl", "parquet", "datasets"]


@pytest.fixture(params=FORMATS)
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The log with every failure, in each format that has tables."""
    need("duckdb")
    if request.param != "jsonl":
        need("pyarrow")
    write(one_volume(tmp_path), request.param, tmp_path / "out")
    return tmp_path / "out"


def test_the_leaderboard(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks are those of the newest row; means and intervals those that we show everywhere."""
    rewards: dict[str, list[float]] = defaultdict(list)
    for scored in played().events(AnswerScored):
        rewards[scored.hotkey].append(scored.reward)
    row = {w.hotkey: w for w in played().events(WeightsComputed)[-1].weights}
    found = asked(exported, monkeypatch, "leaderboard")
    assert {line["hotkey"] for line in found} == rewards.keys() | row.keys()
    assert [line["u16"] for line in found] == sorted((w.u16 for w in row.values()), reverse=True)
    for line in found:
        summary = summarise(rewards[line["hotkey"]])
        assert summary is not None
        assert (line["answers"], line["ema"]) == (summary.n, row[line["hotkey"]].score)
        shown = [line[name] for name in ("mean", "standard_error", "low", "high")]
        assert shown == pytest.approx(summary[1:])


def test_latency_by_bucket(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a bucket, over the answers that came; the late one is counted."""
    buckets = {(t.round, t.task): t.bucket for t in played().events(TaskSampled)}
    times: dict[str, list[int]] = defaultdict(list)
    late: Counter[str] = Counter()
    for answer in played().events(AnswerReceived):
        bucket = buckets[(answer.round, answer.task)]
        times[bucket].append(answer.elapsed_ms)
        late[bucket] += answer.elapsed_ms > answer.deadline_ms
    found = {line["bucket"]: line for line in asked(exported, monkeypatch, "latency_by_bucket")}
    assert {b: (line["answers"], line["slowest"], line["late"]) for b, line in found.items()} == {
        bucket: (len(ms), max(ms), late[bucket]) for bucket, ms in times.items()
    }
    assert late.total() == 1


def test_weights_over_time(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every miner of every row, exactly as it was computed."""
    found = asked(exported, monkeypatch, "weights_over_time")
    assert [
        (f["epoch"], f["hotkey"], f["uid"], f["score"], f["samples"], f["u16"]) for f in found
    ] == [
        (row.epoch, w.hotkey, w.uid, w.score, w.samples, w.u16)
        for row in played().events(WeightsComputed)
        for w in row.weights
    ]
    assert found


def test_failures_by_owner(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The miners' own failures, and those of others, each with how often."""
    expected = Counter(("miner", e.failure) for e in played().events(AnswerScored) if e.failure)
    expected += Counter((str(e.fault), e.failure) for e in played().events(AnswerNotScored))
    found = asked(exported, monkeypatch, "failures_by_owner")
    assert {(f["owner"], f["failure"]): f["times"] for f in found} == expected
    assert len({owner for owner, _ in expected}) > 1


def test_the_card_names_every_table(tmp_path: Path) -> None:
    """Each table is the one file of a configuration, and the card says of which log it is."""
    need("pyarrow")
    manifest = write(one_volume(tmp_path), "datasets", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    named = re.findall(r"- config_name: (\w+)\n  data_files: (\S+)\n", card)
    assert dict(named) == {name: f"data/{name}.parquet" for name in manifest.events}
    assert f"| `{manifest.volumes[0].origin}` | `{manifest.volumes[0].root}` |" in card


LOAD = """
import sys
from datasets import get_dataset_config_names, load_dataset
folder, cache = sys.argv[1:]
for name in get_dataset_config_names(folder):
    print(name, load_dataset(folder, name, split="train", cache_dir=cache).num_rows)
"""


def test_datasets_loads_the_folder_offline(tmp_path: Path) -> None:
    """Each event type is a configuration with all its rows, with no network and no script."""
    need("pyarrow")
    if find_spec("datasets") is None:
        pytest.skip("datasets is not installed; no extra brings it, it takes 300 MB")
    manifest = write(one_volume(tmp_path), "datasets", tmp_path / "out")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", LOAD, str(tmp_path / "out"), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert dict(line.split() for line in done.stdout.splitlines()) == {
        name: str(count) for name, count in manifest.events.items()
    }
