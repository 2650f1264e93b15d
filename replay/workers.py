"""Other processes that take part of the work, while this one goes on.

What can wait is kept for a process that has little to do; where too much waits, the oldest is done
here and now. So all are busy all the time, and what is under way is bounded.
"""

import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, Any

import msgspec

from quasar.benchmarks import FAMILIES, packs
from quasar.errors import LogError
from quasar.replay.work import Packs, Work, decode, encode, perform, source_of

Then = Callable[[Sequence[Any]], None]

MAX_PROCESSES = 4
"""More would gain little: one process reads the log, in order."""
_AHEAD = 12
"""Portions that a process is given beforehand, as many as a pipe holds."""
_SHARED = 3
"""As many of what is waited for, so that all come to its end at about the same time."""
_WAITING = 128
"""Portions that may wait for a process: 10 MB."""
_PIPE_BYTES = 2**20
_PROGRAM = """
import json, sys
paths, modules = json.loads(sys.argv[1])
sys.path[:] = paths
for module in modules:
    __import__(module)
from quasar.replay.workers import work
work()
"""


def default_processes() -> int:
    """As many as may run at once here, up to MAX_PROCESSES."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_PROCESSES)
    return min(os.cpu_count() or 1, MAX_PROCESSES)


class Workers:
    """Does work here and in ``processes`` - 1 other processes, which start with the first of it.

    Use it as a context: its end is the end of those processes.
    """

    def __init__(self, processes: int = 1) -> None:
        self._wanted = processes - 1
        self._others: list[_Other] = []
        self._waiting: deque[tuple[Work, Then]] = deque()

    def submit(self, work: Work, then: Then, *, soon: bool = False) -> None:
        """Have it done, and call ``then`` with the results: now, later, or in ``finish``.

        ``soon``: before all that waits, from the next ``turn`` on. Raises as ``perform``, and
        LogError where a process has ended.
        """
        if soon:
            self._waiting.appendleft((work, then))
        else:
            self._waiting.append((work, then))
            self.turn()
        while len(self._waiting) > (_WAITING if self._others else 0):
            self._do(*self._waiting.pop())

    def until(self, done: Callable[[], bool]) -> None:
        """Work until it is so: something submitted must bring it about. Raises as ``submit``."""
        while not done():
            self.turn()
            if self._waiting and not done():
                self._do(*self._waiting.pop())
            elif not done():
                max(self._others, key=len).take()

    def turn(self) -> None:
        """Take what is done, and give out what waits; to be called now and then. Raises as
        ``submit``."""
        for other in self._ready(start=bool(self._waiting)):
            while self._waiting and len(other) < _AHEAD:
                other.give(*self._waiting.popleft())

    def share(self, portions: Iterable[Work]) -> list[Sequence[Any]]:
        """The results of each, in order, once all are done, before what waits. Raises as
        ``submit``."""
        results: list[Sequence[Any]] = []
        for i, work in enumerate(portions):
            results.append(())
            then = partial(results.__setitem__, i)
            free = min(self._ready(start=True), key=len, default=None)
            if free is None or len(free) >= _SHARED:
                self._do(work, then)
            else:
                free.give(work, then)
        self._take_all()
        return results

    def finish(self) -> None:
        """Wait for all that is under way. Raises as ``submit``."""
        while self._waiting:
            self.turn()
            if self._waiting:
                self._do(*self._waiting.popleft())
        self._take_all()

    def _do(self, work: Work, then: Then) -> None:
        then(perform(work))

    def _take_all(self) -> None:
        for other in self._others:
            while len(other):
                other.take()

    def close(self) -> None:
        """End the processes, whatever they do."""
        for other in self._others:
            other.end()
        self._others, self._wanted = [], 0
        self._waiting.clear()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self, *, start: bool) -> "list[_Other]":
        """The other processes, once their results that are there are taken."""
        while start and len(self._others) < self._wanted:
            self._others.append(_Other())
        for other in self._others:
            while other.ready:
                other.take()
        return self._others


class _Other:
    """A process at work."""

    def __init__(self) -> None:
        self._under_way: deque[tuple[Work, Then]] = deque()
        self._sources: set[str] = set()
        """Digests of the packs that it has."""
        # Families that are plugged in are loaded there too.
        plugged = {type(family).__module__ for family in FAMILIES.values()} - {"__main__"}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM, _json([sys.path, sorted(plugged)])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what select does not see must not be here
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        _widen(self._in)

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def ready(self) -> bool:
        """Whether a result can be taken without waiting."""
        return bool(self._under_way and select.select([self._out], [], [], 0)[0])

    def give(self, work: Work, then: Then) -> None:
        source = source_of(work)
        if source is not None and source not in self._sources:
            self._sources.add(source)
            self.give(Packs([packs.installed(source)]), lambda _: None)
        self._under_way.append((work, then))
        try:
            _send(self._in, encode(work))
        except BrokenPipeError:
            raise self._ended() from None

    def take(self) -> None:
        """Wait for the oldest result and hand it on."""
        data = _receive(self._out)
        if data is None:
            raise self._ended()
        work, then = self._under_way.popleft()
        results = msgspec.msgpack.decode(data)
        then(perform(work) if results is None else results)  # to raise here what was raised there

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._out.close()
        with suppress(BrokenPipeError):
            self._in.close()

    def _ended(self) -> LogError:
        return LogError(
            f"a process of the audit ended with {self._process.wait()}; "
            "free some memory and repeat the command"
        )


def work() -> None:
    """What such a process does until its standard input ends."""
    while (data := _receive(sys.stdin.buffer)) is not None:
        try:
            results = msgspec.msgpack.encode(perform(decode(data)))
        except Exception:  # whatever it is, the process that gave the work will meet it too
            results = msgspec.msgpack.encode(None)
        _send(sys.stdout.buffer, results)


def _widen(pipe: IO[bytes]) -> None:
    """Let it hold more, where that is known and allowed: else a portion is given more slowly."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _send(pipe: IO[bytes], data: bytes) -> None:
    left = memoryview(len(data).to_bytes(4) + data)
    while left:
        left = left[pipe.write(left) :]
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    """None where the other end was closed."""
    size = _read(pipe, 4)
    return None if size is None else _read(pipe, int.from_bytes(size))


def _read(pipe: IO[bytes], count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        piece = pipe.read(count - len(data))
        if not piece:
            return None
        data += piece
    return data


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
