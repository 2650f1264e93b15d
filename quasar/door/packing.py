"""Contexts on the wire: exactly one zstd frame, opened in small steps that are counted."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from quasar.errors import Refused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WINDOW_LOG = 23
"""A reader needs at most 8 MiB of memory, whatever the text's length."""
STEP_BYTES = 1 << 18
"""Most that one step of opening gives out."""
LEVEL = 3


class Packed(NamedTuple):
    """A context as it is sent. Its name is the hash of the text, not of this file."""

    path: Path
    sha256: str
    """Of the file, 64 hex digits."""
    size: int
    """Of the file, in bytes."""


def pack(text: bytes, path: Path) -> Packed:
    """Compress a text into a file. Blocks: call it in a thread."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: LEVEL,
        zstd.CompressionParameter.window_log: WINDOW_LOG,
    }
    data = zstd.compress(text, options=options)
    path.write_bytes(data)
    return Packed(path, hashlib.sha256(data).hexdigest(), len(data))


def max_packed(text_bytes: int) -> int:
    """Most bytes that a frame over so much text needs (zstd's own bound, rounded up)."""
    return text_bytes + text_bytes // 128 + 1024


class Unpacker:
    """Opens one frame, piece by piece."""

    def __init__(self, max_bytes: int) -> None:
        self._zstd = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
        )
        self._left = max_bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The text that these bytes open.

        Raises Refused: ``too-large`` above the bound, ``bad-zstd`` for damage, for a window
        larger than WINDOW_LOG, and for anything after the frame.
        """
        if self._zstd.eof and data:
            raise Refused("bad-zstd", "send one zstd frame and nothing after it")
        while data or not self._zstd.needs_input:
            text = self._open(data)
            self._left -= len(text)
            if self._left < 0:
                raise Refused("too-large", "the context is larger than this side takes")
            yield text
            data = b""
            if self._zstd.eof:
                break
        if self._zstd.unused_data:
            raise Refused("bad-zstd", "send one zstd frame and nothing after it")

    def finish(self) -> None:
        """Raises Refused(bad-zstd) where the frame is not complete."""
        if not self._zstd.eof:
            raise Refused("bad-zstd", "the zstd frame ends early")

    def _open(self, data: bytes) -> bytes:
        try:
            return self._zstd.decompress(data, STEP_BYTES)
        except zstd.ZstdError:
            raise Refused("bad-zstd", "this is not a zstd frame with a small window") from None
