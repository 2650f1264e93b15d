"""``quasar validate``: one validator."""

from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from quasar.chain.bittensor import BittensorChain
from quasar.cli import logs, output
from quasar.cli.identity import demo_validator, kept_validator
from quasar.config import load_policy, state_folder
from quasar.supervisor.validator import Ended, Identity, Setup, run_validator


def validate(
    *,
    chain: str,
    netuid: int = 24,
    state: Path | None = None,
    out: Path | None = None,
    policy: str = "readme-v1",
    rounds: int | None = None,
    seed: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a validator until it is told to stop, or for a number of rounds.

    SIGTERM or Ctrl-C drains it. Started again, it goes on from its log.

    Parameters
    ----------
    chain
        A network's name or URL, such as that of a local chain (`python -m quasar.chain.local`).
    netuid
        The subnet.
    state
        Private folder for keys, the server's store and contexts of open rounds.
    out
        Folder of the archive.
    policy
        A policy that ships with the package, or a file.
    rounds
        Stop after so many rounds of this log.
    seed
        Derive keys and secrets from a public number: for demos and tests only.
    json
        Print one JSON object at the end.
    """
    logs.set_up()
    home = state or state_folder() / "validator"
    identity = kept_validator(home) if seed is None else demo_validator(seed)
    archive = out or home / "archive"
    ended = anyio.run(
        _run, chain, netuid, identity, home, archive, load_policy(policy), rounds, seed
    )
    _say(ended.size, archive, json)
    return 0


async def _run(
    url: str,
    netuid: int,
    identity: Identity,
    state: Path,
    archive: Path,
    policy: bytes,
    rounds: int | None,
    seed: int | None,
) -> Ended:
    async with BittensorChain(url, netuid) as chain:
        setup = Setup(
            identity=identity,
            chain=chain,
            state=state,
            archive=archive,
            policy=policy,
            mode="mock" if seed is None else "demo",
            freshness="beacon" if seed is None else "none",
            rounds=rounds,
            allow_private=True,
        )
        return await run_validator(setup)


def _say(size: int, archive: Path, json: bool) -> None:
    if json:
        output.say_json({"events": size, "archive": str(archive)})
    else:
        output.out.print(
            f"{size} events in {archive}; check them: quasar audit {archive}", markup=False
        )
