"""The first days of bench/year.py: played, sealed, retired, and under the forecast."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.nats

DAYS = 3
BENCH = Path(__file__).parents[2] / "bench" / "year.py"


def test_three_days_stay_under_the_forecast() -> None:
    """Of 64 miners: each total under what is usual, memory under what is most, and not by far."""
    words = [sys.executable, str(BENCH), "--days", str(DAYS), "--miners", "64", "--json"]
    done = subprocess.run(words, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr.decode()[-2000:] + done.stdout.decode()
    found = json.loads(done.stdout)
    assert (found["days"], found["streams_retired"]) == (DAYS, DAYS - 1)
    for name in ("events", "archive", "store, open volume"):
        row = found["rows"][name]
        assert 0.7 < row["measured"] / row["typical"] <= 1.0, (name, row)
    assert found["events_by_type"]["RoundScored"] == DAYS
