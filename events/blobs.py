"""Bytes that are too long for an event, named by their hash."""

import hashlib
from typing import Protocol

from quasar.events.base import Blob

INLINE_BYTES = 4096
"""Longer text stands in a blob."""


class Blobs(Protocol):
    """A content-addressed store. The same name always gives the same bytes."""

    def get(self, blob: Blob) -> bytes:
        """The bytes. Raises CannotJudge where they are withheld, Damaged where they differ."""
        ...

    def put(self, data: bytes) -> Blob:
        """Store durably before any event names it."""
        ...


def name_blob(data: bytes) -> Blob:
    """What a blob of these bytes is called."""
    return Blob(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
