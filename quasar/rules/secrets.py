"""Round secrets: a reverse hash chain, so that none can be chosen late.

s_r = SHA-256(s_(r+1)), down from a start that only the master secret gives. The tip s_0 stands in
LogOpened; revealing s_r proves every secret before it and none after.
"""

import hashlib

from quasar.draw import derive
from quasar.errors import UsageError

CHAIN_LENGTH = 4096
"""Rounds that one volume can hold: 42 days of quarter hours."""


def last_round(planned: int | None, base: int = 0) -> int:
    """No round after this one opens: as planned, or where the volume's secrets end.

    ``base``: newest round of the volumes before.
    """
    end = base + CHAIN_LENGTH
    return end if planned is None else min(planned, end)


class SecretChain:
    """All secrets of a volume, from the master secret; its first round is ``base + 1``."""

    def __init__(self, master: bytes, log_id: str, volume: int, base: int = 0) -> None:
        secret = derive(master, f"round-secrets/{log_id}/{volume}")
        self._secrets = [secret]
        for _ in range(CHAIN_LENGTH):
            secret = hashlib.sha256(secret).digest()
            self._secrets.append(secret)
        self._secrets.reverse()
        self._base = base

    @property
    def tip(self) -> str:
        """s_0, hex; the secret of round ``base`` as it were, which has none."""
        return self._secrets[0].hex()

    def secret(self, number: int) -> bytes:
        """s_r. Raises UsageError past the end: close the volume and open the next."""
        if not 0 < number - self._base <= CHAIN_LENGTH:
            raise UsageError(f"round {number} is none of this volume's {CHAIN_LENGTH} secrets")
        return self._secrets[number - self._base]


class RevealedSecrets:
    """What a log has revealed. Knows nothing of rounds to come."""

    def __init__(self, secrets: dict[int, str]) -> None:
        self._secrets = secrets

    def secret(self, number: int) -> bytes | None:
        """s_r, or None while it is not revealed."""
        text = self._secrets.get(number)
        return bytes.fromhex(text) if text else None


def links(earlier: str, later: str, steps: int) -> bool:
    """Whether ``earlier`` is SHA-256 of ``later``, applied ``steps`` times."""
    value = bytes.fromhex(later)
    for _ in range(steps):
        value = hashlib.sha256(value).digest()
    return value.hex() == earlier


def round_seed(secret: bytes, beacon_hash: str) -> bytes:
    """HMAC-SHA256(s_r, hash of the beacon block): neither side alone can choose it."""
    return derive(secret, beacon_hash)
