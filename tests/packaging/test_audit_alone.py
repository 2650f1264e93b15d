"""`quasar audit` right after the install: offline, on the core alone, nothing heavy."""

import json
import subprocess
import sys
from pathlib import Path

from tests.packaging.test_imports import HEAVY

SMALL = Path(__file__).parents[1] / "golden" / "1" / "readme-v1" / "archive"
AUDIT = """
import sys

def offline(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo"}:
        raise SystemExit(f"an audit must not use the network: {event}{arguments}")

sys.addaudithook(offline)
sys.argv = ["quasar", "audit", sys.argv[1], "--json"]
from quasar.cli import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code or 0
print(*sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""


def audit(python: str, cwd: Path, log: str) -> tuple[dict[str, object], set[str]]:
    """The report of an audit, and what it imported."""
    command = [python, "-I", "-c", AUDIT, log]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=110)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert isinstance(report, dict)
    return report, set(run.stderr.splitlines()[-1].split())


def test_the_core_audits_a_log(core_python: Path, tmp_path: Path) -> None:
    """In an empty environment and offline a log is clean."""
    report, _ = audit(str(core_python), tmp_path, str(SMALL))
    assert report["result"] == "clean"
    assert report["first_divergence"] is None


def test_an_audit_imports_nothing_heavy(tmp_path: Path) -> None:
    """Even where everything is installed an audit imports none of it."""
    _, loaded = audit(sys.executable, tmp_path, str(SMALL))
    assert "msgspec" in loaded
    assert not loaded & HEAVY


def test_the_console_script_runs(core_python: Path, tmp_path: Path) -> None:
    """The installed command is there and shows its version."""
    command = [str(core_python.with_name("quasar")), "--version"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "0.1.0"
