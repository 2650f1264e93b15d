"""PID 1 of the cell: forks a process for each case, watches it, and ends all of it.

Frames on stdin and stdout: four bytes of length (big endian), then a body. The host sends one
request a case; the runner first sends ``hello``, then ``started`` and ``result`` for each case,
or ``fault``. A body of the runner is a line of JSON, NUL, the child's result, the child's prints:
those two are a stranger's bytes, passed on unread.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import struct
import sys
from typing import Any, NoReturn

from quasar.sandbox.inside.child import DUMPABLE, LIBC, READY, Limits, receive, run
from quasar.sandbox.inside.clock import TICK_S, Clock

INITIAL_NAMESPACE = "pid:[4026531836]"
"""The pid namespace of the machine itself has this number on every Linux."""
SETUP_S = 10.0
"""A fork and a dozen system calls: more than this long is the machine's failure."""
PRELOADED = (
    *("bisect", "collections", "copy", "dataclasses", "datetime", "functools", "heapq"),
    *("itertools", "math", "operator", "random", "re", "string", "typing"),
)
"""What honest code imports: loaded once, each case's process has it. ``random`` seeds itself anew
in every process."""
STATUS_BYTES = 8192
"""Room for status and error beside the output."""


def unfit() -> "str | None":
    """Why this process is not what the runner must be: PID 1 of a cell."""
    if os.getpid() != 1:
        return "not PID 1"
    if os.geteuid() == 0:
        return "it is root"
    try:
        if os.readlink("/proc/self/ns/pid") == INITIAL_NAMESPACE:  # noqa: PTH115
            return "in the machine's own pid namespace"
        if os.readlink("/proc/self") != "1":  # noqa: PTH115
            return "/proc belongs to another pid namespace"
    except OSError:
        return "no /proc"
    return None


def refuse(why: str) -> NoReturn:
    """Leave at once, harming nothing."""
    os.write(2, f"quasar runner: refused: {why}; it runs only as a cell's PID 1\n".encode())
    os._exit(97)


def end_everything() -> "dict[int, int]":
    """Kill every other process of the container; wait status by pid.

    kill(-1) reaches every process that this one can see: as PID 1 of an own namespace those of
    the container, anywhere else those of the machine. Hence the test right before it.
    """
    if os.getpid() != 1:
        refuse("not PID 1")
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    statuses: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return statuses
        statuses[pid] = status


class Case:
    """One forked process and the three pipes to it."""

    def __init__(self, bpf: bytes, limits: Limits) -> None:
        request, self.request = os.pipe()
        self.result, result = os.pipe()
        self.log, log = os.pipe()
        self.limits = limits
        self.results = bytearray(4 + STATUS_BYTES + limits["output_bytes"])
        self.received = 0
        self.logs = bytearray(limits["log_bytes"])
        self.logged = 0
        self.pid = os.fork()
        if self.pid == 0:
            try:
                run(request, log, result, bpf, limits)
            finally:  # whatever the code did: there is never a second runner
                os._exit(1)
        for descriptor in (request, result, log):
            os.close(descriptor)

    def died(self) -> bool:
        """Whether it ended before it had any code: short of memory, a machine ends it first."""
        return os.waitpid(self.pid, os.WNOHANG) != (0, 0)

    def fault(self) -> "str | None":
        """Wait until the child gave up its powers; why it did not, where it did not."""
        ready, _, _ = select.select([self.result], [], [], SETUP_S)
        word = os.read(self.result, 1) if ready else b""
        if word == READY:
            return None
        said = os.read(self.result, 500) if word else b""
        return said.decode("utf-8", "replace") or "the case's process did not come up"

    def watch(self, request: bytearray, clock: Clock) -> "str | None":
        """Hand over the request and take what comes, until the result is whole or a limit hit."""
        poll = select.poll()
        for descriptor in (self.request, self.result, self.log):
            os.set_blocking(descriptor, False)
        poll.register(self.request, select.POLLOUT)
        poll.register(self.result, select.POLLIN)
        poll.register(self.log, select.POLLIN)
        rest: tuple[memoryview, ...]
        rest = memoryview(struct.pack(">I", len(request))), memoryview(request)
        look = TICK_S
        while True:
            if clock.wall() >= look:
                verdict = clock.verdict()
                if verdict is not None:
                    return verdict
                look = clock.wall() + TICK_S
            for descriptor, _ in poll.poll(TICK_S * 1000):
                if descriptor == self.request:
                    rest = self.write(rest)
                    if not rest:
                        poll.unregister(self.request)
                elif descriptor == self.log:
                    if self.read_log() == 0:
                        poll.unregister(self.log)
                    if self.logged > self.limits["flood_bytes"]:
                        return "output_limit"
                elif self.read_result() == 0:
                    return self.ended(clock)
            size = self.size()
            if size is not None and size > len(self.results):
                return "output_limit"
            if size is not None and self.received >= size:
                return self.ended(clock)

    def ended(self, clock: Clock) -> "str | None":
        """A result that took too much of the processor is late, whenever that was noticed."""
        return "timeout" if clock.spent() else None

    def write(self, rest: "tuple[memoryview, ...]") -> "tuple[memoryview, ...]":
        """What is left of the parts after one write; nothing where nobody reads any more."""
        try:
            return without(rest, os.writev(self.request, rest))
        except BlockingIOError:
            return rest
        except OSError:
            return ()

    def read_result(self) -> int:
        """Bytes that came; 0 at the end or where the buffer is full."""
        try:
            count = os.readv(self.result, [memoryview(self.results)[self.received :]])
        except BlockingIOError:
            return -1
        self.received += count
        return count

    def read_log(self) -> int:
        """Bytes that came; those beyond the limit are counted and dropped."""
        scratch = bytearray(1 << 16)
        try:
            count = os.readv(self.log, [scratch])
        except BlockingIOError:
            return -1
        if self.logged < len(self.logs):
            end = min(len(self.logs), self.logged + count)
            self.logs[self.logged : end] = scratch[: end - self.logged]
        self.logged += count
        forget(scratch, count)
        return count

    def size(self) -> "int | None":
        """How long the child says that its result is, with the four bytes of length."""
        return 4 + struct.unpack_from(">I", self.results)[0] if self.received >= 4 else None

    def close(self) -> None:
        """Close the pipes and forget what came: the next case's process is a copy of this one."""
        for descriptor in (self.request, self.result, self.log):
            os.close(descriptor)
        forget(self.results, self.received)
        forget(self.logs, min(self.logged, len(self.logs)))


def run_case(channel: int, memory: "int | None", case: Case, request: bytearray) -> None:
    """One case from its request to the frame of its result. ``memory``: see oom_file."""
    kills = oom_kills(memory)
    fault = case.fault()
    if fault is not None:
        end_everything()
        case.close()
        send(channel, {"kind": "fault", "reason": fault})
        return
    send(channel, {"kind": "started"})
    clock = Clock(case.pid, case.limits["timeout_s"], case.limits["wall_s"])
    verdict = case.watch(request, clock)
    wall, cpu = clock.wall(), clock.cpu()
    forget(request, len(request))
    status = end_everything().get(case.pid, 0)
    case.read_log()
    size = case.size()
    whole = verdict is None and size is not None and case.received >= size
    result = memoryview(case.results)[4 : size if whole else 4]
    prints = memoryview(case.logs)[: case.logged]
    header = {
        "kind": "result",
        "verdict": verdict,
        "whole": whole,
        "exit": os.waitstatus_to_exitcode(status),
        "oom": oom_kills(memory) > kills,
        "ms": round(wall * 1000),
        "cpu_ms": round(cpu * 1000),
        "result_bytes": len(result),
    }
    send(channel, header, result, prints)
    case.close()


def forget(buffer: bytearray, size: int) -> None:
    """Overwrite the first bytes, which the allocator would leave to the next case as they are."""
    buffer[:size] = bytes(size)


def oom_file() -> "int | None":
    """Where the kernel counts the processes of this cell that it ended for want of memory."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        with contextlib.suppress(OSError):
            return os.open(path, os.O_RDONLY)
    return None


def oom_kills(file: "int | None") -> int:
    """How many there were."""
    if file is None:
        return 0
    lines = os.pread(file, 4096, 0).decode("ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def send(channel: int, header: "dict[str, Any]", *parts: memoryview) -> None:
    """One frame to the host."""
    head = json.dumps(header).encode("ascii") + b"\0"
    size = len(head) + sum(len(part) for part in parts)
    rest: tuple[memoryview, ...] = (memoryview(struct.pack(">I", size) + head), *parts)
    while rest:
        rest = without(rest, os.writev(channel, rest))


def without(parts: "tuple[memoryview, ...]", count: int) -> "tuple[memoryview, ...]":
    """What is left of the parts after so many bytes."""
    left = []
    for part in parts:
        left.append(part[count:])
        count = max(0, count - len(part))
    return tuple(part for part in left if part)


def main(filters: "dict[str, bytes]", limits: Limits) -> NoReturn:
    """Serve requests until stdin ends. ``filters``: BPF programs by machine."""
    if why := unfit():
        refuse(why)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's handler would let it through
    machine = os.uname().machine
    if machine not in filters:
        refuse(f"no filter of system calls for {machine}")
    hide_from_children()
    source, channel = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    for name in PRELOADED:
        importlib.import_module(name)
    memory = oom_file()
    gc.freeze()  # a fork copies no page just to count references
    version = ".".join(map(str, sys.version_info[:3]))
    send(channel, {"kind": "hello", "python": version, "machine": machine})
    while True:
        case = Case(filters[machine], limits)  # its walls are up before its request comes
        try:
            request = receive(source)
        except EOFError:
            os._exit(0)
        if case.died():
            case.close()
            case = Case(filters[machine], limits)
        run_case(channel, memory, case, request)


def hide_from_children() -> None:
    """Children have this process's uid: without this they could trace it and open its pipes."""
    if LIBC.prctl(DUMPABLE, 0, 0, 0, 0):
        refuse("cannot hide from its children")
