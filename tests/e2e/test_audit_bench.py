"""The benchmark of the audit runs, on an archive that is far too small to measure anything."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "audit.py"


def test_a_quick_run(tmp_path: Path) -> None:
    """It generates two archives, audits them in processes of their own, and finds them clean."""
    command = [
        sys.executable,
        str(BENCH),
        "--quick",
        "--alone",
        "--json",
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    small, large = result["sizes"]
    assert (small["scores"], large["scores"]) == (20 * 20 + 1, 4 * (20 * 20 + 1))
    assert small["receipts"] == 2 * 20 * 20
    assert large["events"] > 3.5 * small["events"]
    assert all(0 < size["peak_mb"] < 400 for size in (small, large))
    assert len(small["cpu_s"]) == 2
    assert small["cpu_s"][1] > 0  # the other process did some of it
