"""The benchmark of the sandbox runs, far too short to measure anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker
BENCH = Path(__file__).parents[2] / "bench" / "sandbox.py"
DOCKER = {"Docker, from the pool", "Docker, cold", "docker exec per case", "docker run per case"}
BUBBLEWRAP = {"bubblewrap, from the pool", "bubblewrap, cold"}


def test_one_turn() -> None:
    """Every way answers rightly, once; a later result comes later; targets are judged."""
    command = [sys.executable, str(BENCH), "--quick", "--turns", "1", "--load", "0", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    assert set(found["ways_ms"]) == DOCKER | (set() if found["missing"] else BUBBLEWRAP)
    for name, row in found["ways_ms"].items():
        moments = [row[field]["median"] for field in ("first", "last", "removed")]
        assert moments == sorted(moments), name
        assert row["first"]["n"] == 1, name
    assert [target["what"] for target in found["targets"]][-1].startswith("from the pool")
    assert done.returncode == int(not all(target["holds"] for target in found["targets"]))
