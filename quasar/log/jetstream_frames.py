"""What a NATS server sends to a reader, cut into events and other words.

The loop over events runs once an event, so it looks at nothing that is not needed: the numbers of
the first and the last of a run, which a consumer delivers in order, show whether any is missing.
"""

from typing import NamedTuple

_HMSG = ord("H")
_MESSAGES = (b"MSG ", b"HMSG ")

Run = tuple[int, list[bytes]]
"""Number of an event, and the payloads of that one and of those after it, none missing."""


class Parsed(NamedTuple):
    """What a chunk held."""

    runs: list[Run]
    words: list[bytes]
    """The rest, in order: headers of the server's own messages, and lines such as ``PING``."""
    used: int
    """Bytes of the chunk that are dealt with; what follows is an incomplete frame."""


def mark_of(stream: str, consumer: str) -> bytes:
    """What stands in the reply subject of every event that this consumer delivers.

    That is ``$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<number>.<...>``.
    """
    return f".{stream}.{consumer}.".encode()


def parse(chunk: bytes, mark: bytes) -> Parsed:
    """Cut ``chunk``, which begins where a frame does; ``mark`` is from ``mark_of``.

    Raises ValueError for what is no frame.
    """
    runs: list[Run] = []
    words: list[bytes] = []
    start = 0
    while True:
        payloads, last, stop = _payloads(chunk, start)
        if payloads:
            first = _number(chunk[start : chunk.index(b"\n", start)], mark)
            if _number(last, mark) - first == len(payloads) - 1:
                runs.append((first, payloads))
                start = stop
        frame = _frame(chunk, start, mark)
        if frame is None:
            return Parsed(runs, words, start)
        line, body, start = frame
        if _is_event(line, mark):
            runs.append((_number(line, mark), [body]))
        else:
            words.append(body or line)


def _payloads(chunk: bytes, start: int) -> tuple[list[bytes], bytes, int]:
    """What events with headers hold that begin at ``start``, the last one's line, and the rest."""
    payloads: list[bytes] = []
    add, find = payloads.append, chunk.find
    last, room = b"", len(chunk) - 2
    while (stop := find(b"\n", start)) >= 0 and chunk[start] == _HMSG:
        line, headers, size = chunk[start:stop].rsplit(b" ", 2)
        body = stop + 1 + int(headers)
        end = stop + 1 + int(size)
        if end > room or body == end:  # incomplete, or the server's own
            break
        add(chunk[body:end])
        last, start = line, end + 2
    return payloads, last, start


def _frame(chunk: bytes, start: int, mark: bytes) -> tuple[bytes, bytes, int] | None:
    """Line and body of the frame at ``start``, and where the next begins; None if incomplete."""
    stop = chunk.find(b"\n", start)
    if stop < 0:
        return None
    line = chunk[start:stop].rstrip()
    if not line.startswith(_MESSAGES):
        return line, b"", stop + 1
    *_, headers, size = line.split(b" ")
    end = stop + 1 + int(size)
    if end > len(chunk) - 2:
        return None
    skip = int(headers) if line[0] == _HMSG and _is_event(line, mark) else 0
    return line, chunk[stop + 1 + skip : end], end + 2


def _is_event(line: bytes, mark: bytes) -> bool:
    return mark in line and line.startswith(_MESSAGES)  # an error may quote a subject


def _number(line: bytes, mark: bytes) -> int:
    """An event's number in the stream."""
    return int(line[line.index(mark) + len(mark) :].split(b".", 2)[1])
