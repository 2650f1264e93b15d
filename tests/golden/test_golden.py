"""Recorded logs replay for ever; an older program says that it cannot judge a newer one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from quasar.log.archive_reader import ArchiveLog
from quasar.log.verify import verify_archive
from tests.golden.expected import HERE, RELEASED, expected, found, recordings

ROOT = HERE.parent.parent
MAX_BYTES = 400_000
README = HERE / "1" / "readme-v1"
MIXED = HERE / "1" / "mixed-v1"
PROGRAMS = HERE / "2" / "programs-short"


def test_every_released_set_is_recorded() -> None:
    """Nobody lost a recording."""
    assert [HERE / name for name in sorted(RELEASED)] == recordings()


@pytest.mark.parametrize("folder", recordings(), ids=lambda f: f"{f.parent.name}-{f.name}")
def test_a_recording_replays(folder: Path) -> None:
    """The same root, rows and counts as when it was recorded, and every decision equal."""
    now = found(folder / "archive")
    assert now == expected(folder)
    assert now.report["result"] == "clean"
    assert now.rows
    assert now.report["decisions"]["checked"] == now.report["decisions"]["equal"] > 50
    assert verify_archive(folder / "archive", processes=1).root == now.report["checkpoint_root"]


@pytest.mark.parametrize("folder", recordings(), ids=lambda f: f"{f.parent.name}-{f.name}")
def test_a_recording_is_small(folder: Path) -> None:
    """So that one can be kept of each set."""
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MAX_BYTES


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class Older(NamedTuple):
    """What a program lacks that came later, and a log that needs it."""

    module: str
    there: str
    instead: str
    folder: Path
    says: str


OLDER = {
    "fact": Older(
        "quasar.events.catalogue",
        "    | WeightsVerified\n",
        "",
        README,
        "unknown event type 'WeightsVerified'",
    ),
    "schema": Older(
        "quasar.events.catalogue",
        "    | CodeExecuted\n",
        "",
        PROGRAMS,
        "unknown event type 'CodeExecuted.2'",
    ),
    "decision": Older(
        "quasar.events.catalogue",
        "    | AnswerScored\n",
        "",
        README,
        "unknown event type 'AnswerScored'",
    ),
    "family": Older(
        "quasar.benchmarks.registry",
        '"hops@1"',
        '"hops@0"',
        MIXED,
        "task family 'hops@1' is not installed",
    ),
    "metric": Older(
        "quasar.metrics",
        '"answer_exact@1"',
        '"answer_exact@0"',
        README,
        "metric 'answer_exact@1' is not installed",
    ),
    "program metric": Older(
        "quasar.metrics",
        '"code_pass@1"',
        '"code_pass@0"',
        MIXED,
        "metric 'code_pass@1' is not installed",
    ),
    "rule": Older(
        "quasar.rules.policy",
        'Literal["capped@1", "weighted@1"]',
        'Literal["weighted@1"]',
        README,
        "the log's policy: this is not a policy: Invalid enum value 'capped@1'",
    ),
    "policy": Older(
        "quasar.rules.policy",
        "    max_lag_blocks: Positive\n",
        "",
        README,
        "the log's policy: this is not a policy: Object contains unknown field `max_lag_blocks`",
    ),
}


def run_older(older: Older, *commands: tuple[object, ...]) -> list[Ran]:
    """Commands in a program that lacks something."""
    job = {
        "edits": {older.module: (older.there, older.instead)},
        "commands": [[str(word) for word in command] for command in commands],
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden.older", json.dumps(job)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Ran(*ended) for ended in json.loads(done.stdout)]


@pytest.mark.parametrize("kind", OLDER)
def test_an_older_program_cannot_judge(kind: str) -> None:
    """It ends with exit 2 and one line that names the version to install, and judges nothing."""
    older = OLDER[kind]
    archive, wanted = older.folder / "archive", expected(older.folder)
    ran = run_older(
        older,
        ("audit", archive),
        ("audit", archive, "--json"),
        ("why", archive, wanted.miners[0]),
    )
    for code, out, err in ran:
        assert (code, out) == (2, "")
        assert err.startswith("quasar: cannot judge: ")
        assert older.says in err
        assert err.endswith(f"; install quasar-subnet=={wanted.program}\n")
        assert err.count("\n") == 1


def test_an_older_program_reads_and_carries(tmp_path: Path) -> None:
    """To show, verify, copy and prove is not to judge: unknown events pass untouched."""
    older = OLDER["decision"]
    archive, wanted = older.folder / "archive", expected(older.folder)
    head = ArchiveLog(archive).manifest.last
    shown, tail, one, verified, info, copied, lines, proved = run_older(
        older,
        ("log", "show", archive, "--type", "AnswerScored", "--json"),
        ("log", "tail", archive, "-n", head),
        ("log", "show", archive, head),
        ("log", "verify", archive, "--json"),
        ("log", "info", archive, "--json"),
        ("log", "export", archive, tmp_path / "copy"),
        ("log", "export", archive, tmp_path / "a.jsonl"),
        ("proof", "inclusion", archive, head - 1, "-o", tmp_path / "proof"),
    )
    for ran in (shown, tail, one, verified, info, copied, lines, proved):
        assert (ran.code, ran.err) == (0, "")
    events = [json.loads(line)["event"] for line in shown.out.splitlines()]
    assert {event["type"] for event in events} == {"AnswerScored"}
    assert tail.out.count("\n") == head
    assert json.loads(verified.out)["root"] == wanted.report["checkpoint_root"]
    assert found(tmp_path / "copy") == wanted
    stored = [line + b"\n" for _, line in ArchiveLog(archive).lines()]
    assert (tmp_path / "a.jsonl").read_bytes() == b"".join(stored)


def test_a_type_that_nobody_knows() -> None:
    """A slip of the pen is told; a type of a newer program that is in the log is not one."""
    older = OLDER["decision"]
    [ran] = run_older(older, ("log", "show", older.folder / "archive", "--type", "AnswrScored"))
    assert (ran.code, ran.out) == (2, "")
    assert "no event type 'AnswrScored'" in ran.err
