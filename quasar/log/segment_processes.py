"""Segments checked here and by other processes, their results in order.

Of n processes each takes every n-th segment, this one too, which is at work while the others start.
Those read a file of their own and write a line a segment, so nobody waits to be given work, and
what waits to be read is bounded by a pipe.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from quasar.errors import LogError
from quasar.log.segment_check import Job, Part, check_segment

MAX_PROCESSES = 4
"""More would gain little beside the disk, and each holds about 50 MB."""

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from quasar.log.segment_processes import work
work()
"""
_encode = msgspec.json.Encoder().encode
_job = msgspec.json.Decoder(Job).decode
_part = msgspec.json.Decoder(Part).decode


def check_segments(jobs: Sequence[Job], processes: int | None = None) -> Iterator[Part]:
    """A result for each segment, in order, by at most ``processes``, of which this is one.

    Raises LogError where a process ends before its work does.
    """
    n = min(processes or default_processes(), len(jobs))
    with ExitStack() as stack:
        others = [stack.enter_context(_running(jobs[i::n])) for i in range(1, n)]
        for i, job in enumerate(jobs):
            yield _receive(others[i % n - 1]) if i % n else check_segment(job)


def default_processes() -> int:
    """As many as may run at once here, up to MAX_PROCESSES."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_PROCESSES)
    return min(os.cpu_count() or 1, MAX_PROCESSES)


def work() -> None:
    """What a process does: check the segments named on its standard input."""
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(_encode(check_segment(_job(line))) + b"\n")
        sys.stdout.buffer.flush()


@contextmanager
def _running(jobs: Sequence[Job]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process at work; it is gone when the context ends."""
    with tempfile.TemporaryFile() as file:
        file.writelines(_encode(job) + b"\n" for job in jobs)
        file.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM, msgspec.json.encode(sys.path).decode()],
            stdin=file,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _receive(process: "subprocess.Popen[bytes]") -> Part:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        raise LogError(
            f"a process that checks segments ended with {process.wait()}; "
            "free some memory and repeat the command"
        )
    return _part(line)
