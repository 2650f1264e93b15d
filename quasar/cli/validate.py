"""``quasar validate``: one validator."""

import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

import anyio
import structlog
from cyclopts import Parameter

from quasar.chain import Chain
from quasar.chain.bittensor import BittensorChain
from quasar.cli import logs, output
from quasar.cli.bounds import Mebibytes, Rounds, Seconds
from quasar.cli.dry_run import dry_run as dry_run_of
from quasar.cli.flags import DEFAULT_WALLET, FINNEY, Network, Wallet
from quasar.cli.identity import demo_validator, kept_validator
from quasar.cli.mock import SEED, check_local, mock_chain
from quasar.cli.nats import OWN_SERVER, Nats
from quasar.cli.playable import playable
from quasar.cli.replace import room
from quasar.cli.restore import home_of
from quasar.cli.sandbox_flags import ANY_SANDBOX, Programs
from quasar.cli.source import is_local, open_source, volumes_of
from quasar.cli.status import report_status
from quasar.config import go_offline
from quasar.errors import UsageError
from quasar.events.signing import Signer, log_id_of
from quasar.log.archive import ArchiveIdentity
from quasar.log.external import ExternalServer
from quasar.packs import require
from quasar.rules.policy import parse
from quasar.sandbox import SandboxConfig
from quasar.supervisor.setup import Identity, Setup, VolumeLimit
from quasar.supervisor.validator import run_validator
from quasar.supervisor.volume import LOG_NUMBER

MOCK_ARCHIVE = Path("quasar-mock")
NODES = ".opentensor.ai"
"""Where the nodes of networks with a name are."""


class Plan(NamedTuple):
    """What to play, and where to keep it."""

    url: str
    netuid: int
    policy: bytes
    rounds: int | None
    once: int | None
    volumes: VolumeLimit | None
    reserve_bytes: int
    nats: ExternalServer | None
    sandbox: SandboxConfig
    recover: bool
    keep_contexts: bool
    status_s: float
    """Seconds between two words about how far it is."""
    state: Path | None
    archive: Path | None


class Role(NamedTuple):
    """Whose log it is, and what it may claim."""

    hotkey: Signer
    seed: int | None
    """Public, where every key and secret follows from it."""
    mode: Literal["live", "mock", "demo"]

    def identity(self, state: Path) -> Identity:
        """All keys; those that no wallet holds are kept in ``state``."""
        if self.seed is None:
            return kept_validator(self.hotkey, state)
        return demo_validator(self.seed)


def validate(
    *,
    network: Network = FINNEY,
    wallet: Wallet = DEFAULT_WALLET,
    mock: Annotated[bool, Parameter(negative="")] = False,
    once: int | None = None,
    rounds: Rounds | None = None,
    state: Path | None = None,
    out: Path | None = None,
    volume_events: int = VolumeLimit().events,
    volume_hours: float = VolumeLimit().seconds / 3600,
    disk_reserve: Mebibytes = 256.0,
    policy: str = "readme-v1",
    sources: Annotated[tuple[str, ...], Parameter(name="--source", negative="")] = (),
    polling_interval: Annotated[
        Seconds, Parameter(name=("--neuron.polling_interval", "--polling-interval"))
    ] = 300.0,
    seed: int | None = None,
    nats: Nats = OWN_SERVER,
    programs: Programs = ANY_SANDBOX,
    recover: Annotated[bool, Parameter(negative="")] = False,
    keep_contexts: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    offline: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a validator until it is told to stop, or for a number of rounds.

    SIGTERM or Ctrl-C drains it. Started again, it goes on from its log.

    Parameters
    ----------
    mock
        Play on a local chain of its own with a public key; the archive goes to ./quasar-mock.
        Miners join with `quasar mine --mock`.
    once
        Play so many rounds from now on, see their weights on chain, and stop. One whose block is
        past counts while it can still be opened.
    rounds
        Stop after this round of the log, also if some were played before.
    state
        Private folder for keys, the server's store and contexts of open rounds; a folder of the
        hotkey's own by default.
    out
        Folder of the archive; each volume of the log is a folder in it.
    volume_events
        A volume closes when it holds so many events, and the next one opens.
    volume_hours
        A volume closes when it is so old.
    disk_reserve
        MiB that stay free: with less no round begins, what is open is finished, and it stops.
    policy
        A policy that ships with the package, or a file.
    sources
        A pack that the policy names (`quasar pack make`), or the folder it was made from; to be
        given for each. It becomes part of the archive.
    polling_interval
        Seconds between two lines that say how far the validator is.
    seed
        Derive keys and secrets from a public number: for demos and tests only.
    recover
        Go on from the archive where the server's store is lost or damaged. The store is set aside;
        events that were in it and not in the archive are lost.
    keep_contexts
        Keep the long texts of revealed rounds in the state folder; else they leave, since the
        revealed seeds make them anew.
    offline
        Call nobody but the chain, miners and this machine: any other name is refused.
    dry_run
        Read the chain, sign nothing, and print the row that the archive's newest weights would set.
    json
        Print one JSON object at the end.
    """
    url = network.url(mock=mock)
    if once is not None and (once < 1 or rounds is not None):
        raise UsageError("--once needs a number from 1, and no --rounds beside it")
    toml, rules = playable(policy)
    if offline:
        _go_offline(url, nats)
    if not dry_run:
        require(rules, sources)
    logs.set_up()
    if volume_events < 1 or volume_hours <= 0:
        raise UsageError("--volume-events and --volume-hours must be above 0")
    volumes = VolumeLimit(volume_events, volume_hours * 3600)
    reserve = int(disk_reserve * 2**20)
    plan = Plan(
        url=url,
        netuid=network.netuid,
        policy=toml,
        rounds=rounds,
        once=once,
        volumes=volumes,
        reserve_bytes=reserve,
        nats=nats.server(),
        sandbox=programs.config(),
        recover=recover,
        keep_contexts=keep_contexts,
        status_s=polling_interval,
        state=state,
        archive=out,
    )
    if mock:
        check_local(url)
        if plan.nats is not None:
            raise UsageError("--mock keeps its log for as long as it runs: leave --nats away")
    elif dry_run:
        return anyio.run(_dry_run, plan, _role(url, wallet, seed), json)
    with suppress(KeyboardInterrupt):  # where nothing has to be drained: an end in order too
        if mock:
            archive = _mock(plan, SEED if seed is None else seed)
        else:
            archive = anyio.run(_run, plan, _role(url, wallet, seed))
        _say(archive, json)
    return 0


def _go_offline(url: str, nats: Nats) -> None:
    """The chain is the only one that is called by name."""
    for address in (nats.urls or "").split(","):
        if address and not is_local(address):
            raise UsageError(
                f"--offline allows calls to the chain and to miners only, not to {address}: "
                "leave --nats away, or name a server on this machine"
            )
    go_offline([urlsplit(url).hostname or NODES])


def _role(url: str, wallet: Wallet, seed: int | None) -> Role:
    if seed is not None:
        return Role(demo_validator(seed).hotkey, seed, "demo")
    return Role(wallet.hotkey(), None, "mock" if is_local(url) else "live")


def _mock(plan: Plan, seed: int) -> Path:
    """A mock subnet lasts as long as its validator; only the archive remains."""
    role = Role(demo_validator(seed).hotkey, seed, "mock")
    archive = plan.archive or MOCK_ARCHIVE
    with room(archive, "mock"), tempfile.TemporaryDirectory(prefix="quasar-mock-") as work:
        plan = plan._replace(state=Path(work), archive=archive, volumes=None)
        return anyio.run(_run_mock, plan, role, seed)


async def _run_mock(plan: Plan, role: Role, seed: int) -> Path:
    assert plan.state is not None
    async with mock_chain(plan.url, seed, plan.netuid, plan.state):
        structlog.get_logger().info("mock subnet", chain=plan.url, join="quasar mine --mock")
        return await _run(plan, role)


async def _run(plan: Plan, role: Role) -> Path:
    """Play; gives the folder of the archive."""
    hotkey = role.hotkey.ss58_address
    async with BittensorChain(plan.url, plan.netuid) as chain:
        await _require_registered(chain, hotkey, plan.url)
        genesis = await chain.genesis()
        state = plan.state or home_of(_identity(genesis, plan.netuid, hotkey))
        setup = _setup(plan, role, chain, state)
        _refuse_other(setup.archive, genesis, setup)
        _log_start(setup)
        await run_validator(setup, watch=partial(report_status, every_s=plan.status_s))
        return setup.archive


def _identity(genesis: str, netuid: int, hotkey: str) -> ArchiveIdentity:
    log_id = log_id_of(genesis, netuid, hotkey, LOG_NUMBER)
    return ArchiveIdentity(log_id=log_id, volume=1, netuid=netuid, hotkey=hotkey, genesis=genesis)


def _setup(plan: Plan, role: Role, chain: Chain, state: Path) -> Setup:
    return Setup(
        identity=role.identity(state),
        chain=chain,
        state=state,
        archive=plan.archive or state / "archive",
        policy=plan.policy,
        mode=role.mode,
        freshness="beacon" if role.seed is None else "none",
        rounds=plan.rounds,
        once=plan.once,
        volumes=plan.volumes,
        reserve_bytes=plan.reserve_bytes,
        nats=plan.nats,
        sandbox=plan.sandbox,
        recover=plan.recover,
        keep_contexts=plan.keep_contexts,
        allow_private=is_local(plan.url),
    )


async def _require_registered(chain: Chain, hotkey: str, url: str) -> None:
    """Who is not on the subnet cannot weigh: better said now than after the first rounds."""
    head = await chain.head()
    if hotkey not in {neuron.hotkey for neuron in await chain.metagraph(head.number)}:
        raise UsageError(
            f"{hotkey} is not registered on subnet {chain.netuid} of {url}: register this hotkey, "
            "name another --wallet.* or --netuid, or start the local chain with it in --hotkeys"
        )


def _refuse_other(archive: Path, genesis: str, setup: Setup) -> None:
    """One archive holds one log, and that is of one hotkey on one subnet of one chain."""
    volumes = volumes_of(archive)
    if not volumes:
        return
    held = volumes[-1].manifest.identity
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


def _say(archive: Path, json: bool) -> None:
    sizes = [log.manifest.last for log in volumes_of(archive)]
    size = sum(sizes)
    if json:
        output.say_json({"events": size, "volumes": len(sizes), "archive": str(archive)})
    else:
        output.out.print(
            f"{size} events in {archive}; check them: quasar audit {archive}", markup=False
        )


async def _dry_run(plan: Plan, role: Role, json: bool) -> int:
    hotkey = role.hotkey.ss58_address
    async with BittensorChain(plan.url, plan.netuid) as chain:
        home = plan.state or home_of(_identity(await chain.genesis(), plan.netuid, hotkey))
        found = await dry_run_of(open_source(str(plan.archive or home / "archive")), chain)
    if json:
        output.say_json(found)
        return 0
    for place in found.row:
        output.out.print(f"uid {place.uid:>5}  {place.u16:>5}  {place.hotkey}", soft_wrap=True)
    for obstacle in found.obstacles:
        output.err.print(f"would be refused: {obstacle}", markup=False, soft_wrap=True)
    return 0
