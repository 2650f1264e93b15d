"""Whatever an archive holds, every command ends soon, in one clear line, within 100 MB."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.faults import hostile_archives, hostile_lines
from tests.faults.hostile_archives import ALL, FILES, honest, world
from tests.faults.hostile_lines import LINES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, FIFOs and peaks of memory")

PROGRAM = Path(hostile_archives.__file__).with_name("hostile_runs.py")
PEAK = 100 * 10**6
SECONDS = 15
"""Far more than any takes: a machine under load must not fail this."""
READERS = ("info", "show", "why", "replay", "export", "simulate")
UNHARMED = {
    "tile beyond",  # nobody reads it; `log verify` names it
    "head of the far future",
    "time of the far future",
    "log of the far future",
}
"""What an audit may find clean."""

Run = dict[str, Any]


def command(name: str, archive: Path) -> list[str]:
    """The arguments of a command on an archive."""
    miner, out = next(iter(world().miners)), str(archive.with_name("out"))
    more = {
        "why": [miner],
        "export": ["--to", "jsonl", "--out", out],
        "simulate": ["--rounds", "1"],
    }
    first = ["log", name] if name in ("verify", "info", "show") else [name]
    return [*first, str(archive), *more.get(name, [])]


def names(turn: int) -> list[str]:
    """The commands that an archive meets."""
    return ["audit", "verify", *(READERS if ALL else [READERS[turn % len(READERS)]])]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Run]]:
    """What every command made of every archive."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no test here cuts the power
    base, todo = tmp_path_factory.mktemp("hostile"), list[tuple[str, str, list[str]]]()
    honest(base / "honest" / "archive")
    for turn, case in enumerate(["honest", *FILES, *LINES]):
        archive = base / str(turn) / "archive"
        if case in LINES:
            hostile_lines.write(archive, LINES[case])
        else:
            shutil.copytree(base / "honest" / "archive", archive)
            if case in FILES:
                FILES[case](archive)
        todo += [(case, name, command(name, archive)) for name in names(turn)]
    monkeypatch.undo()
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM)],
        input=json.dumps([arguments for *_, arguments in todo]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, Run]] = {}
    for (case, name, _), run in zip(todo, json.loads(done.stdout), strict=True):
        found.setdefault(case, {})[name] = run
    shutil.rmtree(base)
    return found


def check(name: str, run: Run) -> None:
    """It ended by itself, said what is wrong in a line, and took little memory."""
    assert "Traceback" not in run["err"], (name, run["err"])
    assert run["code"] in (0, 1, 2), (name, run)
    assert run["peak"] < PEAK, (name, run)
    assert run["seconds"] < SECONDS, (name, run)
    if run["code"] == 0:
        return
    if name == "audit" and run["code"] == 1 and not run["err"]:
        assert run["out"].startswith("DIVERGENT"), run
        return
    line = run["err"].removesuffix("\n")
    assert line.startswith("quasar: "), (name, run)
    assert line.isprintable(), (name, line)
    assert len(line) < 1000, (name, line)


def test_the_honest_archive(runs: Mapping[str, dict[str, Run]]) -> None:
    """Before anything is done to it, commands read it and say so."""
    for name, run in runs["honest"].items():
        check(name, run)
        assert run["code"] == 0 or name in ("why", "simulate"), (name, run)  # nothing is scored


@pytest.mark.parametrize("case", FILES)
def test_files(runs: Mapping[str, dict[str, Run]], case: str) -> None:
    """What anybody can do to the files of an archive is seen by audit and verify, by all safely."""
    for name, run in runs[case].items():
        check(name, run)
    assert runs[case]["verify"]["code"] in (1, 2), runs[case]["verify"]
    assert case in UNHARMED or runs[case]["audit"]["code"] in (1, 2), runs[case]["audit"]


@pytest.mark.parametrize("case", LINES)
def test_lines(runs: Mapping[str, dict[str, Run]], case: str) -> None:
    """What a validator can sign is seen by an audit, and safe for every reader."""
    for name, run in runs[case].items():
        check(name, run)
    assert case in UNHARMED or runs[case]["audit"]["code"] in (1, 2), runs[case]["audit"]
