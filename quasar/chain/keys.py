"""Keys: made from a seed, kept in private files, or read from a bittensor wallet."""

import os
import secrets
import stat
from pathlib import Path

from bittensor_core import (
    CRYPTO_ED25519,
    CRYPTO_SR25519,
    KeyfileError,
    Keypair,
    deserialize_keypair_from_keyfile_data,
    keyfile_data_is_encrypted,
)

from quasar.draw import derive
from quasar.errors import UsageError

SECRET_BYTES = 32


def hotkey_from_seed(seed: bytes, purpose: str) -> Keypair:
    """An sr25519 hotkey of its own for a named purpose. The same seed gives the same key."""
    return Keypair.create_from_seed(derive(seed, purpose), CRYPTO_SR25519)


def log_key_from_seed(seed: bytes) -> Keypair:
    """The Ed25519 key that signs a log's checkpoints."""
    return Keypair.create_from_seed(derive(seed, "log-key"), CRYPTO_ED25519)


def create_secret(path: Path) -> bytes:
    """Write a new 32-byte secret, in hex, as ``create_private`` does, and return it."""
    secret = secrets.token_bytes(SECRET_BYTES)
    create_private(path, secret.hex().encode() + b"\n")
    return secret


def create_private(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600, durably, and its folder of mode 0700.

    The file appears whole or not at all. Raises UsageError where it exists already.
    """
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync_folder(path.parent.parent)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        _write_private(partial, data)
        # A link fails where the name is taken; a rename would destroy that key.
        os.link(partial, path)
    except FileExistsError:
        raise UsageError(f"{path} exists: use that key, or move the file away first") from None
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def load_secret(path: Path) -> bytes:
    """The 32 bytes of a secret file. Raises UsageError where it is missing, open or damaged."""
    try:
        secret = bytes.fromhex(read_private(path).decode("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise UsageError(f"{path} does not hold 64 hex digits: restore it from your backup")
    return secret


def load_or_create_secret(path: Path) -> bytes:
    """The secret of a file, made at first use. Raises UsageError as the two others do."""
    return load_secret(path) if path.exists() else create_secret(path)


def load_hotkey(wallet_path: Path, name: str, hotkey: str) -> Keypair:
    """The hotkey ``<wallet_path>/<name>/hotkeys/<hotkey>`` of a bittensor wallet.

    Raises UsageError where the file is missing, readable by others, encrypted, or not sr25519.
    """
    path = wallet_path.expanduser() / name / "hotkeys" / hotkey
    data = read_private(path)
    if keyfile_data_is_encrypted(data):
        raise UsageError(f"{path} is encrypted: Quasar signs unattended and needs a plain hotkey")
    try:
        key = deserialize_keypair_from_keyfile_data(data)
        key.sign(b"")
    except (KeyfileError, ValueError) as error:
        raise UsageError(f"{path} holds no private key ({error}): restore the hotkey") from None
    if key.crypto_type != CRYPTO_SR25519:
        raise UsageError(f"{path} is not an sr25519 key: register and use an sr25519 hotkey")
    return key


def read_private(path: Path) -> bytes:
    """A file that is ours alone. Raises UsageError where it is missing or others may read it."""
    try:
        with path.open("rb") as file:
            # The open file is judged, not its name: nobody can swap it in between.
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise UsageError(f"others may read {path}: run `chmod 600 {path}`")
            return file.read()
    except FileNotFoundError:
        raise UsageError(f"there is no key at {path}: check the path, or create the key") from None
    except (PermissionError, IsADirectoryError) as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _write_private(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
