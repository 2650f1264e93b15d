"""One archive, several Pythons: the same report to the last byte."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from tests.e2e import code_points
from tests.e2e.test_python_314 import VECTORS, lines, recorded
from tests.faults import hostile_lines, hostile_runs
from tests.unit.cli_archive import record

ROOT = Path(__file__).parents[2]
VERSIONS = os.environ.get("QUASAR_PYTHONS", "3.13").split()
"""Beside the one that runs the tests, and 3.14 (`test_python_314`)."""
HOSTILE = (
    "deep list",
    "deep event",
    "deep object",
    "key twice",
    "60,000 digits",
    "1e400",
    "invalid UTF-8",
    "lone surrogate",
    "policy: noise",
    "policy: deep",
    "policy: deep keys",
    "policy: many digits",
    "policy: a date",
    "neurons: deep",
    "checkpoint of a huge size",
    "epoch of the far future",
)
"""Lines that libraries refuse, each Python's in its own way."""
CHARACTERS = "f83bd90669a0f907908f65e679b70201505075c9f427ede62b5eadf0a164cb69"


def find(version: str) -> str | None:
    """An interpreter of that version that starts; a shim on PATH may not."""
    name = f"python{version}"
    code = "import sys, ensurepip, venv; print(sys.executable)"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [str(p) for p in sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for python in (f"/usr/bin/{name}", name, *found):
        try:
            done = subprocess.run([python, "-c", code], capture_output=True, text=True)
        except OSError:
            continue
        if done.returncode == 0:
            return done.stdout.strip()
    return None


def python_with_core(version: str) -> Path:
    """An environment with the pinned core, kept at the root of the checkout for the next run."""
    name, folder = f"python{version}", ROOT / f".venv-{version}"
    pins = (ROOT / "constraints.txt").read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    stamp, wanted = folder / "quasar-stamp", f"{folder} {hashlib.sha256(pins).hexdigest()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder / "bin" / "python"
    interpreter = find(version)
    if interpreter is None:
        if os.environ.get("CI_REQUIRE_PYTHONS"):
            pytest.fail(f"{name} is not installed, and CI_REQUIRE_PYTHONS is set")
        pytest.skip(f"{name} is not installed")
    create = [interpreter, "-m", "venv", "--clear", "--without-pip", str(folder)]
    subprocess.run(create, check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq"]
    pip += ["--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), "-e", str(ROOT)], check=True)
    stamp.write_text(wanted)
    return python


def report(python: Path | str, archive: Path) -> bytes:
    """What ``quasar audit --json`` prints."""
    command = [str(python), "-W", "error", "-m", "quasar", "audit", str(archive), "--json"]
    return subprocess.run(command, check=True, capture_output=True, cwd=archive.parent).stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_report_does_not_depend_on_the_python(version: str, tmp_path: Path) -> None:
    """Played here, audited there and here: byte-identical reports, and clean ones."""
    python = python_with_core(version)
    archive = tmp_path / "archive"
    anyio.run(record, archive)
    there = report(python, archive)
    assert b'"result":"clean"' in there
    assert there == report(sys.executable, archive)


def judged(python: Path | str, archives: list[Path]) -> str:
    """Exit codes and reports of several audits, in a process of that Python."""
    audits = [["audit", archive.name, "--json"] for archive in archives]
    done = subprocess.run(
        [str(python), "-W", "error", hostile_runs.__file__],
        input=json.dumps(audits),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=archives[0].parent,
    )
    return "\n".join(f"{run['code']} {run['out']} {run['err']}" for run in json.loads(done.stdout))


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_refused_does_not_depend_on_the_python(version: str, tmp_path: Path) -> None:
    """Reports of logs that cannot be right, byte for byte, and never a clean one."""
    python = python_with_core(version)
    archives = []
    for case in HOSTILE:
        archives.append(tmp_path / hashlib.sha256(case.encode()).hexdigest()[:8])
        hostile_lines.write(archives[-1], hostile_lines.LINES[case])
    there = judged(python, archives)
    assert "Traceback" not in there
    assert '"result":"clean"' not in there
    assert there == judged(sys.executable, archives)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", VERSIONS)
def test_vectors_do_not_depend_on_the_python(version: str, tmp_path: Path) -> None:
    """Draws, scores, texts and decisions, bit for bit."""
    python, log = python_with_core(version), str(recorded(tmp_path / "log.json"))
    told, *there = lines(str(python), VECTORS, log)
    assert json.loads(told)[1].startswith(version)
    assert there == lines(sys.executable, VECTORS, log)[1:]


PIN = "import json, sys; from quasar.benchmarks.pins import pin; "
PIN += "json.dump({name: pin(name) for name in sys.argv[1:]}, sys.stdout)"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", VERSIONS)
def test_tasks_do_not_depend_on_the_python(version: str) -> None:
    """Every family's questions, answers, contexts and proofs are the pinned ones."""
    pinned = json.loads((ROOT / "tests" / "families" / "pins.json").read_text())
    command = [str(python_with_core(version)), "-W", "error", "-c", PIN, *pinned]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == pinned


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", ["this", *VERSIONS])
def test_characters_do_not_depend_on_the_python(version: str) -> None:
    """What the metrics see in each character of Unicode 14 has one digest."""
    python = sys.executable if version == "this" else str(python_with_core(version))
    assert lines(python, code_points.__file__) == [CHARACTERS]
