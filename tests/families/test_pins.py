"""Tasks of released families never change: one digest a family, in every process and Python.

``python -m tests.families.test_pins [NAME ...]`` writes the digests of families that have none yet,
and of those named: one that was never released. For a released one, a changed digest means that
the change needs a new version.
"""

import json
import sys
from pathlib import Path

import pytest

from quasar.benchmarks.pins import pin
from tests.families import NAMES

FILE = Path(__file__).parent / "pins.json"
PINS: dict[str, str] = json.loads(FILE.read_text())


def test_every_family_is_pinned() -> None:
    """No family without a digest, no digest without a family."""
    assert sorted(PINS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_tasks_are_what_they_were(name: str) -> None:
    """Question, answer, references, context, proof and length of a few tasks at each level."""
    assert pin(name) == PINS.get(name)


if __name__ == "__main__":
    kept = {name: digest for name, digest in PINS.items() if name not in sys.argv[1:]}
    FILE.write_text(json.dumps({n: kept.get(n) or pin(n) for n in NAMES}, indent=1) + "\n")
