"""The time of one case: what it had of the processor, and what it waited for a processor."""

import os
import time

TICK_S = 0.05
"""From one look at a case to the next."""


class Clock:
    """Starts when it is made. Says when the time of a process is over, and why."""

    def __init__(self, pid: int, timeout_s: float, wall_s: float) -> None:
        """``wall_s``: when a case ends that waited so much that nobody can judge it."""
        self._pid = pid
        self._timeout_s = timeout_s
        self._wall_s = wall_s
        self._waiting = Waiting(pid)
        self._before = processor_s(pid)
        self._start = time.monotonic()

    def wall(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def cpu(self) -> float:
        """Seconds of processor since the start, of all threads together."""
        return processor_s(self._pid) - self._before

    def spent(self) -> bool:
        """Whether the case had all the processor time that it may have."""
        return self.cpu() >= self._timeout_s

    def verdict(self) -> "str | None":
        """``timeout`` where the time is over, ``overdue`` where nobody can tell, None before.

        The limit is one of processor time. Who sleeps uses none: so the same limit holds for the
        time on the wall, less what the case stood in line for a processor that others had.
        """
        wall = self.wall()
        if self.spent() or wall - self._waiting.at_most(wall) >= self._timeout_s:
            return "timeout"
        return "overdue" if wall >= self._wall_s else None


class Waiting:
    """How long the threads of a process stood in line for a processor, and this one, their runner.

    The kernel's account of a thread goes when the thread ends. What is missing then is at most
    the time since the last look. Numbers of threads are given out one after the other, and nobody
    but this process takes any: so the newest number tells how many threads there ever were.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: dict[str, float] = {}
        try:
            self._before = waited_s("/proc/self")
        except (OSError, IndexError):
            self._before = 0.0
        self._looked = 0.0
        self._gap = 0.0

    def at_most(self, now: float) -> float:
        """Seconds since the start, all threads added up; infinite where nobody can tell.

        ``now``: seconds since the start. To be asked each TICK_S, else it is a rough bound.
        """
        self._gap = max(self._gap, now - self._looked)
        self._looked = now
        try:
            ended = self._look()
            runner = waited_s("/proc/self") - self._before
        except (OSError, ValueError, IndexError):  # this kernel keeps no account
            return float("inf")
        return runner + sum(self._seen.values()) + ended * self._gap

    def _look(self) -> float:
        """Note what each thread has waited; how many have ended.

        Infinitely many where a thread stands in line right now, since the account tells of a wait
        at its end; or where one waits for a disk, for which the code is not to blame either.
        """
        folder = f"/proc/{self._pid}/task"
        threads = os.listdir(folder)  # noqa: PTH208  # see read
        in_line = False
        for thread in threads:
            state = read(f"{folder}/{thread}/stat").rpartition(b") ")[2][:1]
            in_line |= state in {b"R", b"D"}
            self._seen[thread] = waited_s(f"{folder}/{thread}")
        newest = int(read("/proc/loadavg").split()[-1])
        if in_line or newest < self._pid:  # the numbers began anew
            return float("inf")
        return newest - self._pid + 1 - len(threads)


def processor_s(pid: int) -> float:
    """Seconds of processor that a process had, with its ended threads, until it is reaped."""
    return time.clock_gettime(~pid << 3 | 2)  # the kernel's name for the CPU clock of a process


def waited_s(thread: str) -> float:
    """Seconds that a thread stood in line, by the kernel's account of it."""
    return int(read(f"{thread}/schedstat").split()[1]) / 1e9


def read(path: str) -> bytes:
    """A small file of the kernel's. The runner has no use for pathlib, which is slow to import."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)
