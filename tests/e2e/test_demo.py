"""``quasar demo`` as a person runs it: its result, its folder, its end."""

import json
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quasar.cli.identity import demo_miner
from quasar.events import RunEnded, WeightsConfirmed
from quasar.events.envelope import decode
from quasar.log.archive_reader import ArchiveLog
from tests.e2e.programs import (
    PATIENCE_S,
    QUASAR,
    Result,
    interrupt,
    processes_naming,
    run,
    start,
    until,
    write_policy,
)

pytestmark = pytest.mark.nats

QUICK = {"round_every_blocks = 75 ": "round_every_blocks = 20 "}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Short contexts, and a round every two seconds."""
    return write_policy(tmp_path, **QUICK)


def demo(out: Path, policy: Path, *more: str, rounds: int = 1, miners: int = 3) -> Result:
    """A demo with ``--json``."""
    counts = ["--rounds", str(rounds), "--miners", str(miners)]
    return run("demo", *counts, "--out", str(out), "--policy", str(policy), "--json", *more)


class Made(NamedTuple):
    """A demo that went well."""

    out: Path
    result: Result

    @property
    def shown(self) -> Any:
        return json.loads(self.result.out)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """Two demos at once, of one seed: two miners that read, a random and an empty one."""
    folder = tmp_path_factory.mktemp("demo")
    policy, outs = write_policy(folder, **QUICK), [folder / "a", folder / "b"]

    def make(out: Path) -> Made:
        return Made(out, demo(out, policy, "--seed", "7", rounds=2, miners=4))

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(make, outs))
    assert [made.result.code for made in found] == [0, 0], found
    return found


@pytest.fixture(scope="module")
def made(twins: list[Made]) -> Made:
    """One of them."""
    return twins[0]


def test_it_prints_one_object(made: Made) -> None:
    """The result of ``--json`` has the published keys."""
    assert made.result.out.count("\n") == 1
    shown = made.shown
    hotkeys = {demo_miner(7, i).ss58_address for i in range(4)}
    keys = {"rounds", "tasks", "answers", "scores", "weights", "checkpoint_root", "audit"}
    assert keys <= set(shown)
    assert (shown["rounds"], shown["tasks"], shown["answers"]) == (2, 18, 72)
    assert set(shown["scores"]) == set(shown["weights"]) == hotkeys
    for buckets in shown["scores"].values():
        assert set(buckets) == {"32k", "124k", "512k", "1.5m", "2m"}
        assert all(0.0 <= mean <= 1.0 for mean in buckets.values())
    assert max(shown["weights"].values()) == 65535
    assert shown["audit"]["result"] == "clean"


def test_it_leaves_a_clean_archive(made: Made) -> None:
    """The archive audits clean by itself, with the same root."""
    audited = run("audit", str(made.out), "--json")
    report = json.loads(audited.out)
    assert audited.code == 0
    assert (report["result"], report["disputes"]) == ("clean", 0)
    assert report["checkpoint_root"] == made.shown["checkpoint_root"]
    assert report["scores"]["checked"] == report["scores"]["equal"] > 54
    assert report["weights"]["checked"] == report["weights"]["equal"] > 0
    assert set(report) >= {"decisions", "signer", "not_checked", "assumed", "first_divergence"}


def test_its_rows_are_on_chain(made: Made) -> None:
    """The verdict is made while the chain still runs."""
    report = made.shown["audit"]
    found = (decode(line).event for _, line in ArchiveLog(made.out).lines())
    rows = sum(isinstance(event, WeightsConfirmed) for event in found)
    assert rows > 0
    assert [line for line in report["proved"] if f"and {rows} rows equal the chain's" in line]
    assert report["assumed"]["metagraphs_without_chain"] == 0


def test_reading_the_context_pays(made: Made) -> None:
    """The two miners that read earn more than the random and the empty one."""
    weights = [made.shown["weights"][demo_miner(7, i).ss58_address] for i in range(4)]
    assert min(weights[:2]) > max(weights[2:])


def test_the_same_seed_gives_the_same_scores_and_weights(twins: list[Made]) -> None:
    """Two demos at once, in different folders, do not touch each other and end alike."""
    first, second = (made.shown for made in twins)
    assert first["scores"] == second["scores"]
    assert first["weights"] == second["weights"]
    assert len(first["scores"]) == len(first["weights"]) == 4


def test_an_older_demo_is_replaced(made: Made, tmp_path: Path, policy: Path) -> None:
    """A second run over a demo's folder, also over a half-written one, starts anew."""
    out = tmp_path / "d"
    shutil.copytree(made.out, out)
    segment = next((out / "segments").iterdir())
    segment.write_bytes(segment.read_bytes()[:-9])  # as after a kill
    (out / "notes.txt").write_text("mine")
    refused = demo(out, policy)
    assert (refused.code, (out / "notes.txt").read_text()) == (2, "mine")
    assert segment.exists()
    (out / "notes.txt").unlink()
    second = Made(out, demo(out, policy, "--seed", "2", miners=1))
    assert second.result.code == 0, second
    assert made.shown["checkpoint_root"] != second.shown["checkpoint_root"]
    assert run("audit", str(out)).code == 0


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def foreign_file(out: Path) -> None:
    (out / "thesis.txt").write_text("ten years of work")


def foreign_manifest(out: Path) -> None:
    (out / "manifest.json").write_text('{"name": "an extension of a browser"}')


def foreign_beside(out: Path) -> None:
    (out / "segments").mkdir()
    foreign_file(out)


@pytest.mark.parametrize("make", [foreign_file, foreign_manifest, foreign_beside])
def test_nothing_but_a_demo_is_removed(
    tmp_path: Path, policy: Path, make: Callable[[Path], None]
) -> None:
    """A folder that holds anything else is left as it is: exit 2, one line that says so."""
    out = tmp_path / "d"
    out.mkdir()
    make(out)
    before = tree(out)
    result = demo(out, policy)
    assert result.code == 2
    assert (result.out, result.err.count("\n")) == ("", 1)
    assert "name another --out" in result.err
    assert tree(out) == before


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path, policy: Path) -> None:
    """A path through a file ends with exit 2, not with a traceback."""
    (tmp_path / "file").write_text("x")
    result = demo(tmp_path / "file" / "d", policy)
    assert result.code == 2
    assert result.err.count("\n") == 1


def begun(out: Path) -> bool:
    """A checkpoint is published: the play is on."""
    return (out / "checkpoint").exists()


def test_an_interrupt_ends_everything_in_order(tmp_path: Path, policy: Path) -> None:
    """Ctrl-C ends the children, seals the archive and exits with 130 (SIGTERM: test_drain)."""
    out, scratch = tmp_path / "d", tmp_path / "scratch"
    scratch.mkdir()
    arguments = ["demo", "--rounds", "50", "--out", str(out), "--policy", str(policy), "--json"]
    process = start(QUASAR, arguments, tmp_path / "demo.log", TMPDIR=str(scratch))
    try:
        until(process, lambda: begun(out))
        children = processes_naming(str(scratch))
        assert len(children) >= 5, "four miners and a nats-server"
        interrupt(process, signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
    assert processes_naming(str(scratch)) == {}
    assert list(scratch.iterdir()) == []
    assert run("audit", str(out)).code == 0
    ends = [decode(line).event for _, line in ArchiveLog(out).lines()][-1]
    assert isinstance(ends, RunEnded)
    assert ends.reason == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_a_demo_that_is_killed_while_it_starts(
    tmp_path: Path, policy: Path, number: signal.Signals
) -> None:
    """Whatever ends a demo, its children end too."""
    out, scratch = tmp_path / "d", tmp_path / "scratch"
    scratch.mkdir()
    arguments = ["demo", "--out", str(out), "--policy", str(policy)]
    process = start(QUASAR, arguments, tmp_path / "demo.log", TMPDIR=str(scratch))
    try:
        until(process, lambda: len(processes_naming(str(scratch))) >= 2)
        interrupt(process, number)
        process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
    if number == signal.SIGTERM:
        assert not out.exists()
        assert "stopped before anything was played" in (tmp_path / "demo.log").read_text()
    while processes_naming(str(scratch)):
        time.sleep(0.02)  # nobody can wait for the children of another process
