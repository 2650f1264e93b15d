"""Keys for a command: a wallet's hotkey with our own secrets, or all from a public seed."""

import hashlib
from pathlib import Path

from quasar.chain.keys import (
    hotkey_from_seed,
    load_or_create_secret,
    load_secret,
    log_key_from_seed,
)
from quasar.draw import derive
from quasar.events.signing import Signer
from quasar.supervisor.log_keys import kept_keys
from quasar.supervisor.setup import Identity

MASTER = "master.key"


def demo_seed(seed: int) -> bytes:
    """What everything in a demo derives from. Public, so such a log proves no freshness."""
    return hashlib.sha256(f"quasar-demo/{seed}".encode()).digest()


def demo_validator(seed: int) -> Identity:
    """The demo's validator."""
    master = demo_seed(seed)
    return _identity(hotkey_from_seed(master, "validator"), master)


def demo_miner(seed: int, index: int) -> Signer:
    """The demo's miner number ``index``, from 0."""
    key: Signer = hotkey_from_seed(demo_seed(seed), f"miner/{index}")
    return key


def kept_validator(hotkey: Signer, state: Path) -> Identity:
    """A wallet's hotkey, with log keys and secrets kept in ``state``: made at first, mode 0600."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = _identity(hotkey, load_or_create_secret(state / MASTER))
    log_key, replaced = kept_keys(state, made.log_key)
    return Identity(hotkey=hotkey, log_key=log_key, replaced=replaced, master=made.master)


def first_log_key(state: Path) -> Signer:
    """The log key that a validator began with. Raises UsageError where ``state`` holds none."""
    return _log_key(load_secret(state / MASTER))


def _identity(hotkey: Signer, master: bytes) -> Identity:
    return Identity(
        hotkey=hotkey,
        log_key=_log_key(master),
        master=derive(master, "rounds"),
    )


def _log_key(master: bytes) -> Signer:
    key: Signer = log_key_from_seed(derive(master, "log-key"))
    return key
