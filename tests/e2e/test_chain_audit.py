"""``quasar audit --chain`` beside a live local chain, after a validator set its row there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import bittensor as bt
import pytest

from quasar.cli.identity import demo_miner, demo_validator
from quasar.events import WeightsComputed, WeightsConfirmed, WeightsVerified
from quasar.events.envelope import decode
from tests.e2e.programs import first_line, newest_volume, run, running, subnet, write_policy

pytestmark = pytest.mark.nats

SEED = 7
"""Public, so the log's mode is demo."""
QUICK = {"round_every_blocks = 75 ": "round_every_blocks = 20 "}


class Played(NamedTuple):
    """A round on a chain that still runs."""

    url: str
    archive: Path


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the home folder."""
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("BTCLI_TOKEN_SYMBOLS_CACHE", str(tmp_path / "symbols.json"))


@pytest.fixture(scope="module", name="played")
def fixture_played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """One round, weighed, its row on chain."""
    work = tmp_path_factory.mktemp("chain-audit")
    archive = work / "archive"
    with subnet(work, SEED, miners=2) as url:
        arguments = ["--chain", url, "--seed", str(SEED), "--rounds", "1", "--json"]
        arguments += ["--policy", str(write_policy(work, **QUICK)), "--out", str(archive)]
        ended = run("validate", *arguments, "--state", str(work / "validator"))
        assert ended.code == 0, ended
        yield Played(url, archive)


def audited(archive: Path, url: str, *more: str) -> tuple[int, Any]:
    """Exit code and report."""
    result = run("audit", str(archive), "--chain", url, "--json", *more)
    assert result.out, result
    return result.code, json.loads(result.out)


def events(archive: Path, kind: type[Any]) -> list[Any]:
    found = (decode(line).event for _, line in newest_volume(archive).lines())
    return [event for event in found if isinstance(event, kind)]


def test_the_log_equals_the_chain(played: Played) -> None:
    """Blocks, metagraphs and the row are the chain's, and nothing of it is left unchecked."""
    hotkey = demo_validator(SEED).hotkey.ss58_address
    code, report = audited(played.archive, played.url, "--hotkey", hotkey)
    assert (code, report["result"]) == (0, "clean"), report["first_divergence"]
    rows = len(events(played.archive, WeightsConfirmed))
    assert rows > 0
    assert [line for line in report["proved"] if f"and {rows} rows equal the chain's" in line]
    assert not [line for line in report["not_checked"] if line.startswith("chain")]
    assert report["assumed"]["metagraphs_without_chain"] == 0
    assert all(v.equal for v in events(played.archive, WeightsVerified))


def test_a_script_that_uses_only_bittensor_reads_the_same_row(played: Played) -> None:
    """What the log says it confirmed is what anybody reads from the chain."""
    confirmed = events(played.archive, WeightsConfirmed)[-1]
    epochs = {e.epoch: e.weights for e in events(played.archive, WeightsComputed)}
    row = {w.uid: w.u16 for w in epochs[confirmed.epoch] if w.u16}

    async def on_chain() -> dict[int, int]:
        async with bt.Subtensor(played.url.replace("http", "ws")) as client:
            item = bt.storage.SubtensorModule.Weights
            return dict(await client.query(item, [24, 0], block=confirmed.block))

    assert anyio.run(on_chain) == row


def test_another_chain_is_named(played: Played, tmp_path: Path) -> None:
    """A local chain of another seed has another genesis: exit 1."""
    hotkeys = [demo_validator(SEED).hotkey.ss58_address, demo_miner(SEED, 0).ss58_address]
    options = ["--seed", "8", "--block-ms", "50", "--hotkeys", ",".join(hotkeys)]
    with running("quasar.chain.local", options, tmp_path / "chain.log") as process:
        url = f"ws://127.0.0.1:{first_line(process)['port']}"
        code, report = audited(played.archive, url)
    assert code == 1
    first = report["first_divergence"]
    assert (first["seq"], first["level"], first["field"]) == (1, "chain", "genesis")


def test_a_chain_that_is_gone_ends_with_75(played: Played) -> None:
    """One line that says what to do, and no verdict."""
    result = run("audit", str(played.archive), "--chain", "ws://127.0.0.1:9")
    assert (result.code, result.out) == (75, ""), result
    assert result.err.count("\n") == 1
    assert "check the address" in result.err


def test_a_demo_is_no_live_log(played: Played) -> None:
    """Against a network's name it is refused before anything is asked."""
    result = run("audit", str(played.archive), "--chain", "finney")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "this log is a demo and no live one" in result.err
