"""``quasar hotkey``: the address of a wallet's hotkey."""

from typing import Annotated

from cyclopts import Parameter

from quasar.cli.flags import DEFAULT_WALLET, Wallet
from quasar.cli.output import out, say_json


def hotkey(
    *,
    wallet: Wallet = DEFAULT_WALLET,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Print the SS58 address of a hotkey, which is what others know you by.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    address = wallet.hotkey().ss58_address
    if json:
        say_json({"wallet": wallet.name, "name": wallet.key, "hotkey": address})
    else:
        out.print(address)
    return 0
