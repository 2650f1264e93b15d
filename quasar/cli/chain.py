"""``quasar chain``: a chain on this machine."""

from pathlib import Path
from secrets import token_hex
from typing import Annotated

import anyio
from cyclopts import Parameter

from quasar.chain.keys import load_hotkey
from quasar.chain.local import Rules, serve
from quasar.chain.node.options import Options
from quasar.cli.bounds import Port
from quasar.cli.flags import LOCAL_PORT, WALLETS
from quasar.cli.mock import registered
from quasar.cli.output import err, out, say_json
from quasar.errors import UsageError

SS58_CHARS = 48


def up(
    *,
    hotkeys: str | None = None,
    wallet_path: Annotated[
        Path, Parameter(name=("--wallet.path", "--wallet-path"), env_var="BT_WALLET_PATH")
    ] = WALLETS,
    netuid: int = 24,
    port: Port = LOCAL_PORT,
    block_ms: int = 250,
    tempo: int = 25,
    seed: str | None = None,
    journal: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a local chain until it is told to stop.

    The unmodified bittensor client talks to it as to any node. It emulates the rules of subtensor
    and says which; it is not the Rust runtime.

    Parameters
    ----------
    hotkeys
        Who is registered, in the order of uids, with commas: SS58 addresses, or wallets by name
        (`alice`, or `alice/second` for another hotkey than `default`). The first one validates.
        Without it, the public keys of `--mock`.
    wallet_path
        Folder of the wallets.
    netuid
        The subnet.
    port
        Port on 127.0.0.1; 0 takes a free one.
    block_ms
        Milliseconds from block to block.
    tempo
        Blocks an epoch.
    seed
        Block hashes follow from it. By default each start makes another chain, but with a journal.
    journal
        A file that lets a restart go on where the chain was.
    json
        Print one JSON object once it listens.
    """
    addresses = [_address(word, wallet_path) for word in (hotkeys or "").split(",") if word]
    options = Options(
        seed=seed or ("local" if journal else token_hex(8)),
        block_ms=block_ms,
        tempo=tempo,
        netuid=netuid,
        hotkeys=addresses or registered(),
    )

    def ready(taken: int, rules: Rules) -> None:
        url = f"ws://127.0.0.1:{taken}"
        if json:
            say_json({"port": taken, "url": url, **rules._asdict()})
        else:
            out.print(url)
            _describe(options, rules)

    anyio.run(serve, options, port, journal, False, ready)
    return 0


def _address(word: str, wallets: Path) -> str:
    """The hotkey of a word: itself, or that of the wallet it names."""
    if len(word) >= SS58_CHARS and "/" not in word:
        return word  # judged with the other options
    name, _, key = word.partition("/")
    try:
        return str(load_hotkey(wallets, name, key or "default").ss58_address)
    except UsageError as problem:
        raise UsageError(f"--hotkeys {word}: {problem}") from None


def _describe(options: Options, rules: Rules) -> None:
    for uid, hotkey in enumerate(options.hotkeys):
        role = "validator" if uid < options.validators else "miner"
        err.print(f"uid {uid:>3}  {role:<9}  {hotkey}", markup=False)
    err.print(f"subnet {options.netuid}, {options.tempo} blocks an epoch. It emulates:")
    for rule in rules.emulated:
        err.print(f"  {rule}", markup=False)
    err.print("and not:")
    for rule in rules.not_emulated:
        err.print(f"  {rule}", markup=False)
