"""Statements under a signature, and how to check them. Keys are made elsewhere."""

import hashlib
from typing import Protocol

from bittensor_core import CRYPTO_ED25519, CRYPTO_SR25519, Keypair
from bittensor_core import verify as _verify

from quasar.events.base import Hotkey


class Signer(Protocol):
    """A private key: a hotkey (sr25519) or a log key (Ed25519)."""

    @property
    def ss58_address(self) -> str: ...

    @property
    def public_key(self) -> bytes: ...

    def sign(self, data: bytes) -> bytes: ...


def log_id_of(genesis: str, netuid: int, hotkey: Hotkey, number: int) -> str:
    """First 8 hex digits of SHA-256 over the four, newline-joined."""
    text = f"{genesis}\n{netuid}\n{hotkey}\n{number}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def origin_of(netuid: int, hotkey: Hotkey, log_id: str, volume: int) -> str:
    """The name under which a volume's checkpoints are signed."""
    return f"quasar/{netuid}/{hotkey}/{log_id}/{volume}"


def log_key_statement(origin: str, genesis: str, log_key: str) -> bytes:
    """What the hotkey signs to say that a log key speaks for it."""
    return f"quasar-log-key/1\n{origin}\n{genesis}\n{log_key}\n".encode()


def verify_hotkey(hotkey: Hotkey, message: bytes, signature: str) -> bool:
    """Whether an sr25519 hotkey signed the message. False for anything malformed."""
    try:
        return bool(_verify(message, bytes.fromhex(signature), hotkey, CRYPTO_SR25519))
    except (ValueError, TypeError):
        return False


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 key signed the message. False for anything malformed."""
    try:
        key = Keypair(public_key=public_key, crypto_type=CRYPTO_ED25519)
        return bool(key.verify(message, signature))
    except (ValueError, TypeError):
        return False
