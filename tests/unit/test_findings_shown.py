"""Where findings are seen: why, audit, report page, leaderboard, export."""

import json
from pathlib import Path

import anyio
import pytest

from quasar.cli import app, logs
from quasar.cli.board import show_board
from quasar.cli.run import run
from quasar.config import load_policy, policy_names
from quasar.events import FindingNoted
from quasar.replay.audit import audit
from quasar.replay.finding_words import finding_words
from quasar.replay.page_data import NOTED, Board
from quasar.rules.machine import Recorded
from quasar.rules.policy import parse
from quasar.rules.projections import Leaderboard
from tests.builders import LineLog
from tests.forging import write_archive
from tests.unit.page_pieces import clean, page_of
from tests.unit.test_findings import for_the_first, names, noted, played

A, B = "5" * 44 + "AbCd", "5" * 44 + "WxYz"


def found(**changes: object) -> FindingNoted:
    """A finding with these fields."""
    fields = {
        "round": 9, "rounds": 4, "what": "copied", "hotkey": A, "other": B, "matched": 5, "of": 7,
        "chance": 1.5e-8, "tests": 24, "answers": [],
    }  # fmt: skip
    return FindingNoted(**{**fields, **changes})  # type: ignore[arg-type]


def test_in_words() -> None:
    """One line each: who, what, how often, where, and how likely by chance."""
    assert finding_words(found()) == (
        "555555..AbCd made 5 of 7 mistakes as 555555..WxYz did, in words of 555555..WxYz's "
        "variant, in 4 rounds up to 9 (by chance 1.5e-08; 24 such chances were looked at)"
    )
    assert finding_words(found(what="other-variant", rounds=1)).startswith(
        "555555..AbCd gave 5 answers, of 7 wrong ones, that are right in 555555..WxYz's variant, "
        "in round 9 (by"
    )
    assert finding_words(found(what="canary", other=None, chance=None, tests=0)) == (
        "555555..AbCd gave 5 of 7 answers that stand in the unchanged text only, as if from "
        "memory, in 4 rounds up to 9"
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with one finding: the third miner answered for the first."""
    world = played(for_the_first)
    return write_archive(tmp_path_factory.mktemp("noted") / "archive", world, world.lines)


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints."""
    assert run(app, [str(a) for a in arguments]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in this process leaves the logger alone."""
    monkeypatch.setattr(logs, "set_up", lambda **_: None)


def test_why_shows_it_to_both(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To the one that is named first and to the other, with its event; not to a third."""
    first, second, third, *_ = names(played(for_the_first))
    for hotkey in (first, third):
        shown = " ".join(said(capsys, "why", archive, hotkey).split())
        assert "NOTED event" in shown
        assert "gave 6 answers, of 6 wrong ones" in shown
    assert "NOTED" not in said(capsys, "why", archive, second)
    (noted_there,) = json.loads(said(capsys, "why", archive, third, "--json"))["findings"]
    assert noted_there["finding"]["other"] == first


def test_the_report_page_has_a_line_each(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a section of its own, and the audit counts it as recomputed."""
    page = tmp_path / "report.html"
    shown = said(capsys, "audit", archive, "--report", page)
    assert "1 finding about miners recomputed" in shown
    assert finding_words(noted(played(for_the_first))[0]).split("'")[0] in page.read_text()


def test_the_page_keeps_the_newest() -> None:
    """A log with thousands of findings makes no page of thousands of lines."""
    board = Board()
    board.noted.extend(found(round=n) for n in range(NOTED + 5))
    board.findings = NOTED + 5
    page = page_of(clean(), board)
    assert "and 5 older ones" in page
    assert "rounds up to 4 " not in page
    assert "rounds up to 5 " in page


def test_an_export_has_them(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of their own."""
    said(capsys, "export", archive, "--to", "jsonl", "--out", tmp_path / "out")
    (line,) = (tmp_path / "out/FindingNoted.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert (row["what"], row["matched"], row["tests"]) == ("other-variant", 6, 24)


def test_the_leaderboard_counts_them(capsys: pytest.CaptureFixture[str]) -> None:
    """And says where to read on; ranks and intervals stand beside the means."""
    board = Leaderboard()
    for seq, line in enumerate(played(for_the_first).lines, 1):
        board.feed(Recorded(seq, line))
    show_board(board)
    shown = capsys.readouterr().out
    assert "noted about miners: 1" in shown
    assert "rank" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_sample_takes_findings_as_recorded() -> None:
    """It does not make all rounds anew for them, and says so."""
    world = played(for_the_first)
    log = LineLog(world.lines, world.log.blobs)
    report = anyio.run(lambda: audit(log, full=lambda number: number == 1))
    assert report.result == "clean"
    assert report.assumed["findings"] == 1
    assert not [line for line in report.proved if "finding" in line]


@pytest.mark.parametrize("name", [n for n in policy_names() if n != "adaptive-v1"])
def test_policies_that_were_released_before_look_for_nothing(name: str) -> None:
    """So their logs replay byte for byte."""
    assert parse(load_policy(name)).findings is None
