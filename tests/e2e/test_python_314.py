"""Draws, metrics, task families and rules under CPython 3.14, bit for bit as under this Python.

npm's package ``pyodide`` is a CPython 3.14 for Node. Signatures are not verified there (their
package has no build for it), and tokens are counted by a stand-in in plain Python.
"""

import base64
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.forging import played

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "wasm"
KEPT = ROOT / ".venv-3.14-wasm"
PYODIDE = "pyodide@314.0.7"
PLATFORM = "pyemscripten_2026_0_wasm32"
VECTORS = str(HERE / "vectors.py")


def python_314() -> tuple[Path, Path]:
    """Folders of the interpreter and of msgspec for it, kept for the next run."""
    msgspec = f"msgspec=={version('msgspec')}"
    stamp = KEPT / "quasar-stamp"
    if not (stamp.exists() and stamp.read_text() == f"{PYODIDE} {msgspec}"):
        shutil.rmtree(KEPT, ignore_errors=True)
        KEPT.mkdir()
        subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", str(KEPT), PYODIDE],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with tarfile.open(next(KEPT.glob("*.tgz"))) as packed:
            packed.extractall(KEPT, filter="data")
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
        wanted = ["--platform", PLATFORM, "--python-version", "3.14", "--only-binary=:all:"]
        subprocess.run([*pip, "--no-deps", "-d", str(KEPT), *wanted, msgspec], check=True)
        with zipfile.ZipFile(next(KEPT.glob("*.whl"))) as wheel:
            wheel.extractall(KEPT / "site")
        stamp.write_text(f"{PYODIDE} {msgspec}")
    return KEPT / "package", KEPT / "site"


def recorded(file: Path) -> Path:
    """Three rounds with every way to fail, for the rules to decide again."""
    world = played()
    held = world.log.blobs._held.values()  # type: ignore[attr-defined]
    blobs = [base64.b64encode(data).decode() for data in held]
    file.write_text(json.dumps({"lines": [e.decode() for e in world.lines], "blobs": blobs}))
    return file


def lines(*command: str) -> list[str]:
    """What a program prints."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return done.stdout.splitlines()


@pytest.mark.timeout(400)
@pytest.mark.skipif(not (shutil.which("npm") and shutil.which("node")), reason="npm is missing")
def test_rules_metrics_and_families_under_python_3_14(tmp_path: Path) -> None:
    """The same draws, scores, texts, decisions and stored lines."""
    log = str(recorded(tmp_path / "log.json"))
    pyodide, site = python_314()
    node = ["node", str(HERE / "run.mjs"), str(pyodide), VECTORS, log]
    told, *there = lines(*node, str(site), str(ROOT), str(HERE / "stubs"))
    assert json.loads(told)[1].startswith("3.14.")
    _, *here = lines(sys.executable, VECTORS, log)
    assert len(here) > 150
    for one, other in zip(here, there, strict=True):
        assert one == other
