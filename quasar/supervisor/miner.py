"""A miner: its small log, its door, its engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import structlog

from quasar.actors.inference import InferenceActor, Owns
from quasar.chain import Chain
from quasar.door.contexts import Contexts
from quasar.door.server import Door
from quasar.errors import ChainError
from quasar.events.receipt import QuotedBlock
from quasar.events.signing import Signer, log_id_of
from quasar.inference import Engine
from quasar.log.blobs import FolderBlobs
from quasar.log.file import FileLog
from quasar.supervisor.restart import drain_on_signal, supervise

logger = structlog.get_logger()

RETRY_S = 5.0
MAX_LOGS = 64
"""Logs that one validator may have begun on a subnet; it begins a new one after losing its own."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One miner on one machine."""

    hotkey: Signer
    chain: Chain
    engine: Engine
    state: Path
    host: str
    """Address that the door listens on."""
    port: int
    """0 lets the system choose."""
    external: str | None
    """Address that the chain publishes; None publishes ``host``."""
    refresh_s: float = 300.0
    """Seconds until the metagraph is read again, if no epoch ends before."""


class Registered:
    """The hotkeys of the subnet, from the newest metagraph read."""

    def __init__(self) -> None:
        self._hotkeys: frozenset[str] = frozenset()

    def __contains__(self, hotkey: str) -> bool:
        return hotkey in self._hotkeys

    async def refresh(self, chain: Chain) -> None:
        """Read the metagraph at the head."""
        head = await chain.head()
        self._hotkeys = frozenset(n.hotkey for n in await chain.metagraph(head.number))


def log_owner(genesis: str, netuid: int) -> Owns:
    """Tells whose log an id is, on this subnet of this chain."""

    def owns(hotkey: str, log_id: str) -> bool:
        numbers = range(1, MAX_LOGS + 1)
        return any(log_id_of(genesis, netuid, hotkey, n) == log_id for n in numbers)

    return owns


async def run_miner(setup: Setup, ready: Callable[[str], None]) -> None:
    """Serve until told to stop. ``ready`` is called with the published endpoint."""
    setup.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    registered = Registered()
    await registered.refresh(setup.chain)
    contexts = Contexts(setup.state / "contexts")
    blobs = FolderBlobs(setup.state / "blobs")
    with FileLog.open(setup.state / "miner.jsonl", blobs) as log:
        owns = log_owner(await setup.chain.genesis(), setup.chain.netuid)
        desk = InferenceActor(setup.hotkey, log, contexts, setup.engine, owns)
        door = Door(setup.hotkey.ss58_address, desk, contexts, registered.__contains__)
        async with (
            anyio.create_task_group() as tasks,
            door.listen(setup.host, setup.port) as port,
        ):
            endpoint = f"{setup.external or setup.host}:{port}"
            tasks.start_soon(supervise, desk)
            tasks.start_soon(_follow, setup.chain, desk, registered)
            tasks.start_soon(_refresh, setup.chain, registered, setup.refresh_s)
            await setup.chain.serve(setup.hotkey, endpoint)
            ready(endpoint)
            await drain_on_signal(tasks.cancel_scope)


async def _follow(chain: Chain, desk: InferenceActor, registered: Registered) -> None:
    """Keep the newest block, which receipts name, and who may call."""
    while True:
        try:
            await _follow_blocks(chain, desk, registered)
        except ChainError as problem:  # what was accepted is answered all the same
            logger.warning("miner.no-chain", error=str(problem))
            await anyio.sleep(RETRY_S)


async def _follow_blocks(chain: Chain, desk: InferenceActor, registered: Registered) -> None:
    epoch = -1
    async for block in chain.blocks(after=-1):
        desk.block = QuotedBlock(number=block.number, hash=block.hash)
        if block.epoch != epoch:
            epoch = block.epoch
            await registered.refresh(chain)


async def _refresh(chain: Chain, registered: Registered, every_s: float) -> None:
    """Read who is registered again and again; a chain that is away is asked the next time."""
    while True:
        await anyio.sleep(every_s)
        try:
            await registered.refresh(chain)
        except ChainError as problem:
            logger.warning("miner.metagraph-unread", error=str(problem))
