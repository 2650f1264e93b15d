"""Blobs that were read a moment ago: the same policy or output is named again and again."""

from quasar.events.base import Blob
from quasar.events.blobs import Blobs

_BLOBS = 4096
_BYTES = 4096
"""Longer ones are read each time: 16 MB are held at most."""


class RecentBlobs:
    """Reads from another store, each short blob once."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._held: dict[Blob, bytes] = {}

    def get(self, blob: Blob) -> bytes:
        """The bytes. Raises as the other store."""
        data = self._held.get(blob)
        if data is not None:
            return data
        data = self._blobs.get(blob)
        if len(data) <= _BYTES:
            if len(self._held) >= _BLOBS:
                self._held.clear()
            self._held[blob] = data
        return data

    def put(self, data: bytes) -> Blob:
        """As the other store."""
        return self._blobs.put(data)
