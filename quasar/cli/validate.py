"""``quasar validate``: one validator."""

from pathlib import Path
from typing import Annotated, Literal

import anyio
import structlog
from cyclopts import Parameter

from quasar.chain import Chain
from quasar.chain.bittensor import BittensorChain
from quasar.cli import logs, output
from quasar.cli.dry_run import dry_run as dry_run_of
from quasar.cli.identity import demo_validator, kept_validator
from quasar.cli.source import check_network, is_local
from quasar.config import load_policy, state_folder
from quasar.errors import UsageError
from quasar.log.archive_reader import ArchiveLog
from quasar.log.manifest import NAME as MANIFEST
from quasar.rules.policy import parse
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
    dry_run: Annotated[bool, Parameter(negative="")] = False,
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
    dry_run
        Read the chain, sign nothing, and print the row that the archive's newest weights would set.
    json
        Print one JSON object at the end.
    """
    check_network(chain)
    toml = load_policy(policy)
    parse(toml)
    logs.set_up()
    home = state or state_folder() / "validator"
    identity = kept_validator(home) if seed is None else demo_validator(seed)
    archive = out or home / "archive"
    if dry_run:
        return anyio.run(_dry_run, chain, netuid, archive, json)
    ended = anyio.run(_run, chain, netuid, identity, home, archive, toml, rounds, seed)
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
        await _require_registered(chain, identity.hotkey.ss58_address, url)
        setup = Setup(
            identity=identity,
            chain=chain,
            state=state,
            archive=archive,
            policy=policy,
            mode=_mode(url, seed),
            freshness="beacon" if seed is None else "none",
            rounds=rounds,
            allow_private=is_local(url),
        )
        _refuse_other(archive, await chain.genesis(), setup)
        _log_start(setup)
        return await run_validator(setup)


async def _require_registered(chain: Chain, hotkey: str, url: str) -> None:
    """Who is not on the subnet cannot weigh: better said now than after the first rounds."""
    head = await chain.head()
    if hotkey not in {neuron.hotkey for neuron in await chain.metagraph(head.number)}:
        raise UsageError(
            f"{hotkey} is not registered on subnet {chain.netuid} of {url}: register this hotkey, "
            "name another --state or --netuid, or start the local chain with it in --hotkeys"
        )


def _refuse_other(archive: Path, genesis: str, setup: Setup) -> None:
    """One archive holds one log, and that is of one hotkey on one subnet of one chain."""
    if not (archive / MANIFEST).exists():
        return
    held = ArchiveLog(archive).manifest.identity
    hotkey = setup.identity.hotkey.ss58_address
    if (held.genesis, held.netuid, held.hotkey) != (genesis, setup.chain.netuid, hotkey):
        raise UsageError(
            f"{archive} is the archive of {held.origin} on the chain {held.genesis[:10]}.., not of "
            f"{hotkey} on subnet {setup.chain.netuid} of {genesis[:10]}..: "
            "name another --out or --state"
        )


def _log_start(setup: Setup) -> None:
    structlog.get_logger().info(
        "validator starts",
        hotkey=setup.identity.hotkey.ss58_address,
        netuid=setup.chain.netuid,
        policy=parse(setup.policy).name,
        state=str(setup.state),
        archive=str(setup.archive),
    )


def _say(size: int, archive: Path, json: bool) -> None:
    if json:
        output.say_json({"events": size, "archive": str(archive)})
    else:
        output.out.print(
            f"{size} events in {archive}; check them: quasar audit {archive}", markup=False
        )


def _mode(url: str, seed: int | None) -> Literal["live", "mock", "demo"]:
    if seed is not None:
        return "demo"
    return "mock" if is_local(url) else "live"


async def _dry_run(url: str, netuid: int, archive: Path, json: bool) -> int:
    async with BittensorChain(url, netuid) as chain:
        found = await dry_run_of(ArchiveLog(archive), chain)
    if json:
        output.say_json(found)
        return 0
    for place in found.row:
        output.out.print(f"uid {place.uid:>5}  {place.u16:>5}  {place.hotkey}", soft_wrap=True)
    for obstacle in found.obstacles:
        output.err.print(f"would be refused: {obstacle}", markup=False, soft_wrap=True)
    return 0
