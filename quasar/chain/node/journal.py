"""The file that lets a local chain go on after a restart: options, start, blocks with extrinsics.

A block that holds extrinsics is on disk before anybody sees it; the others follow from time.
"""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from quasar.chain.node.options import Options
from quasar.errors import TryAgain, UsageError
from quasar.events.base import Count, Part


class Began(Part, frozen=True, tag="began"):
    """Time started."""

    start_ms: Count
    """Unix time of block 0."""


class Produced(Part, frozen=True, tag="produced"):
    """A block with extrinsics."""

    number: Count
    extrinsics: list[bytes]


Entry = Began | Produced


class Journal:
    """An append-only file of JSON lines, synced after each."""

    def __init__(self, file: BinaryIO, entries: list[Entry]) -> None:
        self._file = file
        self.entries = entries
        """What it held when it was opened."""

    @classmethod
    def open(cls, path: Path, options: Options) -> Self:
        """Continue a chain's journal, or begin one.

        Raises UsageError where the file belongs to another chain or is none, TryAgain where a
        running chain has it. A line that a crash cut short is removed.
        """
        try:
            file = path.open("a+b")
        except FileNotFoundError:
            raise UsageError(
                f"{path.parent} is no folder: make it, or name another journal"
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls._continue(path, file, options)
        except BlockingIOError:
            file.close()
            raise TryAgain(f"another local chain runs on {path}: stop it, or use its URL") from None
        except BaseException:
            file.close()
            raise

    @classmethod
    def _continue(cls, path: Path, file: BinaryIO, options: Options) -> Self:
        file.seek(0)
        lines = file.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        if lines and not whole:
            raise UsageError(f"{path} is not a local chain's journal: move it away")
        entries = _decode(path, whole, options)
        if len(whole) < len(lines):
            file.truncate(sum(map(len, whole)))
        journal = cls(file, entries)
        if not whole:
            journal._append(options)
        return journal

    def write(self, entry: Entry) -> None:
        """Append durably."""
        self._append(entry)

    def close(self) -> None:
        """Let another have it."""
        self._file.close()

    def _append(self, value: Part) -> None:
        self._file.write(msgspec.json.encode(value) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _decode(path: Path, lines: list[bytes], options: Options) -> list[Entry]:
    if not lines:
        return []
    try:
        known = msgspec.json.decode(lines[0], type=Options)
        entries = [msgspec.json.decode(line, type=Entry) for line in lines[1:]]
    except (msgspec.MsgspecError, UsageError) as error:
        raise UsageError(f"{path} is not a local chain's journal ({error}): move it away") from None
    if known != options:
        raise UsageError(f"{path} belongs to a chain with other options: give those, or move it")
    return entries
