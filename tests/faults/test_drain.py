"""SIGTERM drains a validator; started again, it goes on from its log (Ctrl-C: test_demo)."""

import json
import signal
from pathlib import Path

import pytest

from quasar.cli.identity import demo_validator
from quasar.events import RoundScored, RunEnded, RunStarted
from quasar.events.envelope import decode
from tests.e2e.programs import (
    PATIENCE_S,
    QUASAR,
    Result,
    Watcher,
    interrupt,
    newest_volume,
    run,
    start,
    subnet,
    write_policy,
)

pytestmark = pytest.mark.nats

BUSY = {
    "round_every_blocks = 75 ": "round_every_blocks = 30 ",
    "max_lag_blocks = 50": "max_lag_blocks = 1_000_000",
    "tasks = 4": "tasks = 8",
}


def stop_in_a_round(arguments: list[str], work: Path, number: signal.Signals) -> Result:
    """Start a validator and send it a signal once it has scored its first round."""
    process = start(QUASAR, arguments, work / "validator.log")
    try:
        Watcher(work / "archive").wait("RoundScored", process)  # and the next is on its way
        interrupt(process, number)
        out, _ = process.communicate(timeout=PATIENCE_S)
        return Result(process.returncode, out.decode(), "")
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def test_a_signal_drains_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """RunEnded is written, the archive sealed and clean, exit 0; then comes run 2."""
    policy, archive = write_policy(tmp_path, **BUSY), tmp_path / "archive"
    hotkey = demo_validator(7).hotkey.ss58_address
    with subnet(tmp_path, miners=2) as url:
        arguments = ["validate", "--chain", url, "--seed", "7", "--policy", str(policy), "--json"]
        arguments += ["--state", str(tmp_path / "state"), "--out", str(archive)]
        stopped = stop_in_a_round(arguments, tmp_path, signal.SIGTERM)
        assert stopped.code == 0
        first = [decode(line).event for _, line in newest_volume(archive).lines()]
        shown = {"archive": str(archive), "events": len(first), "volumes": 1}
        assert json.loads(stopped.out) == shown
        assert first[-1] == RunEnded(run=1, reason="stopped")
        assert run("audit", str(archive), "--hotkey", hotkey).code == 0
        rounds = max(e.round for e in first if isinstance(e, RoundScored)) + 1
        ended = run(*arguments, "--rounds", str(rounds))
        assert ended.code == 0, ended.err
    events = [decode(line).event for _, line in newest_volume(archive).lines()]
    assert events[: len(first)] == first
    assert isinstance(events[len(first)], RunStarted)
    assert [e.run for e in events if isinstance(e, RunStarted)] == [1, 2]
    assert events[-1] == RunEnded(run=2, reason="all rounds played")
    assert len([e for e in events if isinstance(e, RoundScored)]) >= rounds
    report = json.loads(run("audit", str(archive), "--hotkey", hotkey, "--json").out)
    assert (report["result"], report["disputes"]) == ("clean", 0)
