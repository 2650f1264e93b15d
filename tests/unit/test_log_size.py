"""The room that a log takes, and the forecast: counts that are exact, sizes that are measured."""

import json
import shutil
from collections import Counter
from pathlib import Path

import anyio
import msgspec
import pytest
from cyclopts import App

from quasar.cli.log_size import human, measure, size
from quasar.cli.run import run
from quasar.cli.source import open_volumes, volumes_of
from quasar.config import load_policy, sample_archive
from quasar.errors import UsageError
from quasar.events import AnyEvent, RoundOpened
from quasar.events.envelope import decode
from quasar.log.archive_reader import ArchiveLog
from quasar.log.prune import prune
from quasar.log.size import part_sizes
from quasar.rules import forecast as f
from quasar.rules.policy import parse
from tests.builders import World
from tests.forging import few_tasks
from tests.unit.volume_folder import worlds, write_folder

README = parse(load_policy("readme-v1"))


def counted(events: list[AnyEvent]) -> Counter[str]:
    return Counter(type(e).__name__ for e in events)


def sample() -> list[AnyEvent]:
    return [decode(line).event for _, line in ArchiveLog(sample_archive()).lines()]


def test_the_events_of_a_round_are_those_of_the_sample() -> None:
    """12 rounds of readme-v1 with 8 miners: equal to the last one."""
    found = counted(sample())
    rounds = found["RoundOpened"]
    miners = len(next(e for e in sample() if isinstance(e, RoundOpened)).participants)
    assert (rounds, miners) == (12, 8)
    predicted = f.round_events(README, miners)
    assert {k: n * rounds for k, n in predicted.items() if n} == {
        kind: found[kind] for kind, n in predicted.items() if n
    }


def test_the_blocks_are_those_of_the_sample() -> None:
    """Up to block 200, before its machine was busy: headers and metagraphs, equal."""
    events = [e for e in sample() if getattr(e, "number", 201) <= 200]
    found = counted(events)
    blocks = f.observed_blocks(README.cadence, 200, epoch_blocks=25)
    assert found["BlockObserved"] == blocks.observed == 43
    assert found["MetagraphObserved"] == blocks.metagraphs == 9
    assert (blocks.rounds, blocks.epochs) == (2, 8)


def test_the_events_of_a_played_round_with_another_policy() -> None:
    """Whatever tasks and miners."""
    policy, world = few_tasks(), World(policy=few_tasks(), miners=5)
    anyio.run(world.play_round, 1)
    found = counted(world.events())
    predicted = f.round_events(parse(policy), 5)
    assert {kind: found[kind] for kind in predicted} == predicted


def test_programs_are_executed_once_each() -> None:
    """mixed-v1 has two tasks in code."""
    assert f.round_events(parse(load_policy("mixed-v1")), 7)["CodeExecuted"] == 2 * 7


def test_blocks_that_coincide_are_recorded_once() -> None:
    """An opening that begins an epoch, a beacon in the next block, no heartbeat between."""
    cadence = msgspec.structs.replace(
        README.cadence, round_every_blocks=10, beacon_delay_blocks=1, heartbeat_blocks=100
    )
    # 0; 10, 11; 20, 21; 25 begins an epoch; 30, 31
    blocks = f.observed_blocks(cadence, 31, epoch_blocks=5 * 5)
    assert blocks == (8, 5, 3, 1)
    assert f.observed_blocks(cadence, 31, epoch_blocks=10) == (7, 4, 3, 3)


def test_measured_constants_are_those_of_the_sample() -> None:
    """Within a tenth; a new sample needs new constants."""
    measured = measure([ArchiveLog(sample_archive())])
    found = counted(sample())
    assert measured.packed == pytest.approx(f.PACKED, rel=0.1)
    for kind in found:
        # A forecast has a row in every epoch, and a first volume opens with a shorter line.
        if kind not in {*f.LISTED_BYTES, "LogOpened", "WeightsDeferred"}:
            assert measured.line[kind] == pytest.approx(f.LINE_BYTES[kind], rel=0.1), kind


def test_lists_grow_with_the_miners() -> None:
    """A base and so much a miner give the sample's lines, and none reaches the limit at 256."""
    for kind, each in f.LISTED_BYTES.items():
        held = [
            len(line) + 1
            for _, line in ArchiveLog(sample_archive()).lines()
            if type(decode(line).event).__name__ == kind
        ]
        assert max(held) == pytest.approx(f.LINE_BYTES[kind] + 8 * each, rel=0.05), kind
        assert f.LINE_BYTES[kind] + 256 * each < 65_535


def test_every_event_that_is_forecast_has_a_size() -> None:
    """No kind is forgotten, and none is invented."""
    events = f.year_events(README, 8, most=True)
    assert events.keys() <= f.LINE_BYTES.keys()
    assert f.LISTED_BYTES.keys() <= f.LINE_BYTES.keys()


@pytest.mark.parametrize("miners", [1, 8, 64, 256])
@pytest.mark.parametrize("policy", ["readme-v1", "mixed-v1"])
def test_at_most_is_never_less(policy: str, miners: int) -> None:
    """And both grow with the miners."""
    rules = parse(load_policy(policy))
    found, more = (f.forecast(rules, m, f.Sizes()) for m in (miners, miners + 1))
    for name in f.Load.__struct_fields__:
        usual, most = getattr(found.typical, name), getattr(found.most, name)
        assert 0 < usual <= most, name
        assert usual <= getattr(more.typical, name), name


def test_the_sample_stays_below_what_is_forecast_at_most() -> None:
    """Its 1100 blocks scaled to a year, with its epochs of 25 blocks."""
    log = ArchiveLog(sample_archive())
    found = f.forecast(README, 8, f.Sizes(), 25)
    year = f.YEAR_BLOCKS / 1100
    disk = part_sizes(log)
    archive = sum(disk[part].disk for part in ("segments", "tile", "blobs", "checkpoints"))
    assert log.manifest.last * year < found.most.events
    assert archive * year < found.most.archive


def test_upload_is_what_the_contexts_are() -> None:
    """4.39M tokens to a miner and round at about 1.4 bytes each."""
    tokens = sum(README.bucket(entry.bucket).tokens for entry in README.tasks)
    assert 1.39 * tokens < f.packed_contexts(README) < 1.67 * tokens
    load = f.forecast(README, 10, f.Sizes()).typical
    assert load.upload == 35_040 * 10 * f.packed_contexts(README)


def test_sizes_are_those_of_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each part of each volume, and all together; links are not followed, strangers not counted."""
    folder = write_folder(tmp_path / "log")
    (folder / "1" / "segments" / "link").symlink_to(sample_archive() / "checkpoint")
    (folder / "1" / "notes.txt").write_text("mine")
    assert size(str(folder), json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [v["volume"] for v in shown["volumes"]] == [1, 2, 3, 4]
    for volume, log in zip(shown["volumes"], volumes_of(folder), strict=True):
        for part in ("segments", "tile", "blobs", "checkpoints"):
            found = [*(log.folder / part).rglob("*")]
            found += [log.folder / "checkpoint"] if part == "checkpoints" else []
            sizes = [p.stat().st_size for p in found if p.is_file() and not p.is_symlink()]
            assert volume["parts"][part]["files"] == len(sizes)
            assert volume["parts"][part]["bytes"] == sum(sizes)
        assert volume["events"] == log.manifest.last
        assert volume["bytes_per_event"] == volume["bytes"] / volume["events"]
    total = shown["total"]
    assert total["bytes"] == sum(v["bytes"] for v in shown["volumes"])
    assert total["events"] == sum(len(w.lines) for w in worlds())


def test_a_pruned_volume_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its events are counted, its bytes are gone, and a forecast measures the others."""
    folder = write_folder(tmp_path / "log")
    before = measure(open_volumes(str(folder))[1:])
    prune(volumes_of(folder)[0])
    size(str(folder))
    assert "1 (pruned)" in capsys.readouterr().out
    size(str(folder), json=True)
    first = json.loads(capsys.readouterr().out)["volumes"][0]
    assert (first["pruned"], first["bytes_per_event"]) == (True, None)
    assert first["parts"]["segments"]["bytes"] == 0
    assert measure(open_volumes(str(folder))) == before


def test_a_forecast_measures_the_archive_it_gets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other lines, other bytes; the same number of events."""
    folder = write_folder(tmp_path / "log")
    shown = []
    for source in (None, "sample", str(folder)):
        assert size(source, forecast=True, miners=8, json=True) == 0
        shown.append(json.loads(capsys.readouterr().out))
    constants, of_sample, of_folder = (s["typical"] for s in shown)
    assert len({s["typical"]["events"] for s in shown}) == 1
    assert constants["archive"] == pytest.approx(of_sample["archive"], rel=0.05)
    assert of_folder["archive"] != constants["archive"]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Tables fit 80 columns; a slip of the pen is one line."""
    app = App(name="quasar")
    app.command(size, name="size")
    for words in (["sample"], ["--forecast"], ["--forecast", "--miners", "8"]):
        assert run(app, ["size", *words]) == 0
        shown = capsys.readouterr().out
        assert shown.count("\n") < 10
        assert all(len(line) <= 80 for line in shown.splitlines())
        assert "…" not in shown
    for words in ([], ["--forecast", "--miners", "0"], ["--forecast", "--policy", "no-such"]):
        assert run(app, ["size", *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(UsageError):
        size(str(shutil))


def test_bytes_for_people() -> None:
    """Three digits and a unit."""
    shown = [human(n) for n in (0, 999, 1000, 1_234_567, 5.6e10, 1e21)]
    assert shown == ["0 B", "999 B", "1 kB", "1.23 MB", "56 GB", "1e+06 PB"]
