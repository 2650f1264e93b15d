"""User keys of NATS: Ed25519 in a text form of its own (base32 of a prefix, the key, a CRC)."""

import base64
import binascii

from bittensor_core import CRYPTO_ED25519, Keypair

_SEED = 18 << 3
_USER = 20 << 3
_KEY_BYTES = 32


class Nkey:
    """A user's key."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._key = Keypair.create_from_seed(seed, CRYPTO_ED25519)

    @classmethod
    def parse(cls, text: str) -> "Nkey":
        """From its seed as NATS writes it (``SU...``). Raises ValueError for anything else."""
        packed = text.strip().encode("ascii")
        data = base64.b32decode(packed + b"=" * (-len(packed) % 8))
        kind = (data[0] & 7) << 5 | data[1] >> 3 if len(data) > 1 else 0
        if len(data) != _KEY_BYTES + 4 or data[0] & 0xF8 != _SEED or kind != _USER:
            raise ValueError("this is no seed of a NATS user key")
        if binascii.crc_hqx(data[:-2], 0).to_bytes(2, "little") != data[-2:]:
            raise ValueError("the seed of a NATS user key has a typing error")
        return cls(data[2:-2])

    @property
    def seed(self) -> str:
        """The private key, as NATS writes it."""
        return _text(bytes([_SEED | _USER >> 5, (_USER & 31) << 3]) + self._seed)

    @property
    def public(self) -> str:
        """The public key, as a server's configuration names it (``U...``)."""
        return _text(bytes([_USER]) + bytes(self._key.public_key))

    def sign(self, nonce: str) -> str:
        """The server's nonce under this key, in base64."""
        return base64.b64encode(bytes(self._key.sign(nonce.encode()))).decode()


def _text(data: bytes) -> str:
    data += binascii.crc_hqx(data, 0).to_bytes(2, "little")
    return base64.b32encode(data).rstrip(b"=").decode()
