"""``quasar policy``: the rules of the game."""

import sys
from typing import Annotated

from cyclopts import Parameter

from quasar.cli.output import say_json
from quasar.cli.playable import playable
from quasar.rules.policy import digest


def show(
    name: str = "readme-v1", /, *, json: Annotated[bool, Parameter(negative="")] = False
) -> int:
    """Print a policy file, after checking it.

    Parameters
    ----------
    name
        A policy that ships with the package, or a file.
    json
        Print its values and digest as one JSON object.
    """
    toml, policy = playable(name)
    if json:
        say_json({"policy": policy, "sha256": digest(toml)})
    else:
        sys.stdout.write(toml.decode())
    return 0
