"""``quasar hotkey``: who a validator or miner of this machine is."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from quasar.cli.identity import kept_miner, kept_validator
from quasar.cli.output import out, say_json
from quasar.config import state_folder


def hotkey(
    role: Literal["validator", "miner"],
    /,
    *,
    state: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Print the SS58 address to register on the subnet. The key is made if there is none yet.

    Parameters
    ----------
    role
        Which of the two.
    state
        Private folder for the key, as of `quasar validate` or `quasar mine`.
    json
        Print one JSON object.
    """
    home = state or state_folder() / role
    key = kept_validator(home).hotkey if role == "validator" else kept_miner(home)
    if json:
        say_json({"role": role, "hotkey": key.ss58_address, "state": str(home)})
    else:
        out.print(key.ss58_address)
    return 0
