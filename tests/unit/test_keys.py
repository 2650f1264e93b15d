"""Keys from seeds, secret files and wallets."""

import stat
from pathlib import Path

import pytest
from bittensor_core import (
    CRYPTO_ED25519,
    Keypair,
    serialized_keypair_to_keyfile_data,
)

from quasar.chain.keys import (
    create_secret,
    hotkey_from_seed,
    load_hotkey,
    load_or_create_secret,
    load_secret,
    log_key_from_seed,
)
from quasar.errors import UsageError
from quasar.events.signing import verify_ed25519, verify_hotkey


def write_hotkey(wallets: Path, data: bytes, mode: int = 0o600) -> None:
    path = wallets / "val" / "hotkeys" / "default"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    path.chmod(mode)


def test_a_hotkey_follows_from_seed_and_purpose() -> None:
    """The same seed and purpose give the same key for ever; another purpose gives another."""
    key = hotkey_from_seed(b"7", "miner/0")
    assert key.ss58_address == "5EF8gpUQXXC7jnXTBwS6AtSm7MCKyacq6xcCVmTqUd9sQpmw"
    assert hotkey_from_seed(b"7", "miner/1").ss58_address != key.ss58_address
    assert verify_hotkey(key.ss58_address, b"words", key.sign(b"words").hex())


def test_a_log_key_is_ed25519() -> None:
    """The log key's signatures verify as Ed25519, which is deterministic."""
    key = log_key_from_seed(b"7")
    assert verify_ed25519(key.public_key, b"root", key.sign(b"root"))
    assert key.sign(b"root") == log_key_from_seed(b"7").sign(b"root")


def test_a_secret_is_private_and_comes_back(tmp_path: Path) -> None:
    """A created secret is 32 bytes, mode 0600, and loads equal; nothing else is left behind."""
    path = tmp_path / "keys" / "master"
    secret = create_secret(path)
    assert len(secret) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(path) == load_or_create_secret(path) == secret
    assert [p.name for p in path.parent.iterdir()] == ["master"]


def test_a_secret_is_made_at_first_use(tmp_path: Path) -> None:
    """load_or_create makes the file once and then keeps it."""
    first = load_or_create_secret(tmp_path / "master")
    assert load_or_create_secret(tmp_path / "master") == first


def test_a_secret_is_never_overwritten(tmp_path: Path) -> None:
    """Creating over an existing file fails and leaves the old secret."""
    secret = create_secret(tmp_path / "master")
    with pytest.raises(UsageError, match="exists"):
        create_secret(tmp_path / "master")
    assert load_secret(tmp_path / "master") == secret


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_an_open_secret_is_refused_with_the_command(tmp_path: Path, mode: int) -> None:
    """A file that others may touch is refused, and the message gives the chmod command."""
    path = tmp_path / "master"
    create_secret(path)
    path.chmod(mode)
    with pytest.raises(UsageError, match=f"chmod 600 {path}"):
        load_secret(path)


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "é" * 64])
def test_a_damaged_secret_is_refused(tmp_path: Path, text: str) -> None:
    """Anything but 64 hex digits is refused in one line."""
    path = tmp_path / "master"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(UsageError, match="64 hex digits"):
        load_secret(path)


def test_a_missing_key_says_so(tmp_path: Path) -> None:
    """A missing secret or wallet is a UsageError that names the path."""
    with pytest.raises(UsageError, match="no key at"):
        load_secret(tmp_path / "none")
    with pytest.raises(UsageError, match="hotkeys/default"):
        load_hotkey(tmp_path, "val", "default")


def test_a_wallet_hotkey_loads(tmp_path: Path) -> None:
    """A plain bittensor hotkey file gives the key that wrote it."""
    key = hotkey_from_seed(b"7", "wallet")
    write_hotkey(tmp_path, serialized_keypair_to_keyfile_data(key))
    loaded = load_hotkey(tmp_path, "val", "default")
    assert verify_hotkey(key.ss58_address, b"x", loaded.sign(b"x").hex())


def test_an_encrypted_hotkey_is_refused(tmp_path: Path) -> None:
    """An encrypted hotkey is named as such, instead of asking for a password."""
    write_hotkey(tmp_path, b"$NACL" + b"\0" * 100)
    with pytest.raises(UsageError, match="encrypted"):
        load_hotkey(tmp_path, "val", "default")


def test_an_ed25519_hotkey_is_refused(tmp_path: Path) -> None:
    """Only sr25519 hotkeys sign for Quasar."""
    key = Keypair.create_from_seed(b"\1" * 32, CRYPTO_ED25519)
    write_hotkey(tmp_path, serialized_keypair_to_keyfile_data(key))
    with pytest.raises(UsageError, match="sr25519"):
        load_hotkey(tmp_path, "val", "default")


def test_a_public_half_is_refused(tmp_path: Path) -> None:
    """A hotkeypub file in the hotkey's place cannot sign, and is refused at once."""
    public = Keypair(ss58_address=hotkey_from_seed(b"7", "wallet").ss58_address)
    write_hotkey(tmp_path, serialized_keypair_to_keyfile_data(public))
    with pytest.raises(UsageError, match="no private key"):
        load_hotkey(tmp_path, "val", "default")


def test_an_open_hotkey_is_refused(tmp_path: Path) -> None:
    """A hotkey that others may read is refused with the chmod command."""
    key = hotkey_from_seed(b"7", "wallet")
    write_hotkey(tmp_path, serialized_keypair_to_keyfile_data(key), 0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load_hotkey(tmp_path, "val", "default")
