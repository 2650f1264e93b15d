"""A validator whose volumes are short: each goes on where the one before was sealed."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quasar.cli.identity import demo_miner, demo_validator
from quasar.cli.source import volumes_of
from quasar.events import LogClosed, RoundOpened, RoundSkipped, RunStarted
from quasar.events.envelope import decode
from tests.e2e.programs import interrupt, run, running, subnet, until, write_policy

pytestmark = pytest.mark.nats

SEED = 7
VOLUMES = 3
QUICK = {"round_every_blocks = 75 ": "round_every_blocks = 60 "}


class Played(NamedTuple):
    archive: Path
    report: Any
    """Of an audit with the chain, while it was there."""


def events(folder: Path, kind: type[Any]) -> list[Any]:
    found = [decode(line).event for log in volumes_of(folder) for _, line in log.lines()]
    return [event for event in found if isinstance(event, kind)]


@pytest.fixture(scope="module", name="played")
def fixture_played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Volumes that close after a round or a few; the first process is killed on the way."""
    work = tmp_path_factory.mktemp("volumes")
    archive = work / "archive"
    with subnet(work, SEED, miners=2) as url:
        arguments = ["validate", "--chain", url, "--seed", str(SEED)]
        arguments += ["--policy", str(write_policy(work, **QUICK)), "--out", str(archive)]
        arguments += ["--state", str(work / "validator"), "--volume-events", "60"]
        with running("quasar", arguments, work / "validator.log") as process:
            until(process, (archive / "2" / "manifest.json").exists)
            interrupt(process, signal.SIGKILL)
        while len(volumes_of(archive)) < VOLUMES:
            ended = run(*arguments, "--once", "1")
            assert ended.code == 0, ended
        hotkey = demo_validator(SEED).hotkey.ss58_address
        audited = run("audit", str(archive), "--json", "--chain", url, "--hotkey", hotkey)
        yield Played(archive, json.loads(audited.out))


def test_they_audit_clean_as_one_log(played: Played) -> None:
    """Every volume but the last is closed; rounds go on; the chain agrees with all of them."""
    volumes = volumes_of(played.archive)
    assert played.report["result"] == "clean", played.report["first_divergence"]
    assert played.report["events"] == sum(log.manifest.last for log in volumes)
    assert played.report["assumed"]["carried_state"] == 0
    assert not [line for line in played.report["not_checked"] if line.startswith("chain")]
    assert len(events(played.archive, LogClosed)) == len(volumes) - 1
    rounds = [e.round for e in events(played.archive, RoundOpened)]
    rounds += [e.round for e in events(played.archive, RoundSkipped)]
    assert sorted(rounds) == list(range(1, len(rounds) + 1))
    assert len(rounds) >= VOLUMES - 1
    runs = [e.run for e in events(played.archive, RunStarted)]
    assert runs == list(range(1, len(runs) + 1))


def test_a_missing_volume_is_named(played: Played, tmp_path: Path) -> None:
    """Exit 1, and which one."""
    copy = shutil.copytree(played.archive, tmp_path / "copy")
    shutil.rmtree(copy / "2")
    result = run("audit", str(copy), "--json")
    first = json.loads(result.out)["first_divergence"]
    assert (result.code, first["volume"]) == (1, 3)
    assert "volume 2 is missing" in first["reason"]
    assert "volume 3 event 1" in run("audit", str(copy)).out


def test_a_weight_is_explained_across_volumes(played: Played) -> None:
    """The EMA goes on from what the volume before handed over."""
    shown = run("why", str(played.archive), demo_miner(SEED, 0).ss58_address, "--json")
    assert shown.code == 0, shown
    told = json.loads(shown.out)
    assert (told["differences"], told["weight"]["u16"]) == ([], 65535)
    assert run("log", "tail", str(played.archive)).code == 0


def test_a_full_disk_stops_new_rounds(tmp_path: Path) -> None:
    """With less space than the reserve it does not start, and leaves nothing behind."""
    with subnet(tmp_path, SEED, miners=1) as url:
        arguments = ["--chain", url, "--seed", str(SEED), "--out", str(tmp_path / "archive")]
        arguments += ["--state", str(tmp_path / "validator"), "--disk-reserve", "1e9"]
        refused = run("validate", *arguments)
    assert (refused.code, refused.out) == (2, ""), refused
    assert "in reserve: free some space" in refused.err
    assert not (tmp_path / "archive").exists()
