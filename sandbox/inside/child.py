"""The forked process of one case: gives up its powers, then runs the code of a stranger."""

import contextlib
import ctypes
import errno
import json
import os
import resource
import struct
import sys
import types
from typing import Any, NoReturn, TypedDict

from quasar.sandbox.inside.lint import refusal

REQUEST, OUTPUT, RESULT = 0, 1, 3
"""The only descriptors that a case has (2 is 1): its request until read, its prints, its result."""
READY = b"R"
"""Written to RESULT once every power is gone. No byte of the code has been received before."""
NO_NEW_PRIVILEGES, SET_FILTER, GET_FILTER, DUMPABLE = 38, 22, 21, 4
LIBC = ctypes.CDLL(None, use_errno=True)
WALLS = {errno.EPERM, errno.EACCES, errno.EROFS}


class Limits(TypedDict):
    """Of one case. Sizes are in bytes."""

    timeout_s: float
    """Of processor time, and of wall-clock time less what it waited for a processor."""
    wall_s: float
    """Where it ends however long it waited."""
    memory_bytes: int
    threads: "int | None"
    """Of the whole cell, where it has a user namespace of its own; null where a cgroup counts."""
    output_bytes: int
    log_bytes: int
    flood_bytes: int


def run(request: int, output: int, result: int, bpf: bytes, limits: Limits) -> NoReturn:
    """The whole life of the process. The descriptors are the child's ends of three pipes."""
    try:
        take_descriptors(request, output, result)
        give_up_powers(bpf, limits)
        os.write(RESULT, READY)
    except BaseException as error:
        os.write(RESULT, f"E{type(error).__name__}: {error}".encode()[:500])
        os._exit(1)
    out_of_memory = reply("oom", "MemoryError")  # made while there is some
    try:
        job = json.loads(receive(REQUEST))
        take_null()
        answer = execute(job, limits["output_bytes"])
    except MemoryError:
        answer = out_of_memory
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    send(answer)
    os._exit(0)


def take_descriptors(request: int, output: int, result: int) -> None:
    """Keep the pipes of this case and close the rest, the runner's channel to the host first."""
    os.dup2(request, REQUEST)
    os.dup2(output, OUTPUT)
    os.dup2(output, 2)
    os.dup2(result, RESULT)
    os.closerange(RESULT + 1, 4096)


def give_up_powers(bpf: bytes, limits: Limits) -> None:
    """Limits and the filter of system calls. Raises where the kernel does not take them."""
    # Of all processes in the container the kernel shall end this one when memory is short. Only a
    # dumpable process may write this file, and no other may be looked into by its peers.
    LIBC.prctl(DUMPABLE, 1, 0, 0, 0)
    with contextlib.suppress(OSError):
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(file, b"1000")
        os.close(file)
    LIBC.prctl(DUMPABLE, 0, 0, 0, 0)
    for name, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, int(limits["timeout_s"]) + 2),  # the runner's clock is sooner
    ):
        resource.setrlimit(name, (value, value))
    if limits["threads"] is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (limits["threads"], limits["threads"]))
    install_filter(bpf)


def install_filter(bpf: bytes) -> None:
    """Seccomp in filter mode, for this process and for good."""
    code = ctypes.create_string_buffer(bpf, len(bpf))
    program = struct.pack("HxxxxxxP", len(bpf) // 8, ctypes.addressof(code))
    if LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or LIBC.prctl(SET_FILTER, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refused the filter of system calls")
    if LIBC.prctl(GET_FILTER, 0, 0, 0, 0) != 2:
        raise OSError(0, "the filter of system calls is not in force")


def take_null() -> None:
    """stdin is empty from here on."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, REQUEST)
    os.close(null)


def execute(job: dict[str, Any], limit: int) -> bytes:
    """Define the code's names, call the function once, and say what came of it."""
    try:
        if why := refusal(job["code"], **job["policy"]):
            return reply("forbidden", why)
        module = types.ModuleType("submission")
        sys.modules["submission"] = module
        code = compile(job["code"], "submission.py", "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102  # what all the walls are for
        function = vars(module).get(job["function"])
        if not callable(function):
            return reply("error", f"the code defines no function {job['function']!r}")
        output = function(*job["arguments"])
    except MemoryError:
        raise
    except BaseException as error:
        return reply(*described(error))
    return encoded(output, limit)


def encoded(output: object, limit: int) -> bytes:
    """The returned value as JSON text in ASCII, where it is JSON and not too long."""
    try:
        text = json.dumps(output, allow_nan=False, separators=(",", ":")).encode("ascii")
    except MemoryError:
        raise
    except BaseException as error:
        return reply("error", f"the returned value is not JSON: {described(error)[1]}")
    if len(text) > limit:
        return reply("output_limit", f"the returned value has more than {limit} bytes")
    return reply("ok", None, text)


def described(error: BaseException) -> tuple[str, str]:
    """Status and text of what the code raised. The text may come from the code too."""
    try:
        status = "error"
        if isinstance(error, OSError) and error.errno in WALLS:
            status = "forbidden"
        text = f"{type(error).__name__}: {error}"[:1000]
        return status, text.encode("utf-8", "backslashreplace").decode("utf-8")
    except BaseException:
        return "error", "an error without a text"


def reply(status: str, error: "str | None", output: bytes = b"") -> bytes:
    """A frame for the runner: length, a line of JSON, NUL, the output."""
    body = json.dumps([status, error]).encode("ascii") + b"\0" + output
    return struct.pack(">I", len(body)) + body


def receive(descriptor: int) -> bytearray:
    """One frame: four bytes of length, then as many bytes. Raises EOFError at the end."""
    (size,) = struct.unpack(">I", exactly(descriptor, 4))
    return exactly(descriptor, size)


def exactly(descriptor: int, size: int) -> bytearray:
    """Read into one buffer, so that no copy of the bytes stays behind in memory."""
    buffer = bytearray(size)
    rest = memoryview(buffer)
    while rest:
        count = os.readv(descriptor, [rest])
        if not count:
            raise EOFError
        rest = rest[count:]
    return buffer


def send(frame: bytes) -> None:
    """Write all of it to the runner."""
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(RESULT, rest) :]
