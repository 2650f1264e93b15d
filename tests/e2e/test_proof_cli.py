"""``quasar proof`` and ``quasar log verify|info`` as people type them: files, words, exit codes."""

import json
import shutil
from pathlib import Path

import pytest

from quasar.cli import app
from quasar.cli.run import run as run_here
from quasar.config import sample_archive
from quasar.log.archive import ArchiveLog
from tests.e2e.programs import Result, run
from tests.tampering import ARCHIVE_KINDS, EVENTS, HOTKEY, make_archive

SIGNER = ArchiveLog(sample_archive()).manifest.hotkey
MINER = "5FZQ47"
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The proof of a score in the recorded log."""
    file = tmp_path_factory.mktemp("score") / "mine.tlog-proof"
    ran = run("proof", "score", "sample", MINER, "1.0", "-o", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert f"quasar proof verify {file}" in ran.out
    return file


def one_line(ran: Result, code: int) -> str:
    """The error that a command ended with."""
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("quasar: ")
    assert ran.err.count("\n") == 1
    return ran.err


def test_a_score_in_words(score: Path, tmp_path: Path) -> None:
    """The file alone says whose log, what was asked, what was answered, and the score."""
    alone = tmp_path / "alone.tlog-proof"
    shutil.copy(score, alone)
    ran = run("proof", "verify", str(alone))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("PROVED  ")
    for part in (SIGNER, "reward 1", "HIV/AIDS", "ANSWER: 9025364", "signed by the miner"):
        assert part in ran.out
    assert ran.out.count("not proved") == 2
    assert "--hotkey checks it" in ran.out
    assert "as you named it" in run("proof", "verify", str(alone), "--hotkey", SIGNER).out


def test_a_score_for_programs(score: Path) -> None:
    """With --json everything that is proved is one object."""
    told = json.loads(run("proof", "verify", str(score), "--json").out)
    assert (told["result"], told["kind"], told["hotkey"]) == ("proved", "score", SIGNER)
    assert told["score"]["reward"] == 1.0
    assert told["outcome"]["text"] == "ANSWER: 9025364"
    assert told["signed_by_miner"]
    assert not told["pinned"]


def test_another_validator(score: Path) -> None:
    """A named validator who did not sign: one line, exit code 1."""
    ran = run("proof", "verify", str(score), "--hotkey", ALICE)
    assert f"this is the log of {SIGNER}" in one_line(ran, 1)


def test_an_event(tmp_path: Path) -> None:
    """Without -o the proof is printed, byte for byte what a file would hold."""
    file = tmp_path / "event.tlog-proof"
    printed = run("proof", "inclusion", "sample", "50")
    assert run("proof", "inclusion", "sample", "50", "--output", str(file)).code == 0
    assert printed.out.encode() == file.read_bytes()
    assert (
        json.loads(run("proof", "inclusion", "sample", "50", "--json").out)["proof"] == printed.out
    )
    assert "event 50 stands in the log of 4166 events" in run("proof", "verify", str(file)).out


def test_an_event_under_an_older_checkpoint(tmp_path: Path) -> None:
    """A kept checkpoint can be chosen."""
    file = tmp_path / "event.tlog-proof"
    run("proof", "inclusion", "sample", "50", "--checkpoint", "260", "-o", str(file))
    assert "in the log of 260 events" in run("proof", "verify", str(file)).out


def test_growth(tmp_path: Path) -> None:
    """Between two sizes, and since a checkpoint that somebody kept."""
    file, note = tmp_path / "grown.tlog-proof", tmp_path / "kept.txt"
    shutil.copy(sample_archive() / "checkpoints" / "260", note)
    for old in ("260", str(note)):
        assert run("proof", "consistency", "sample", old, "275", "-o", str(file)).code == 0
        ran = run("proof", "verify", str(file))
        assert "the log of 275 events begins with that of 260" in ran.out


def test_a_rewritten_log(tmp_path: Path) -> None:
    """A kept checkpoint with another root: exit code 1, and what to keep."""
    make_archive(tmp_path / "before")
    make_archive(tmp_path / "after", reason="better")
    kept = str(tmp_path / "before" / "checkpoints" / "260")
    ran = run("proof", "consistency", str(tmp_path / "after"), kept)
    assert "the log was rewritten" in one_line(ran, 1)


def test_an_altered_proof(score: Path, tmp_path: Path) -> None:
    """It proves nothing any more: exit code 1."""
    file = tmp_path / "altered.tlog-proof"
    file.write_text(score.read_text().replace("index ", "index 1"))
    assert "do not stand there" in one_line(run("proof", "verify", str(file)), 1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["verify", "nowhere"], "cannot be read"),
        (["verify", str(sample_archive() / "checkpoint")], "this is not a proof"),
        (["verify", str(sample_archive() / "tile" / "0" / "000")], "it is not UTF-8"),
        (["inclusion", "sample", "4167"], "it covers 1 to 4166"),
        (["inclusion", "sample", "5", "--checkpoint", "6"], "no checkpoint over 6 events"),
        (["inclusion", "sample", "5", "-o", "/dev/null/x"], "cannot be written"),
        (["score", "sample", MINER, "3"], "is not ROUND.TASK"),
        (["score", "sample", MINER, "1.99"], "was not given"),
        (["score", "sample", "5XXX", "1.0"], "no miner of this log"),
        (["consistency", "sample", "5"], "no checkpoint over 5 events"),
        (["consistency", "sample", "nowhere"], "cannot be read"),
        (["consistency", "nowhere", "5"], "is not a folder"),
    ],
)
def test_what_cannot_be_done(
    arguments: list[str], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line that says what would do, and exit code 2."""
    code = run_here(app, ["proof", *arguments])
    assert reason in one_line(Result(code, *capfd.readouterr()), 2)


def test_verify_a_log(tmp_path: Path) -> None:
    """Whole: exit code 0, and what was not checked."""
    folder = str(make_archive(tmp_path / "archive"))
    ran = run("log", "verify", folder, "--hotkey", HOTKEY.ss58_address)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"WHOLE  {EVENTS} events\n")
    assert "as you named it" in ran.out
    assert "not checked" in ran.out
    assert json.loads(run("log", "verify", folder, "--json").out)["result"] == "whole"


def test_verify_a_damaged_log(tmp_path: Path) -> None:
    """The first bad event in one line, or one object, and exit code 1; 2 where there is none."""
    folder = make_archive(tmp_path / "archive")
    ARCHIVE_KINDS["an older partial tile"][0](folder)
    assert "event 514" in one_line(run("log", "verify", str(folder)), 1)
    ran = run("log", "verify", str(folder), "--json")
    assert (ran.code, json.loads(ran.out)["seq"]) == (1, 514)
    assert "is not a folder" in one_line(run("log", "verify", "nowhere"), 2)
    ran = run("log", "verify", "sample", "--hotkey", ALICE)
    assert f"this is the log of {SIGNER}" in one_line(ran, 1)


def test_info(tmp_path: Path) -> None:
    """What an archive says of itself, also where it is damaged or empty."""
    folder = make_archive(tmp_path / "archive")
    told = json.loads(run("log", "info", str(folder), "--json").out)
    assert (told["events"], told["segments"], told["blobs"]) == (600, 3, 1)
    assert (told["checkpoints"], told["newest_checkpoint"]) == (4, 600)
    ARCHIVE_KINDS["a segment missing"][0](folder)
    ARCHIVE_KINDS["no checkpoint"][0](folder)
    ran = run("log", "info", str(folder))
    assert ran.code == 0
    assert "newest checkpoint -" in ran.out
