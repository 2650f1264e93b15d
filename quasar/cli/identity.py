"""Keys for a command: from private files, or from a demo's public seed."""

import hashlib
from pathlib import Path

from quasar.chain.keys import hotkey_from_seed, load_or_create_secret, log_key_from_seed
from quasar.draw import derive
from quasar.events.signing import Signer
from quasar.supervisor.validator import Identity


def demo_seed(seed: int) -> bytes:
    """What everything in a demo derives from. Public, so such a log proves no freshness."""
    return hashlib.sha256(f"quasar-demo/{seed}".encode()).digest()


def demo_validator(seed: int) -> Identity:
    """The demo's validator."""
    return _from_master(demo_seed(seed))


def demo_miner(seed: int, index: int) -> Signer:
    """The demo's miner number ``index``, from 0."""
    key: Signer = hotkey_from_seed(demo_seed(seed), f"miner/{index}")
    return key


def kept_validator(state: Path) -> Identity:
    """Keys of a validator that runs here; made on the first start, mode 0600."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _from_master(load_or_create_secret(state / "master.key"))


def kept_miner(state: Path) -> Signer:
    """Key of a miner that runs here."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    key: Signer = hotkey_from_seed(load_or_create_secret(state / "miner.key"), "miner")
    return key


def _from_master(master: bytes) -> Identity:
    return Identity(
        hotkey=hotkey_from_seed(master, "validator"),
        log_key=log_key_from_seed(derive(master, "log-key")),
        master=derive(master, "rounds"),
    )
