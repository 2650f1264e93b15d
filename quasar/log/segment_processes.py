"""Segments checked here and by other processes, their results in order.

Whoever is free claims the next segment, this process too, which is at work while the others start.
Claims are records of a file whose offset the processes share, so nobody waits to be given work;
what waits to be read is bounded by a pipe, and by MAX_AHEAD here.
"""

import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from struct import Struct
from typing import IO

import msgspec

from quasar.errors import LogError
from quasar.log.segment_check import Job, Part, check_segment

MAX_PROCESSES = 4
"""More would gain little beside the disk, and each holds about 50 MB."""
MAX_AHEAD = 64
"""Results that this process holds behind one that is still to come."""

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from quasar.log.segment_processes import work
work()
"""
_CLAIM = Struct("<QQQ")
"""A job's number, where it stands in the file, and its length."""
_RESULT = Struct("<QQ")
"""A job's number, and the length of what follows."""
_encode = msgspec.json.Encoder().encode
_job = msgspec.json.Decoder(Job).decode
_part = msgspec.json.Decoder(Part).decode

_Process = subprocess.Popen[bytes]


def check_segments(jobs: Sequence[Job], processes: int | None = None) -> Iterator[Part]:
    """A result for each segment, in order, by at most ``processes``, of which this is one.

    Raises LogError where a process ends before its work does.
    """
    n = min(processes or default_processes(), len(jobs))
    if n > 1:
        return _shared(jobs, n - 1)
    return map(check_segment, jobs)


def default_processes() -> int:
    """As many as may run at once here, up to MAX_PROCESSES."""
    if not hasattr(os, "pread"):
        return 1  # Windows, where a file's offset cannot be shared like this
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_PROCESSES)
    return min(os.cpu_count() or 1, MAX_PROCESSES)


def work() -> None:
    """What a process does: check the segments that it can claim from its standard input."""
    while claim := _claim(0):
        i, at, length = claim
        part = _encode(check_segment(_job(os.pread(0, length, at))))
        sys.stdout.buffer.write(_RESULT.pack(i, len(part)) + part)
        sys.stdout.buffer.flush()


def _shared(jobs: Sequence[Job], others: int) -> Iterator[Part]:
    with ExitStack() as stack:
        claims = stack.enter_context(_claims(jobs))
        results = stack.enter_context(_Results())
        for _ in range(others):
            results.add(stack.enter_context(_running(claims)))
        done: dict[int, Part] = {}
        for wanted in range(len(jobs)):
            while wanted not in done:
                claim = _claim(claims) if len(done) < MAX_AHEAD else None
                if claim:
                    done[claim[0]] = check_segment(jobs[claim[0]])
                done.update(results.come(wait=not claim))
            yield done.pop(wanted)


@contextmanager
def _claims(jobs: Sequence[Job]) -> Iterator[int]:
    """A file of jobs and, behind them, claims; its offset is where the first of these stands."""
    with tempfile.TemporaryFile() as file:
        claims = []
        for i, job in enumerate(jobs):
            text = _encode(job)
            claims.append(_CLAIM.pack(i, file.tell(), len(text)))
            file.write(text)
        start = file.tell()
        file.write(b"".join(claims))
        file.flush()
        os.lseek(file.fileno(), start, os.SEEK_SET)
        yield file.fileno()


def _claim(file: int) -> tuple[int, ...] | None:
    """The next claim, which no other process gets; None where there is none left."""
    record = os.read(file, _CLAIM.size)
    return _CLAIM.unpack(record) if record else None


@contextmanager
def _running(claims: int) -> Iterator[_Process]:
    """A process at work; it is gone when the context ends."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", _PROGRAM, msgspec.json.encode(sys.path).decode()],
        stdin=claims,
        stdout=subprocess.PIPE,
        bufsize=0,  # what was read ahead would not wake a selector
        start_new_session=True,  # Ctrl-C is for this process, which then ends that one
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class _Results:
    """What the other processes found, as it comes."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "_Results":
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def add(self, process: _Process) -> None:
        """Listen to a process too."""
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, process)

    def come(self, *, wait: bool) -> Iterator[tuple[int, Part]]:
        """What is there by now, at least one where ``wait``. Raises LogError for a lost process."""
        if wait and not self._selector.get_map():
            raise LogError("the processes that check segments are gone; repeat the command")
        for key, _ in self._selector.select(None if wait else 0):
            process: _Process = key.data
            assert process.stdout is not None
            head = _read(process.stdout, _RESULT.size)
            if head:
                i, length = _RESULT.unpack(head)
                if part := _read(process.stdout, length):
                    yield i, _part(part)
                    continue
            if status := process.wait():
                raise LogError(
                    f"a process that checks segments ended with {status}; "
                    "free some memory and repeat the command"
                )
            self._selector.unregister(process.stdout)


def _read(pipe: IO[bytes], length: int) -> bytes:
    """So many bytes; none where the pipe ends before."""
    data = bytearray()
    while len(data) < length:
        piece = pipe.read(length - len(data))
        if not piece:
            return b""
        data += piece
    return bytes(data)
