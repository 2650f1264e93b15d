"""Single events of an archive: where frames begin, so that little is unpacked to read one."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import BinaryIO, NamedTuple

from msgspec import Struct

from quasar.errors import Damaged
from quasar.events.envelope import MAX_EVENT_BYTES
from quasar.log.archive_reader import ArchiveLog
from quasar.log.frames import BadFrame, unpack
from quasar.log.manifest import Segment
from quasar.log.tiles import TILE_HASHES as TILE_HASHES
from quasar.log.tiles import read_tile as read_tile
from quasar.log.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

_HELD = 32
"""Pieces of about _STEP bytes that are kept: what is asked for comes in neighbourhoods."""
_PIECE = 16_384
_STEP = 131_072
_WINDOW_LOG = 23


class Mark(Struct, frozen=True, array_like=True):
    """A frame that begins with a whole line."""

    seq: int
    """Of that line."""
    segment: int
    """First event of its segment."""
    offset: int
    """Of the frame, in the segment's file."""


START = Mark(1, 1, 0)


class Piece(NamedTuple):
    """Lines that stand together."""

    mark: Mark | None
    """None where they begin inside a frame, or inside a line."""
    seq: int
    """Of the first line."""
    lines: list[bytes]
    """Without their newlines."""
    size: int
    """Bytes of text in the frame."""


def pieces(log: ArchiveLog, last: int, start: Mark = START) -> Iterator[Piece]:
    """Lines from a mark on, up to event ``last``, a frame at a time.

    Quicker than ``ArchiveLog.lines``; nothing is compared with anything. Raises Damaged where
    frames cannot be unpacked, or end before ``last``.
    """
    for segment in log.segments():
        if segment.first <= last and segment.last >= start.seq:
            here = start if start.segment == segment.first else Mark(segment.first, 0, 0)
            yield from _of_segment(log, segment, min(last, segment.last), here)


def _of_segment(log: ArchiveLog, segment: Segment, last: int, start: Mark) -> Iterator[Piece]:
    seq, rest, begins = start.seq, b"", start.offset
    try:
        with log.open_segment(segment) as file:
            file.seek(start.offset)
            for chunk in unpack(file):
                if b"\n\n" in chunk.data:  # cheap, where millions of empty lines would not be
                    raise Damaged(seq, "a line in its frame is empty")
                whole = begins >= 0 and not rest
                mark = Mark(seq, segment.first, begins) if whole else None
                *lines, rest = (rest + chunk.data).split(b"\n", last + 1 - seq)
                yield Piece(mark, seq, lines, len(chunk.data))
                seq += len(lines)
                begins = -1 if chunk.end is None else start.offset + chunk.end
                if seq > last:
                    return
                if len(rest) > MAX_EVENT_BYTES:
                    raise Damaged(seq, f"the line is longer than {MAX_EVENT_BYTES} bytes")
    except BadFrame as error:
        raise Damaged(seq, f"segments/{segment.name}: {error}") from None
    raise Damaged(seq, f"segments/{segment.name} ends before it")


class PlacedLines:
    """Reads single lines, quickest in their order. Nothing is compared with anything."""

    def __init__(self, log: ArchiveLog, marks: Sequence[Mark]) -> None:
        """``marks``: ascending; the more of them, the less is unpacked for a line."""
        self._log = log
        self._marks = marks
        self._held: deque[tuple[int, list[bytes]]] = deque(maxlen=_HELD)
        self._runs: Iterator[_Run] = iter(())
        self._next = 0
        """The first line that ``_runs`` has not given yet; 0 where it gives no more."""

    def line(self, seq: int) -> bytes:
        """The stored line of an event, without its newline. Raises Damaged as ``pieces``."""
        for first, lines in self._held:
            if first <= seq < first + len(lines):
                return lines[seq - first]
        self._move(seq)
        for run in self._runs:
            self._next = run.seq + run.lines
            if seq < self._next:
                lines = run.text.split(b"\n")
                self._held.appendleft((run.seq, lines))
                return lines[seq - run.seq]
        raise Damaged(seq, "it is in no segment of the manifest")

    def _move(self, seq: int) -> None:
        """To the nearest mark before a line, unless reading on is nearer."""
        at = bisect_right(self._marks, seq, key=attrgetter("seq"))
        mark = self._marks[at - 1] if at else START
        if not mark.seq <= self._next <= seq:
            self._runs, self._next = _runs(self._log, mark), 0


class _Run(NamedTuple):
    """Whole lines, not taken apart."""

    seq: int
    """Of the first."""
    lines: int
    text: bytes
    """Without the last newline."""


def _runs(log: ArchiveLog, start: Mark) -> Iterator[_Run]:
    """Lines from a mark on, a little at a time; whether their frame ends well is not awaited."""
    seq, offset = start.seq, start.offset
    for segment in log.segments():
        if segment.first < start.segment:
            continue
        rest = b""
        with log.open_segment(segment) as file:
            file.seek(offset)
            for text in _texts(file, seq):
                whole, newline, rest = (rest + text).rpartition(b"\n")
                if newline:
                    run = _Run(seq, whole.count(b"\n") + 1, whole)
                    seq += run.lines
                    yield run
                if len(rest) > MAX_EVENT_BYTES:
                    raise Damaged(seq, f"the line is longer than {MAX_EVENT_BYTES} bytes")
        seq, offset = segment.last + 1, 0


def _texts(file: BinaryIO, seq: int) -> Iterator[bytes]:
    packed = file.read(_PIECE)
    while packed:
        decoder = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG})
        while not decoder.eof:
            if decoder.needs_input and not packed and not (packed := file.read(_PIECE)):
                raise Damaged(seq, "its segment ends inside a frame")
            try:
                text, packed = decoder.decompress(packed, _STEP), b""
            except ZstdError as error:
                raise Damaged(seq, f"its frame cannot be unpacked ({error})") from None
            if text:
                yield text
        packed = decoder.unused_data or file.read(_PIECE)
