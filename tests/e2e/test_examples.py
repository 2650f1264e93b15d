"""The examples do what they say: as programs, and cell by cell."""

import re
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from quasar.config import sample_archive
from quasar.events import AnswerScored
from quasar.replay import open_log

ROOT = "1a7c66d89eef253a961dce388e8acae3a542861974df1add16b644f5bbc67afd"
"""Of the released sample: nothing in it ever changes."""
EXAMPLES = Path(__file__).parents[2] / "examples"
CELL = re.compile(r"^# %%.*\n", re.MULTILINE)
OFFLINE = """
import runpy, sys

def offline(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo"}:
        raise SystemExit(f"an example must not use the network: {event}{arguments}")

sys.addaudithook(offline)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(path: Path, cwd: Path) -> str:
    """What a program prints, offline, where a warning is an error."""
    command = [sys.executable, "-W", "error", "-c", OFFLINE, str(path)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_sample_is_audited(tmp_path: Path) -> None:
    """The example finds it clean, goes back in time, asks what if and counts every answer."""
    said = run(EXAMPLES / "audit_a_log.py", tmp_path)
    log = open_log("sample")
    assert f"{len(log)} events of {log.hotkey}\nclean\n" in said
    _, size, root, *_ = (sample_archive() / "checkpoint").read_text().splitlines()
    assert (size, b64decode(root).hex()) == ("4166", ROOT)
    assert f"after event {len(log) // 2}: " in said
    assert f"after event {len(log)}: 12 rounds scored" in said
    assert "from readme-v1 to weighted-v1" in said
    assert sum(map(int, re.findall(r"n=(\d+)", said))) == len(list(log.events(AnswerScored)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_made_of_cells(path: Path) -> None:
    """Each cell is whole by itself: prose is comments, code compiles."""
    cells = CELL.split(path.read_text("utf-8"))[1:]
    heads = CELL.findall(path.read_text("utf-8"))
    assert len(cells) > 4
    for head, cell in zip(heads, cells, strict=True):
        compile(cell, str(path), "exec")
        prose = all(line.startswith("#") for line in cell.splitlines() if line)
        assert prose is ("[markdown]" in head)
