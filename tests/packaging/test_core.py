"""The core: what `pip install quasar-subnet` brings, in an environment of its own."""

import subprocess
from pathlib import Path

CORE_BYTES = 30_000_000
PROGRAM = "import quasar.log, quasar.events, quasar.rules; print(quasar.__file__)"


def test_core_is_small(core_wheels: Path) -> None:
    """The wheels of an audit stay under 30 MB in all."""
    sizes = {path.name: path.stat().st_size for path in core_wheels.iterdir()}
    assert len(sizes) > 5
    assert sum(sizes.values()) < CORE_BYTES, sizes


def test_core_stands_alone(core_python: Path, tmp_path: Path) -> None:
    """The core imports from the wheel, with its own dependencies only."""
    command = [str(core_python), "-I", "-c", PROGRAM]
    run = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert run.stdout.startswith(str(core_python.parents[1]))
