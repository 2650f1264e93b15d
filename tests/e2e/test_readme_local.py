"""The README's local subnet, typed as it stands there, with a small policy and a free port."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.programs import PATIENCE_S, newest_volume, run, subnet, write_policy
from tests.packaging.test_readme import block
from tests.ports import free_port

SECTION = "Validator and miner on one machine"
SOON = {"round_every_blocks = 75 ": "round_every_blocks = 20 "}
"""A local chain makes four blocks a second."""


@pytest.mark.nats
def test_validator_and_miner_on_one_machine(tmp_path: Path) -> None:
    """At most 8 lines, and at their end stands a clean audit that names the validator."""
    commands = block(SECTION)
    assert len(commands.splitlines()) <= 8
    rounds = f"--once 1 --policy '{write_policy(tmp_path, **SOON)}'"
    commands = commands.replace("9944", str(free_port())).replace("--once 1", rounds)
    assert rounds in commands
    commands = commands.replace("8091", str(free_port()))
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", f"trap 'kill $(jobs -p) 2>/dev/null' EXIT; {commands}"],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path), "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert "CLEAN" in done.stdout, done.stdout + done.stderr
    assert "(as you named it)" in done.stdout
    assert "validator starts" in done.stderr


@pytest.mark.nats
def test_a_validator_that_is_not_registered_does_not_start(tmp_path: Path) -> None:
    """It names its hotkey and the subnet and leaves no archive; another chain's is not written."""
    policy = str(write_policy(tmp_path, **SOON))
    state, out = tmp_path / "state", tmp_path / "archive"
    with subnet(tmp_path, miners=1) as url:
        start = ["validate", "--chain", url, "--policy", policy, "--rounds", "1"]
        start += ["--state", str(state), "--out", str(out)]
        refused = run(*start, "--seed", "8")
        assert refused.code == 2
        assert "is not registered on subnet 24" in refused.err
        assert not out.exists()
        assert run(*start, "--seed", "7").code == 0
        size = newest_volume(out).manifest.last
    other = tmp_path / "other"
    other.mkdir()
    with subnet(other, seed=8, miners=1) as url:
        start[2] = url
        refused = run(*start, "--seed", "8")
    assert refused.code == 2
    assert "name another --out or --state" in refused.err
    assert newest_volume(out).manifest.last == size
