"""Makes an index in one pass over the lines, each compared with its hash tile, and adds to it."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from quasar.errors import Damaged
from quasar.events.merkle import HASH_BYTES, leaf_hashes, parent_hashes
from quasar.log.archive import ArchiveLog
from quasar.log.archive_places import START, TILE_HASHES, Piece, pieces, read_tile
from quasar.replay.index import HEADS, MAX_TASK, Block, Index, Row, packed

Progress = Callable[[int, int], None]
"""Called with events done and events in all."""

_ANSWERS = {head.encode(): number for number, head in enumerate(HEADS)}
_KEY = b'{"key":"'
_TYPE = b'"event":{"type":"'
_MAX_TYPES = 256
"""More than a log ever has; bounds what a hostile one makes a reader hold."""
_TILE_BYTES = TILE_HASHES * HASH_BYTES
_TILE_LEVEL = 8
_APART = 2**16
"""Bytes of text between two marks, at least."""
_TURN = 2**16
"""Slots of answers that are held before they are put in order."""


class _Block(Struct):
    number: int


class _BlockLine(Struct):
    event: _Block


class _Row(Struct):
    type: str
    block: int


class _RowLine(Struct):
    event: _Row


_block = msgspec.json.Decoder(_BlockLine).decode
_row = msgspec.json.Decoder(_RowLine).decode


def grow(index: Index, log: ArchiveLog, size: int, progress: Progress | None = None) -> None:
    """Cover the log up to event ``size``.

    Raises Damaged at the first line that differs from its hash, or where lines or hashes end.
    """
    start = index.marks[-1] if index.marks else START
    hashes, noting, marking = _Hashes(index, log), Noting(index), _Marking(index)
    for piece in pieces(log, size, start):
        marking.mark(piece)
        lines = piece.lines[max(0, index.size + 1 - piece.seq) :]
        hashes.extend(leaf_hashes(lines))
        noting.note(index.size + 1, lines)
        index.size += len(lines)
        if progress:
            progress(index.size, size)
    hashes.finish()
    noting.finish()


class _Hashes:
    """Compares leaf hashes with the tiles, and keeps the root of each full one."""

    def __init__(self, index: Index, log: ArchiveLog) -> None:
        self._index = index
        self._folder = log.folder
        self._leaves = bytearray()
        if part := index.size % TILE_HASHES:
            self._leaves += read_tile(self._folder, index.size // TILE_HASHES, part)

    def extend(self, leaves: Sequence[bytes]) -> None:
        self._leaves += b"".join(leaves)
        whole = len(self._leaves) // _TILE_BYTES * _TILE_BYTES
        nodes = bytes(self._leaves[:whole])
        del self._leaves[:whole]
        first = len(self._index.tiles) // HASH_BYTES
        for at in range(0, whole, _TILE_BYTES):
            self._compare(first + at // _TILE_BYTES, nodes[at : at + _TILE_BYTES])
        for _ in range(_TILE_LEVEL):
            nodes = parent_hashes(nodes)
        self._index.tiles += nodes

    def finish(self) -> None:
        if self._leaves:
            self._compare(len(self._index.tiles) // HASH_BYTES, bytes(self._leaves))

    def _compare(self, tile: int, leaves: bytes) -> None:
        recorded = read_tile(self._folder, tile, len(leaves) // HASH_BYTES)
        if recorded != leaves:
            bad = next(i for i, (a, b) in enumerate(zip(recorded, leaves, strict=True)) if a != b)
            seq = tile * TILE_HASHES + bad // HASH_BYTES + 1
            raise Damaged(seq, "the stored bytes do not match the log's hash tile")


class _Marking:
    """Keeps a mark now and then: frames may be as short as one line."""

    def __init__(self, index: Index) -> None:
        self._marks = index.marks
        self._text = 0
        self._segment = START.segment

    def mark(self, piece: Piece) -> None:
        """Where a piece begins, if it is far enough from the mark before."""
        mark, newest = piece.mark, self._marks[-1].seq if self._marks else START.seq
        if mark and mark.seq > newest and (self._text >= _APART or mark.segment > self._segment):
            self._marks.append(mark)
            self._text, self._segment = 0, mark.segment
        self._text += piece.size


class Noting:
    """Notes what lines say of themselves in their slots."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._told: dict[tuple[bytes, bytes], list[int]] = defaultdict(list)
        self._held = 0
        self._types = {name.encode(): seq for name, seq in index.types.items()}

    def note(self, first: int, lines: Sequence[bytes]) -> None:
        """Lines that follow one another, with the number of the first."""
        told, answers, start = self._told, _ANSWERS, len(_KEY)
        types, skip = self._types, len(_TYPE)
        for seq, line in enumerate(lines, first):
            at = line.find(_TYPE) + skip
            if (kind := line[at : line.find(b'"', at)]) not in types and len(types) < _MAX_TYPES:
                types[kind] = seq
            head, _, rest = line[start : line.find(b'"', start)].partition(b".")
            if head not in answers:
                self._rare(seq, head, rest, line)
            elif len(parts := rest.split(b".")) == 3 and parts[1].isdigit():
                task = int(parts[1][:8])
                told[parts[0], parts[2]].append(packed(min(task, MAX_TASK), seq, answers[head]))
        self._held += len(lines)
        if self._held >= _TURN:
            self.finish()

    def finish(self) -> None:
        """Put in order what is held."""
        for (number, hotkey), events in self._told.items():
            if (round_ := _number(number)) is not None:
                rounds = self._index.told.setdefault(hotkey.decode("utf-8", "replace"), {})
                rounds[round_] = rounds.get(round_, b"") + array("Q", events).tobytes()
        self._index.types = {k.decode("utf-8", "replace"): s for k, s in self._types.items()}
        self._told.clear()
        self._held = 0

    def _rare(self, seq: int, head: bytes, rest: bytes, line: bytes) -> None:
        index = self._index
        match head:
            case b"source":
                index.sources.append(seq)
            case b"policy":
                index.policies.append(seq)
            case b"run" if not rest.endswith(b".end"):
                index.runs.append(seq)
            case b"key":
                index.rotations.append(seq)
            case b"metagraph":
                index.metagraphs.append(seq)
            case b"round" | b"revealed" | b"scored":
                places = {b"round": index.opened, b"revealed": index.revealed}
                if (number := _number(rest)) is not None:
                    places.get(head, index.scored).setdefault(number, seq)
            case b"finding":
                for hotkey in rest.split(b".")[2:4]:  # it follows the round and what is found
                    index.findings.setdefault(hotkey.decode("utf-8", "replace"), []).append(seq)
            case b"block" | b"weights":
                self._in_time(seq, head, rest, line)

    def _in_time(self, seq: int, head: bytes, rest: bytes, line: bytes) -> None:
        try:
            if head == b"block":
                self._index.blocks.append(Block(seq, _block(line).event.number))
            elif rest.endswith(b".computed"):
                row = _row(line).event
                self._index.rows.append(Row(seq, row.block, row.type == "WeightsComputed"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Damaged(seq, "not an event, or not in its slot; run `quasar audit`") from None


def _number(text: bytes) -> int | None:
    """The number of a round; others are in no event that can be read."""
    return int(text) if text.isdigit() and len(text) <= 16 else None
