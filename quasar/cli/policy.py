"""``quasar policy``: the rules of the game."""

import sys
from typing import Annotated

from cyclopts import Parameter

from quasar.cli.output import say_json
from quasar.config import load_policy
from quasar.rules.policy import digest, parse


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
    toml = load_policy(name)
    policy = parse(toml)
    if json:
        say_json({"policy": policy, "sha256": digest(toml)})
    else:
        sys.stdout.write(toml.decode())
    return 0
