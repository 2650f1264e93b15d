"""A validator whose log key is rotated, then revoked, through the command line."""

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quasar.cli.identity import demo_validator
from quasar.cli.source import volumes_of
from quasar.errors import Damaged, UsageError
from quasar.events import AnyEvent, LogKeyRotated, LogOpened, RunStarted
from quasar.events.envelope import decode
from tests.e2e.programs import (
    QUASAR,
    interrupt,
    newest_volume,
    run,
    running,
    settled,
    subnet,
    until,
    write_policy,
)
from tests.e2e.test_backup import SEED, validating, write_wallet

pytestmark = pytest.mark.nats

QUICK = {"round_every_blocks = 75 ": "round_every_blocks = 40 "}


class Played(NamedTuple):
    state: str
    out: str
    report: Any
    """Of an audit with the chain, while it was there."""
    keys: list[str]
    """As the commands gave them, public."""


def key(*arguments: str) -> Any:
    """What ``quasar key`` says."""
    done = settled(lambda: run("key", *arguments, "--json"))
    assert done.code == 0, done
    return json.loads(done.out)


@pytest.fixture(scope="module", name="played")
def fixture_played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Killed, rotated, killed, revoked, and then a new volume."""
    work = tmp_path_factory.mktemp("keys")
    write_wallet(work / "wallets")
    write_policy(work, **QUICK)
    state, out = str(work / "state"), str(work / "out")
    with subnet(work, SEED, miners=1) as url:
        arguments = validating(url, work, work)
        limit = arguments.index("--volume-events") + 1
        arguments[limit] = "100000"
        kill_after(LogOpened.__name__, 12, arguments, work)
        rotated = key("rotate", state, "--out", out)["key"]
        kill_after(rotated, 60, arguments, work)
        revoked = key("revoke", state, "--out", out, "--since", "10")["key"]
        arguments[limit] = "60"  # so this volume closes at once, and the next one plays
        ended = run(*arguments, "--once", "1")
        assert ended.code == 0, ended
        hotkey = demo_validator(SEED).hotkey.ss58_address
        audited = run("audit", out, "--json", "--chain", url, "--hotkey", hotkey)
        yield Played(state, out, json.loads(audited.out), [rotated, revoked])


def kill_after(text: str, size: int, arguments: list[str], work: Path) -> None:
    """Let a validator write so many events, with the text in one that others follow; kill it.

    Where it was killed before, the archive first takes what the stream is ahead by: many events
    may come before the key's own.
    """
    with running(QUASAR, arguments, work / "validator.log") as process:
        until(process, lambda: _holds(work / "out", text, size), pause_s=0.2)
        interrupt(process, signal.SIGKILL)


def _holds(archive: Path, text: str, size: int) -> bool:
    """False too while what a killed writer left behind the manifest waits for the next one."""
    with suppress(Damaged, UsageError):  # or while there is none
        log = newest_volume(archive)
        end = log.manifest.last - 5
        found = any(text.encode() in line for seq, line in log.lines() if seq <= end)
        return found and log.manifest.last >= size
    return False


def events(played: Played, number: int) -> list[AnyEvent]:
    """Of a volume."""
    log = volumes_of(Path(played.out))[number - 1]
    return [decode(line).event for _, line in log.lines()]


def test_the_log_is_clean_under_all_its_keys(played: Played) -> None:
    """For the audit with the chain, and for the quick check of each volume."""
    assert played.report["result"] == "clean", played.report["first_divergence"]
    assert not [line for line in played.report["not_checked"] if "seal" in line]
    for number in (1, 2):
        done = run("log", "verify", f"{played.out}/{number}", "--json")
        assert done.code == 0, done


def test_each_key_comes_before_all_else_of_its_run(played: Played) -> None:
    """Rotated and revoked within volume 1; volume 2 begins with the newest."""
    found = events(played, 1)
    keys = [e for e in found if isinstance(e, LogKeyRotated)]
    assert [(e.log_key, e.reason) for e in keys] == list(
        zip(played.keys, ("rotated", "revoked"), strict=True)
    )
    for rotation in keys:
        assert isinstance(found[found.index(rotation) + 1], RunStarted)
    opened = events(played, 2)[0]
    assert isinstance(opened, LogOpened)
    assert opened.log_key == played.keys[-1]


def test_show_lists_what_counts(played: Played) -> None:
    """The limit is the one that was asked for, or what the key before had signed by then."""
    shown = key("show", played.state, "--out", played.out)
    assert (shown["newest"], shown["pending"]) == (played.keys[-1], False)
    first, second, third = shown["volumes"][0]["keys"]
    assert (first["state"], second["state"], third["state"]) == ("rotated", "revoked", "in use")
    assert second["first"] == first["last"] + 1
    assert second["last"] == max(10, second["first"] - 1)
    sizes = volumes_of(Path(played.out))[0].checkpoint_sizes()
    assert not [n for n in sizes if second["last"] < n < third["first"]]
    assert [n for n in sizes if n >= third["first"]]
    assert [k["key"] for k in shown["volumes"][1]["keys"]] == played.keys[-1:]


def test_proofs_verify(played: Played, tmp_path: Path) -> None:
    """Of an event of the first key's time, under a checkpoint of the last one."""
    file = tmp_path / "event.tlog-proof"
    assert run("proof", "inclusion", f"{played.out}/1", "5", "-o", str(file)).code == 0
    assert run("proof", "verify", str(file)).code == 0
