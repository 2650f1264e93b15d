"""A validator whose server lost its store, or found it damaged, goes on from its archive."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from quasar.cli.identity import demo_validator
from quasar.events import RoundScored, RunStarted
from quasar.events.envelope import decode
from tests.e2e.programs import (
    PATIENCE_S,
    interrupt,
    newest_volume,
    run,
    running,
    subnet,
    until,
    write_policy,
)

pytestmark = pytest.mark.nats

SEED = 7
QUICK = {"round_every_blocks = 75 ": "round_every_blocks = 40 "}


def events(archive: Path, kind: type[Any]) -> list[Any]:
    found = (decode(line).event for _, line in newest_volume(archive).lines())
    return [event for event in found if isinstance(event, kind)]


def lose(store: Path) -> None:
    shutil.rmtree(store)


def flip(store: Path) -> None:
    """A bit in the middle of the newest block; its index goes, so that the server reads it."""
    block = max((store / "jetstream").rglob("*.blk"), key=lambda path: path.stat().st_size)
    for index in (store / "jetstream").rglob("index.db"):
        index.unlink()
    data = bytearray(block.read_bytes())
    data[len(data) // 2] ^= 1
    block.write_bytes(data)


@pytest.mark.timeout(240)
def test_it_goes_on_from_the_archive(tmp_path: Path) -> None:
    """It stops before it writes, and names the way; told to recover, nothing signed is lost."""
    archive, state = tmp_path / "archive", tmp_path / "state"
    with subnet(tmp_path, SEED, miners=2) as url:
        validate = ["validate", "--chain", url, "--seed", str(SEED), "--state", str(state)]
        validate += ["--policy", str(write_policy(tmp_path, **QUICK)), "--out", str(archive)]
        assert run(*validate, "--once", "1").code == 0
        for number, harm in enumerate((lose, flip), 1):
            before = list(newest_volume(archive).lines())
            harm(state / "nats")
            refused = run(*validate, "--once", "1")
            assert refused.code == 1, refused
            assert "--recover" in refused.err.splitlines()[-1]
            assert list(newest_volume(archive).lines()) == before
            went_on = run(*validate, "--once", "1", "--recover")
            assert went_on.code == 0, went_on
            assert (state / f"nats.aside-{number}").exists()
            assert list(newest_volume(archive).lines())[: len(before)] == before
    assert [e.run for e in events(archive, RunStarted)] == [1, 2, 3]
    assert len(events(archive, RoundScored)) >= 3
    hotkey = demo_validator(SEED).hotkey.ss58_address
    report = json.loads(run("audit", str(archive), "--hotkey", hotkey, "--json").out)
    assert (report["result"], report["first_divergence"]) == ("clean", None)


def test_a_running_validator_is_not_recovered(tmp_path: Path) -> None:
    """Its store stays where it is: try again when it has stopped."""
    state = tmp_path / "state"
    with subnet(tmp_path, SEED, miners=1) as url:
        validate = ["validate", "--chain", url, "--seed", str(SEED), "--state", str(state)]
        validate += ["--policy", str(write_policy(tmp_path)), "--out", str(tmp_path / "archive")]
        with running("quasar", validate, tmp_path / "log") as process:
            until(process, (tmp_path / "archive" / "1" / "manifest.json").exists)
            refused = run(*validate, "--recover")
            assert refused.code == 75, refused
            assert "stop its validator first" in refused.err
            interrupt(process, signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        assert not (state / "nats.aside-1").exists()
