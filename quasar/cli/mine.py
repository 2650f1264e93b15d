"""``quasar mine``: one miner."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from quasar.chain import Chain
from quasar.chain.bittensor import BittensorChain
from quasar.cli import logs
from quasar.cli.bounds import Port, Seconds
from quasar.cli.flags import DEFAULT_WALLET, FINNEY, Network, Wallet
from quasar.cli.identity import demo_miner
from quasar.cli.mock import SEED, check_local, wait_for_chain
from quasar.cli.output import err, say_json
from quasar.cli.source import is_local
from quasar.config import state_folder
from quasar.errors import UsageError
from quasar.inference import engine as find_engine
from quasar.inference.named import model_folder
from quasar.supervisor.miner import Setup, run_miner

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a miner on a network is there to be called


def mine(
    *,
    network: Network = FINNEY,
    wallet: Wallet = DEFAULT_WALLET,
    mock: Annotated[bool, Parameter(negative="")] = False,
    engine: str = "extractive",
    model: Annotated[str | None, Parameter(name=("--miner.model_name", "--model"))] = None,
    state: Path | None = None,
    host: Annotated[str | None, Parameter(name=("--axon.ip", "--host"))] = None,
    port: Annotated[Port, Parameter(name=("--axon.port", "--port"))] = 8091,
    external: Annotated[str | None, Parameter(name=("--axon.external_ip", "--external"))] = None,
    polling_interval: Annotated[
        Seconds, Parameter(name=("--neuron.polling_interval", "--polling-interval"))
    ] = 300.0,
    seed: int | None = None,
    index: int = 0,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a miner until it is told to stop.

    Parameters
    ----------
    mock
        Mine on this machine's mock subnet, with a public key; waits until its chain is there.
    engine
        What answers: extractive (reads the context, no model), transformers:FOLDER (a language
        model, see `quasar model get`), reader:FOLDER (the same, on the lines nearest to the
        question), truncated (extractive with a window of 64k tokens), empty or random (for
        contrast).
    model
        A language model instead: one of `quasar model get`, a folder, or a name on the model hub.
    state
        Private folder for the miner's log and contexts; a folder of the hotkey's own by default.
    host
        Address to listen on: 127.0.0.1 on a local chain, else every address of this machine.
    port
        Port to listen on; 0 takes a free one.
    external
        IP address to publish, where others reach this miner; needed except on a local chain.
    polling_interval
        Seconds until the metagraph is read again, which says who may call.
    seed
        Derive the key from a public number: for demos and tests only.
    index
        Which of the seed's miners this is.
    json
        Print the endpoint as a JSON object once the door is open.
    """
    url = network.url(mock=mock)
    if mock:
        check_local(url)
        seed = SEED if seed is None else seed
    if external is None and not is_local(url):
        raise UsageError(
            f"a miner on {url} must be reachable: give its address as --axon.external_ip"
        )
    logs.set_up()
    hotkey = wallet.hotkey() if seed is None else demo_miner(seed, index)
    home = state or state_folder() / "miner" / f"{network.netuid}-{hotkey.ss58_address}"

    def ready(endpoint: str) -> None:
        if json:
            say_json({"hotkey": hotkey.ss58_address, "endpoint": endpoint})
        else:
            err.print(f"{hotkey.ss58_address} answers at {endpoint}", markup=False)

    if model is not None:
        engine = f"transformers:{model_folder(model, state_folder() / 'models')}"
    answering = find_engine(engine)
    shown = host or (LOOPBACK if is_local(url) else EVERYWHERE)

    def setup(chain: Chain) -> Setup:
        return Setup(
            hotkey=hotkey,
            chain=chain,
            engine=answering,
            state=home,
            host=shown,
            port=port,
            external=external,
            refresh_s=polling_interval,
        )

    with suppress(KeyboardInterrupt):  # before its door is open: an end in order too
        anyio.run(_run, url, network.netuid, mock, setup, ready)
    return 0


async def _run(
    url: str, netuid: int, mock: bool, setup: Callable[[Chain], Setup], ready: Callable[[str], None]
) -> None:
    chain = BittensorChain(url, netuid)
    if mock:
        await wait_for_chain(chain, url)
    async with chain:
        await run_miner(setup(chain), ready)
