"""Stored lines from a file, and into an archive that nobody signed."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from quasar.errors import Damaged, LogError, UsageError
from quasar.events.envelope import MAX_EVENT_BYTES
from quasar.log.archive_writer import ArchiveWriter
from quasar.log.files import sync_file
from quasar.log.manifest import ArchiveIdentity
from quasar.log.whole import UNSIGNED

_FLUSH = 10_000
_SLOT = re.compile(r"[0-9A-Za-z_:@+-]+(\.[0-9A-Za-z_:@+-]+)*")


class _Opened(msgspec.Struct, tag_field="type", tag="LogOpened"):
    """As much of the first event as an archive's name needs."""

    log_id: str
    volume: int
    netuid: int
    hotkey: str
    genesis: str


class _Place(msgspec.Struct):
    key: str


class _First(msgspec.Struct):
    event: _Opened


def read_lines(path: Path) -> Iterator[bytes]:
    """Stored lines of a file, without newlines.

    Raises UsageError where it cannot be read, Damaged with the first line that no log could hold:
    too long, no event, or a second one in a slot.
    """
    slots: set[str] = set()
    try:
        with path.open("rb") as file:
            for seq, line in enumerate(iter(lambda: file.readline(MAX_EVENT_BYTES + 2), b""), 1):
                _check(seq, line, slots)
                yield line[:-1]
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from None


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Stored lines into a new file, durably; how many. Raises LogError."""
    count = 0
    try:
        with path.open("xb") as file:
            for line in lines:
                file.write(line + b"\n")
                count += 1
            sync_file(file)
    except FileExistsError:
        raise UsageError(f"{path} exists: nothing is written over, name another file") from None
    except OSError as problem:
        raise LogError(f"{path} cannot be written: {problem.strerror}") from None
    return count


def identity_in(path: Path) -> ArchiveIdentity:
    """Whose log the lines are, by their own word. Raises UsageError where they do not say."""
    first = next(read_lines(path), b"")
    try:
        opened = msgspec.json.decode(first, type=_First).event
        return msgspec.convert(msgspec.structs.asdict(opened), ArchiveIdentity)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise UsageError(
            f"{path} does not begin with LogOpened ({problem}): give stored lines, as "
            "`quasar log export ARCHIVE LINES.jsonl` writes them"
        ) from None


def write_unsigned(path: Path, folder: Path) -> int:
    """An archive of the file's lines; how many. It has no checkpoint and says so.

    What a failure leaves has no manifest over the lines that were read; the caller removes it.
    """
    with ArchiveWriter.open(folder, identity_in(path)) as writer:
        writer.withhold(*msgspec.structs.astuple(UNSIGNED))
        batch: list[bytes] = []
        for line in read_lines(path):
            batch.append(line)
            if len(batch) == _FLUSH:
                writer.append(batch)
                writer.flush()
                batch = []
        writer.append(batch)
        return writer.flush()


def _check(seq: int, line: bytes, slots: set[str]) -> None:
    if not line.endswith(b"\n") or len(line) < 2:
        raise Damaged(seq, f"no whole line of at most {MAX_EVENT_BYTES} bytes")
    try:
        slot = msgspec.json.decode(line, type=_Place).key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise Damaged(seq, f"not an event: {problem}") from None
    if not _SLOT.fullmatch(slot):
        raise Damaged(seq, "not an event: its key is no slot")
    if slot in slots:
        raise Damaged(seq, f"a second event in the slot {slot}")
    slots.add(slot)
