"""Flags that users of the network know, as btcli and older neurons spell them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quasar.chain.keys import load_hotkey
from quasar.cli.source import check_network
from quasar.events.signing import Signer

LOCAL_PORT = 9944
"""Where a node listens unless told otherwise."""
LOCAL_URL = f"ws://127.0.0.1:{LOCAL_PORT}"
WALLETS = Path("~/.bittensor/wallets")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Network:
    """Which chain, and which subnet of it."""

    network: Annotated[
        str,
        Parameter(
            name=("--subtensor.network", "--network", "--chain"),
            env_var=("BT_NETWORK", "BT_SUBTENSOR_NETWORK"),
        ),
    ] = "finney"
    """finney, test, local, or the URL of a node."""
    endpoint: Annotated[
        str | None,
        Parameter(name="--subtensor.chain_endpoint", env_var="BT_SUBTENSOR_CHAIN_ENDPOINT"),
    ] = None
    """URL of a node; wins over the network's name."""
    netuid: int = 24
    """The subnet."""

    def url(self, *, mock: bool = False) -> str:
        """What to connect to. Raises UsageError for a URL that leads nowhere."""
        named = self.endpoint or (LOCAL_URL if mock else self.network)
        check_network(named)
        return named


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Wallet:
    """A bittensor wallet, of which only the hotkey is read."""

    name: Annotated[
        str,
        Parameter(name=("--wallet.name", "--wallet"), env_var=("BT_WALLET", "BT_WALLET_NAME")),
    ] = "default"
    """Name of the wallet."""
    key: Annotated[
        str,
        Parameter(name=("--wallet.hotkey", "--wallet-hotkey"), env_var="BT_WALLET_HOTKEY"),
    ] = "default"
    """Name of the hotkey in it."""
    path: Annotated[
        Path, Parameter(name=("--wallet.path", "--wallet-path"), env_var="BT_WALLET_PATH")
    ] = WALLETS
    """Folder of the wallets."""

    def hotkey(self) -> Signer:
        """The hotkey. Raises UsageError where there is none to sign with."""
        found: Signer = load_hotkey(self.path, self.name, self.key)
        return found


FINNEY = Network()
"""What holds where no flag names another chain."""
DEFAULT_WALLET = Wallet()
