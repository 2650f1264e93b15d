"""Whether a slot of the log is filled twice, however far apart."""

import hashlib

from quasar.replay.spilled import PENDING, Records


class Slots:
    """Slots in the order of their events: recent ones in memory, older ones in a file."""

    def __init__(self, pending: int = PENDING) -> None:
        self._records = Records(pending)
        self._recent: set[bytes] = set()

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._recent)

    def fill(self, key: str, seq: int) -> bool:
        """False where the slot was filled not long ago; ``doubled`` knows of all."""
        digest = hashlib.sha256(key.encode()).digest()[:16]
        if digest in self._recent:
            return False
        self._recent.add(digest)
        if self._records.add(digest, seq):
            self._recent.clear()
        return True

    def doubled(self) -> int | None:
        """The first event whose slot an earlier one had filled. Takes a second for a million."""
        firsts = [_first_double(bucket) for bucket in self._records.buckets()]
        return min((seq for seq in firsts if seq is not None), default=None)


def _first_double(bucket: list[tuple[bytes, int]]) -> int | None:
    if len({digest for digest, _ in bucket}) == len(bucket):
        return None
    seen: set[bytes] = set()
    for digest, seq in bucket:
        if digest in seen:
            return seq
        seen.add(digest)
    return None
