"""Wallets, networks and the flags that operators know."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import bittensor as bt
import pytest
from cyclopts import App

from quasar.cli import app
from quasar.cli.flags import LOCAL_URL, Network, Wallet
from quasar.cli.mock import MINERS, registered
from quasar.cli.run import run
from quasar.errors import TryAgain, UsageError
from quasar.inference.named import model_folder
from tests.e2e.programs import first_line, running

FLAGS = {
    "--wallet.name",
    "--wallet.hotkey",
    "--wallet.path",
    "--subtensor.network",
    "--subtensor.chain_endpoint",
    "--netuid",
    "--neuron.polling_interval",
}
"""Of both roles."""


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the home folder, and no variable of this shell is read."""
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtime"))
    for name in ("BT_NETWORK", "BT_WALLET", "BT_WALLET_NAME", "BT_WALLET_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(name="wallets")
def fixture_wallets(tmp_path: Path) -> Path:
    """Two wallets, made by bittensor."""
    for name in ("alice", "bob"):
        wallet = bt.Wallet(name=name, hotkey="default", path=str(tmp_path))
        wallet.create_new_coldkey(use_password=False, suppress=True)
        wallet.create_new_hotkey(suppress=True)
    return tmp_path


def address(wallets: Path, name: str) -> str:
    return str(bt.Wallet(name=name, hotkey="default", path=str(wallets)).hotkey.ss58_address)


def names_and_defaults(command: str) -> dict[str, object]:
    """Every spelling of every option, with its default."""
    assert isinstance(app[command], App)
    found: dict[str, object] = {}
    for argument in app[command].assemble_argument_collection(parse_docstring=False):
        for name in argument.names:
            found[name] = argument.field_info.default
    return found


def test_both_roles_take_the_flags_that_operators_know() -> None:
    """With the defaults of the network: wallet default, finney, subnet 24, port 8091, 300 s."""
    mine, validate = names_and_defaults("mine"), names_and_defaults("validate")
    assert set(mine) >= FLAGS | {"--axon.port", "--miner.model_name", "--mock"}
    assert set(validate) >= FLAGS | {"--once", "--mock", "--dry-run"}
    for found in (mine, validate):
        assert found["--wallet.name"] == found["--wallet.hotkey"] == "default"
        assert found["--subtensor.network"] == "finney"
        assert found["--subtensor.chain_endpoint"] is None
        assert found["--netuid"] == 24
        assert found["--neuron.polling_interval"] == 300.0
    assert mine["--axon.port"] == 8091


def test_an_endpoint_wins_over_a_name() -> None:
    """As it does for btcli; mock mode is on this machine unless told otherwise."""
    assert Network().url() == "finney"
    assert Network(network="test").url(mock=True) == LOCAL_URL
    assert Network(network="test", endpoint="ws://127.0.0.1:1").url() == "ws://127.0.0.1:1"
    with pytest.raises(UsageError):
        Network(endpoint="nowhere://").url()


def test_a_wallet_of_bittensor_signs(wallets: Path) -> None:
    """The hotkey that bittensor wrote is the one that signs here."""
    assert Wallet(name="bob", path=wallets).hotkey().ss58_address == address(wallets, "bob")


def test_hotkey_prints_a_wallets_address(
    wallets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By flag or by variable, plain or as JSON."""
    assert run(app, ["hotkey", "--wallet.name", "alice", "--wallet.path", str(wallets)]) == 0
    assert capsys.readouterr().out.strip() == address(wallets, "alice")
    monkeypatch.setenv("BT_WALLET_PATH", str(wallets))
    assert run(app, ["hotkey", "--wallet", "bob", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"wallet": "bob", "name": "default", "hotkey": address(wallets, "bob")}


@pytest.fixture(name="chain")
def fixture_chain(wallets: Path, tmp_path: Path) -> Iterator[dict[str, object]]:
    """A local chain with both wallets; what it said."""
    arguments = ["chain", "up", "--hotkeys", "alice,bob/default", "--wallet.path", str(wallets)]
    with running("quasar", [*arguments, "--port", "0", "--json"], tmp_path / "log") as process:
        yield first_line(process)


def test_a_local_chain_registers_wallets(chain: dict[str, object], wallets: Path) -> None:
    """bittensor itself reads them from it, in the order of their uids."""

    async def uid(hotkey: str) -> object:
        async with bt.Subtensor(str(chain["url"])) as client:
            return (await client.subnets.metagraph(24)).by_hotkey(hotkey).uid

    assert anyio.run(uid, address(wallets, "alice")) == 0
    assert anyio.run(uid, address(wallets, "bob")) == 1


def test_a_local_chain_says_what_it_is(chain: dict[str, object]) -> None:
    """Which rules it emulates, and which not."""
    emulated, left_out = chain["emulated"], chain["not_emulated"]
    assert isinstance(emulated, list)
    assert isinstance(left_out, list)
    assert any(rule.startswith("set_weights") for rule in emulated)
    assert any("commit-reveal" in rule for rule in left_out)


def test_a_taken_port_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code = run(app, ["chain", "up", "--port", str(taken.getsockname()[1])])
    shown = capsys.readouterr()
    assert (code, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert "name another" in shown.err


def test_the_mock_subnet_has_a_validator_and_miners() -> None:
    """Different keys, and the same ones every time."""
    assert len(set(registered())) == 1 + MINERS
    assert registered() == registered()
    assert registered(8) != registered()


@pytest.mark.parametrize("name", ["smollm2", "no-such-model", "./nowhere", "/nowhere/at/all"])
def test_a_model_that_is_not_here(tmp_path: Path, name: str) -> None:
    """Each error says what would be accepted, or how to get it."""
    with pytest.raises(UsageError, match=r"quasar model get smollm2|owner/name"):
        model_folder(name, tmp_path)


def test_a_model_by_folder_or_by_our_name(tmp_path: Path) -> None:
    """Both need no network."""
    (tmp_path / "smollm2").mkdir()
    assert model_folder("smollm2", tmp_path) == tmp_path / "smollm2"
    assert model_folder(str(tmp_path), tmp_path / "elsewhere") == tmp_path


@pytest.mark.torch
def test_a_model_of_the_hub_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trying again may help; what to name instead is said."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(TryAgain, match="name a folder"):
        model_folder("owner/model", tmp_path)
