"""A validator and a miner as their owners type them, each in a terminal of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import bittensor as bt
import pytest

from quasar.events import RunStarted, WeightsConfirmed
from quasar.events.envelope import decode
from tests.e2e.programs import (
    QUASAR,
    Result,
    first_line,
    newest_volume,
    run,
    running,
    write_policy,
)
from tests.ports import free_port

pytestmark = pytest.mark.nats

SOON = {"round_every_blocks = 75 ": "round_every_blocks = 20 "}
"""A mock chain makes four blocks a second."""


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the home folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("BT_WALLET_PATH", str(tmp_path / "wallets"))
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtime"))


def make_wallets(*names: str) -> list[str]:
    """By bittensor's own program; gives the hotkeys."""
    btcli = str(Path(sys.executable).with_name("btcli"))
    for name in names:
        create = [btcli, "wallet", "create", "-w", name, "--no-password"]
        subprocess.run(create, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return [run("hotkey", "--wallet.name", name).out.strip() for name in names]


def events(archive: Path, kind: type[Any]) -> list[Any]:
    found = (decode(line).event for _, line in newest_volume(archive).lines())
    return [event for event in found if isinstance(event, kind)]


@contextmanager
def local_chain(work: Path, *names: str) -> Iterator[str]:
    arguments = ["chain", "up", "--hotkeys", ",".join(names), "--port", "0", "--json"]
    arguments += ["--block-ms", "50", "--tempo", "25"]
    with running(QUASAR, arguments, work / "chain.log") as process:
        yield first_line(process)["url"]


def flags(wallet: str, url: str) -> list[str]:
    """As in every operator's scripts."""
    spelled = ["--wallet.name", wallet, "--wallet.hotkey", "default", "--netuid", "24"]
    spelled += ["--wallet.path", os.environ["BT_WALLET_PATH"]]
    spelled += ["--subtensor.network", "local", "--subtensor.chain_endpoint", url]
    return [*spelled, "--neuron.polling_interval", "300"]


def play(url: str, work: Path, *more: str) -> Result:
    """The validator's round, while the miner's terminal is open."""
    archive = ["--out", str(work / "archive"), "--policy", str(write_policy(work))]
    miner = ["mine", *flags("bob", url), "--axon.port", str(free_port()), "--json"]
    with running(QUASAR, miner, work / "miner.log") as process:
        first_line(process)
        return run("validate", *flags("alice", url), *archive, *more)


def test_a_round_with_wallets(tmp_path: Path) -> None:
    """Weighed, on chain and explained; ``--once`` counts from its own start."""
    alice, bob = make_wallets("alice", "bob")
    archive = str(tmp_path / "archive")
    with local_chain(tmp_path, "alice", "bob") as url:
        ended = play(url, tmp_path, "--once", "1")
        assert ended.code == 0, ended
        audited = run("audit", archive, "--chain", url, "--hotkey", alice)
        assert "CLEAN" in audited.out, audited
        why = run("why", archive, bob)
        assert (why.code, why.out.split()[0]) == (0, bob), why
        assert "accuracy" in why.out
        confirmed = events(tmp_path / "archive", WeightsConfirmed)[-1]
        assert anyio.run(row_on_chain, url, confirmed.block) == {1: 65535}
        played = events(tmp_path / "archive", RunStarted)[-1].rounds
        assert play(url, tmp_path, "--once", "1").code == 0
        assert events(tmp_path / "archive", RunStarted)[-1].rounds > played
    assert run("audit", archive, "--hotkey", alice).code == 0
    refused = run("audit", archive, "--chain", "finney")
    assert refused.code == 2
    assert "this log is a mock and no live one" in refused.err


async def row_on_chain(url: str, block: int) -> dict[int, int]:
    """Read by nothing but bittensor."""
    async with bt.Subtensor(url) as client:
        item = bt.storage.SubtensorModule.Weights
        return dict(await client.query(item, [24, 0], block=block))


def mock(*more: str, port: int) -> Sequence[str]:
    return ["--mock", "--subtensor.chain_endpoint", f"ws://127.0.0.1:{port}", *more]


def test_mock_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The miner may come first; nothing but the archive is left."""
    monkeypatch.chdir(tmp_path)
    port = free_port()
    policy = str(write_policy(tmp_path, **SOON))
    miner = ["mine", *mock("--axon.port", "0", "--json", port=port)]
    with running(QUASAR, miner, tmp_path / "miner.log") as process:
        validator = mock("--once", "1", "--policy", policy, "--json", port=port)
        ended = run("validate", *validator)
        assert ended.code == 0, ended
        first_line(process)
    shown = json.loads(ended.out)
    assert shown["archive"] == "quasar-mock"
    report = json.loads(run("audit", "quasar-mock", "--json").out)
    assert (report["result"], report["events"]) == ("clean", shown["events"])
    assert report["scores"]["checked"] > 0
    (started,) = events(tmp_path / "quasar-mock", RunStarted)
    assert (started.mode, started.freshness) == ("mock", "none")
    refused = run("audit", "quasar-mock", "--chain", "wss://node.example")
    assert refused.code == 2
    assert "no live one" in refused.err


def test_a_mock_never_replaces_another_log(tmp_path: Path) -> None:
    """A folder with anything else stays as it is: exit 2."""
    (tmp_path / "notes").write_text("mine")
    ended = run("validate", *mock("--once", "1", "--out", str(tmp_path), port=free_port()))
    assert ended.code == 2
    assert "not a mock" in ended.err
    assert (tmp_path / "notes").read_text() == "mine"
