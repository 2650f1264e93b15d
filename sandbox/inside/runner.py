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
import signal
import struct
import sys
from typing import Any, NoReturn

from quasar.sandbox.inside.case import Case, forget, without
from quasar.sandbox.inside.child import DUMPABLE, LIBC, Limits, receive
from quasar.sandbox.inside.clock import Clock

INITIAL_NAMESPACE = "pid:[4026531836]"
"""The pid namespace of the machine itself has this number on every Linux."""
PRELOADED = (
    *("bisect", "collections", "copy", "datetime", "functools", "heapq"),
    *("itertools", "math", "operator", "random", "re", "string", "typing"),
)
"""What honest code imports: loaded once, each case's process has it. ``random`` seeds itself anew
in every process."""


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
