"""``quasar mine``: one miner."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from quasar.chain.bittensor import BittensorChain
from quasar.cli import logs
from quasar.cli.identity import demo_miner, kept_miner
from quasar.cli.output import err, say_json
from quasar.cli.source import check_network
from quasar.config import state_folder
from quasar.events.signing import Signer
from quasar.inference import Engine
from quasar.inference import engine as find_engine
from quasar.supervisor.miner import Setup, run_miner


def mine(
    *,
    chain: str,
    netuid: int = 24,
    engine: str = "extractive",
    state: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8091,
    external: str | None = None,
    seed: int | None = None,
    index: int = 0,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a miner until it is told to stop.

    Parameters
    ----------
    chain
        A network's name or URL, such as that of a local chain (`python -m quasar.chain.local`).
    netuid
        The subnet.
    engine
        What answers: extractive (reads the context, no model), transformers:FOLDER (a language
        model, see `quasar model get`), empty or random (for contrast).
    state
        Private folder for the key, the miner's log and contexts.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    external
        IP address to publish, where it is another than ``host``.
    seed
        Derive the key from a public number: for demos and tests only.
    index
        Which of the seed's miners this is.
    json
        Print the endpoint as a JSON object once the door is open.
    """
    check_network(chain)
    logs.set_up()
    home = state or state_folder() / "miner"
    hotkey = kept_miner(home) if seed is None else demo_miner(seed, index)

    def ready(endpoint: str) -> None:
        if json:
            say_json({"hotkey": hotkey.ss58_address, "endpoint": endpoint})
        else:
            err.print(f"{hotkey.ss58_address} answers at {endpoint}", markup=False)

    engine_ = find_engine(engine)
    anyio.run(_run, chain, netuid, hotkey, engine_, home, host, port, external, ready)
    return 0


async def _run(
    url: str,
    netuid: int,
    hotkey: Signer,
    engine: Engine,
    state: Path,
    host: str,
    port: int,
    external: str | None,
    ready: Callable[[str], None],
) -> None:
    async with BittensorChain(url, netuid) as chain:
        setup = Setup(
            hotkey=hotkey,
            chain=chain,
            engine=engine,
            state=state,
            host=host,
            port=port,
            external=external,
        )
        await run_miner(setup, ready)
