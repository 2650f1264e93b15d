"""A validator moved in mid-round by backup and restore goes on, with no score lost."""

import json
import shutil
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from bittensor_core import serialized_keypair_to_keyfile_data

from quasar.cli.backup import backup
from quasar.cli.identity import demo_validator
from quasar.cli.restore import restore
from quasar.cli.source import volumes_of
from quasar.errors import TryAgain
from quasar.events import (
    AnyEvent,
    RoundOpened,
    RoundScored,
    RoundSealed,
    RoundSkipped,
    TaskAssigned,
)
from quasar.events.envelope import decode
from tests.e2e.programs import (
    QUASAR,
    interrupt,
    run,
    running,
    subnet,
    until,
    write_policy,
    written,
)

pytestmark = pytest.mark.nats

SEED = 7
BUSY = {
    "round_every_blocks = 75 ": "round_every_blocks = 40 ",
    "max_lag_blocks = 50": "max_lag_blocks = 1_000_000",
    "tasks = 4": "tasks = 8",
}
WALLET = ("--wallet.name", "val")
COLDKEY = b"the coldkey stays at home"


def write_wallet(folder: Path) -> Path:
    """A wallet with the validator's hotkey, and a coldkey that nobody may read."""
    path = folder / "val" / "hotkeys" / "default"
    path.parent.mkdir(parents=True)
    path.write_bytes(serialized_keypair_to_keyfile_data(demo_validator(SEED).hotkey))
    path.chmod(0o600)
    (folder / "val" / "coldkey").write_bytes(COLDKEY)
    return folder


def validating(url: str, work: Path, home: Path) -> list[str]:
    """Arguments of a validator whose volumes are short and whose folders are in ``home``."""
    words = ["validate", "--chain", url, *WALLET, "--wallet.path", str(work / "wallets")]
    words += ["--policy", str(work / "policy.toml"), "--volume-events", "300"]
    return [*words, "--state", str(home / "state"), "--out", str(home / "out")]


def play_into_a_round(
    arguments: list[str], work: Path, home: Path, number: signal.Signals
) -> set[int]:
    """Stop a validator while a round after the first is under way; gives such rounds.

    Where it was faster than this test, it plays on.
    """
    newest = 1
    while True:
        play_into(newest + 1, arguments, work, home, number)
        found = events(home / "out")
        opened = {e.round for e in found if isinstance(e, RoundOpened)}
        if under_way := opened - {e.round for e in found if isinstance(e, RoundSealed)}:
            return under_way
        newest = max(opened)


def play_into(
    round_: int, arguments: list[str], work: Path, home: Path, number: signal.Signals
) -> None:
    """Stop a validator once its archive shows tasks of the round, or of one after it."""
    with running(QUASAR, arguments, work / "validator.log") as process:
        until(process, lambda: assigned(home / "out", round_), pause_s=0.2)
        interrupt(process, number)
        process.wait()


def assigned(archive: Path, number: int) -> bool:
    """Whether a task of the round is in the archive's copy, so that it is under way."""
    with suppress(Exception):  # it is being written
        return any(isinstance(e, TaskAssigned) and e.round >= number for e in events(archive))
    return False


def events(archive: Path) -> list[AnyEvent]:
    return [decode(line).event for log in volumes_of(archive) for line in written(log)]


def back_up(home: Path, to: Path) -> None:
    """A killed validator's server takes a moment to end; until then a backup is refused."""
    while True:
        with suppress(TryAgain):
            assert backup(home / "state", to=to, out=home / "out", json=True) == 0
            return


@pytest.mark.timeout(300)
def test_a_validator_moves_in_mid_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed, backed up, removed, restored elsewhere: every task is scored once."""
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "backup.tar"
    write_policy(tmp_path, **BUSY)
    write_wallet(tmp_path / "wallets")
    with subnet(tmp_path, SEED, miners=2) as url:
        under_way = play_into_a_round(validating(url, tmp_path, old), tmp_path, old, signal.SIGKILL)
        before = events(old / "out")
        back_up(old, file)
        shown = json.loads(capsys.readouterr().out)
        assert (shown["events"], shown["keys"], shown["store"]) == (len(before), True, True)
        secret = (old / "state" / "master.key").read_bytes()
        shutil.rmtree(old)
        restore(file, state=new / "state", out=new / "out")
        assert (new / "state" / "master.key").read_bytes() == secret
        opened = {e.round for e in before if isinstance(e, RoundOpened)}
        assert under_way <= opened
        rounds = max(opened) + 1
        ended = run(*validating(url, tmp_path, new), "--rounds", str(rounds))
        assert ended.code == 0, ended.err
    after = events(new / "out")
    assert after[: len(before)] == before
    scored = Counter(e.round for e in after if isinstance(e, RoundScored))
    # Between two volumes a round may be skipped; whichever was opened is scored, and once.
    assert scored == Counter(e.round for e in after if isinstance(e, RoundOpened))
    assert under_way <= scored.keys()
    skipped = {e.round for e in after if isinstance(e, RoundSkipped)}
    assert scored.keys() | skipped == set(range(1, rounds + 1))
    hotkey = demo_validator(SEED).hotkey.ss58_address
    report = json.loads(run("audit", str(new / "out"), "--hotkey", hotkey, "--json").out)
    assert (report["result"], report["first_divergence"]) == ("clean", None)
    assert report["scores"]["checked"] == report["scores"]["equal"] > 0
    assert COLDKEY not in file.read_bytes()
