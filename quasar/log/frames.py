"""Lines in Zstandard frames: how a segment is packed, and read back with bounded memory."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from quasar.log.zstd import (
    CompressionParameter,
    DecompressionParameter,
    ZstdDecompressor,
    ZstdError,
    compress,
)

FRAME_BYTES = 4 * 2**20
"""A frame is closed when it holds this much text, so that readers can check it before use."""
HELD_BYTES = 2 * FRAME_BYTES
"""Text that is held back until its frame's checksum has matched."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_UNUSED_BITS = 0b0001_1000
"""Of the frame header's descriptor: decoders ignore one of them, so they must be 0."""
_PIECE = 16_384
_STEP = 131_072
_WINDOW_LOG = 23
"""Frames that need more than 8 MiB of history are refused."""
_PACK: dict[int, int] = {
    CompressionParameter.compression_level: 3,
    CompressionParameter.checksum_flag: 1,
}


class BadFrame(Exception):
    """Raised where the packed bytes cannot be unpacked. Callers know which event that is."""


class Chunk(NamedTuple):
    """Unpacked text."""

    data: bytes
    end: int | None
    """Offset in the file where the frame ended; None inside a frame above HELD_BYTES."""


def pack(lines: Iterable[bytes]) -> bytes:
    """One frame, with content size and checksum. Lines come without their newline."""
    return compress(b"".join([line + b"\n" for line in lines]), options=_PACK)


def batches(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Split lines into what goes into one frame each."""
    start = held = 0
    for i, line in enumerate(lines):
        if held and held + len(line) + 1 > FRAME_BYTES:
            yield lines[start:i]
            start, held = i, 0
        held += len(line) + 1
    if held:
        yield lines[start:]


def unpack(file: BinaryIO) -> Iterator[Chunk]:
    """Text of all frames of a file, a frame at a time, at most about HELD_BYTES held.

    Raises BadFrame at the first frame that is torn, altered, empty or no frame at all; the text
    of that frame is not given out, unless it is longer than HELD_BYTES.
    """
    return _Unpacker(file).chunks()


def split(chunks: Iterable[Chunk], limit: int) -> Iterator[bytes]:
    """Lines of the text, each with its newline. One that lacks it is the last, or too long."""
    rest = b""
    for chunk in chunks:
        for line in io.BytesIO(rest + chunk.data):
            rest = b"" if line[-1:] == b"\n" else line
            if not rest:
                yield line
        if len(rest) > limit:
            break
    if rest:
        yield rest


class _Unpacker:
    """Reads a file in small pieces and gives out whole frames."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._packed = b""
        self._offset = 0
        """Of the end of ``_packed`` in the file."""

    def chunks(self) -> Iterator[Chunk]:
        while self._packed or self._read():
            yield from self._frame()

    def _read(self) -> bool:
        piece = self._file.read(_PIECE)
        self._packed += piece
        self._offset += len(piece)
        return bool(piece)

    def _frame(self) -> Iterator[Chunk]:
        self._check_header()
        decoder = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG})
        held, empty = bytearray(), True
        while not decoder.eof:
            held += self._step(decoder)
            empty = empty and not held
            if len(held) > HELD_BYTES:
                data, held = bytes(held), bytearray()  # not held twice while its reader works
                yield Chunk(data, None)
        if empty:
            raise BadFrame("a frame is empty")
        self._packed = decoder.unused_data
        yield Chunk(bytes(held), self._offset - len(self._packed))

    def _check_header(self) -> None:
        """A skippable frame would hide bytes from every reader of lines."""
        while len(self._packed) <= len(_MAGIC):
            if not self._read():
                raise BadFrame("the file ends inside a frame")
        if not self._packed.startswith(_MAGIC) or self._packed[len(_MAGIC)] & _UNUSED_BITS:
            raise BadFrame("there are bytes that are no Zstandard frame")

    def _step(self, decoder: ZstdDecompressor) -> bytes:
        piece = b""
        if decoder.needs_input:
            if not self._packed and not self._read():
                raise BadFrame("the file ends inside a frame")
            piece, self._packed = self._packed, b""
        try:
            return decoder.decompress(piece, _STEP)
        except ZstdError as error:
            raise BadFrame(f"a frame cannot be unpacked ({error})") from None
