"""Receipts that miners name, and that the log does not hold: in bounded memory."""

from collections.abc import Container

from quasar.replay.spilled import PENDING, Records

_RECEIVED = 0
"""Marks a receipt of the log; one that is named bears its round plus 1."""


class Quotes:
    """Digests of receipts, received or named; most are named soon after they were received."""

    def __init__(self, pending: int = PENDING) -> None:
        self._records = Records(pending)
        self._recent: set[str] = set()

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._records) + len(self._recent)

    def receive(self, receipt: str) -> None:
        """A receipt, by its digest in hex, that the log holds."""
        self._recent.add(receipt)
        self._note(receipt, _RECEIVED)

    def name(self, receipt: str, number: int) -> None:
        """One that a miner names in a round."""
        if receipt not in self._recent:
            self._note(receipt, number + 1)

    def missing(self, unsealed: Container[int]) -> int:
        """How many were named in sealed rounds and never received."""
        count = 0
        for bucket in self._records.buckets():
            received = {digest for digest, mark in bucket if mark == _RECEIVED}
            named = {d for d, mark in bucket if mark and mark - 1 not in unsealed}
            count += len(named - received)
        return count

    def _note(self, receipt: str, mark: int) -> None:
        if self._records.add(bytes.fromhex(receipt), mark):
            self._recent.clear()
