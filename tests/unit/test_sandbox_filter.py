"""The filter of system calls, run on an interpreter of BPF for both machines."""

import errno
import os
import platform
import re
import struct
from pathlib import Path

import pytest

from quasar.sandbox.syscalls import (
    AUDIT_ARCH,
    CLONE3,
    DENIED,
    FIRST_UNKNOWN,
    RULES,
    bpf,
    denied,
)

ALLOWED = "allowed"
KILLED = "killed"
MACHINES = sorted(AUDIT_ARCH)
OPENAT = {"x86_64": 257, "aarch64": 56}
CLONE = {"x86_64": 56, "aarch64": 220}
PRLIMIT = {"x86_64": 302, "aarch64": 261}
PRCTL = {"x86_64": 157, "aarch64": 167}
FCNTL = {"x86_64": 72, "aarch64": 25}
HARMLESS = {"x86_64": [0, 1, 3, 9, 202, 228, 231], "aarch64": [63, 64, 57, 222, 98, 113, 94]}
"""read, write, close, mmap, futex, clock_gettime, exit_group."""


def judged(machine: str, number: int, *arguments: int, arch: int | None = None) -> str:
    """What the kernel would do: ``allowed``, ``killed`` or the name of an error."""
    program = bpf(machine)
    words = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, arch or AUDIT_ARCH[machine], 0, *words)
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == 0x06:
            known = {0x7FFF0000: ALLOWED, 0x80000000: KILLED}
            return known.get(value) or errno.errorcode[value & 0xFFFF]
        else:
            holds = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_fails(machine: str) -> None:
    """Each entry of the table has its effect, and no jump skips it."""
    for name, number in denied(machine).items():
        assert judged(machine, number) == "EPERM", name


@pytest.mark.parametrize("machine", MACHINES)
def test_every_other_call_is_allowed(machine: str) -> None:
    """What is neither listed nor looked at nor new passes: the search loses no number."""
    looked_at = {rule.x86_64 if machine == "x86_64" else rule.aarch64 for rule in RULES}
    left_over = set(range(FIRST_UNKNOWN)) - set(denied(machine).values()) - looked_at - {CLONE3}
    assert {judged(machine, number) for number in left_over} == {ALLOWED}
    assert len(bpf(machine)) // 8 <= 4096, "the kernel takes no longer program"


@pytest.mark.parametrize("machine", MACHINES)
def test_what_a_function_needs_is_allowed(machine: str) -> None:
    """Memory, clocks and open descriptors work."""
    assert {judged(machine, number) for number in HARMLESS[machine]} == {ALLOWED}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("flags", "end"),
    [
        (os.O_RDONLY | os.O_CLOEXEC, ALLOWED),
        (os.O_WRONLY, "EROFS"),
        (os.O_RDWR, "EROFS"),
        (os.O_CREAT, "EROFS"),
        (os.O_TRUNC, "EROFS"),
        (os.O_APPEND, "EROFS"),
        (0o20000000, "EROFS"),
    ],
)
def test_files_are_opened_to_read_alone(machine: str, flags: int, end: str) -> None:
    """Any flag that could write, create or cut is refused, on both machines."""
    assert judged(machine, OPENAT[machine], 0, 0, flags) == end
    if machine == "x86_64":
        assert judged(machine, 2, 0, flags) == end


@pytest.mark.parametrize("machine", MACHINES)
def test_clone_makes_threads_and_no_process(machine: str) -> None:
    """CLONE_THREAD is the one way; clone3 does not exist, so libc falls back."""
    assert judged(machine, CLONE[machine], 0x3D0F00) == ALLOWED
    assert judged(machine, CLONE[machine], 17) == "EPERM"
    assert judged(machine, 435) == "ENOSYS"


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_that_depend_on_an_argument(machine: str) -> None:
    """Own limits only, never dumpable again, no lock or signal by way of a descriptor."""
    assert judged(machine, PRLIMIT[machine], 0) == ALLOWED
    assert judged(machine, PRLIMIT[machine], 1) == "EPERM"
    assert judged(machine, PRCTL[machine], 15) == ALLOWED
    assert judged(machine, PRCTL[machine], 4) == "EPERM"
    for command in (0, 1, 2, 3, 4, 5, 1030, 1032):  # F_DUPFD to F_GETLK, and two on pipes
        assert judged(machine, FCNTL[machine], 0, command) == ALLOWED
    for command in (6, 7, 8, 10, 15, 37, 38, 1024, 1026, 1031):
        assert judged(machine, FCNTL[machine], 0, command) == "EPERM"


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("number", [*range(450, 480), 1000, 0x40000000 + 57, 2**32 - 1])
def test_a_call_newer_than_the_list_does_not_exist(machine: str, number: int) -> None:
    """A new kernel opens nothing; x32's calls are among these."""
    assert judged(machine, number) == "ENOSYS"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_call_of_another_machine_ends_the_process(machine: str) -> None:
    """32-bit calls have other numbers: none of them is looked at."""
    assert judged(machine, 20, arch=0x40000003) == KILLED


def test_the_table_has_no_name_and_no_number_twice() -> None:
    """Both machines' columns are read."""
    names = re.findall(r"\w+(?= \d)", DENIED)
    assert len(names) == len(set(names))
    for machine in MACHINES:
        numbers = list(denied(machine).values())
        assert len(numbers) == len(set(numbers))
        assert max(numbers) < 450
    assert denied("x86_64").keys() > denied("aarch64").keys()
    assert denied("x86_64").keys() - denied("aarch64").keys() == OLD


OLD = {
    *("fork", "vfork", "creat", "mknod", "mkdir", "rmdir", "unlink", "rename", "link", "symlink"),
    *("chmod", "chown", "lchown", "utime", "utimes", "futimesat", "inotify_init", "iopl", "ioperm"),
    *("modify_ldt", "uselib"),
}
"""Calls that a newer machine never had."""


def test_the_numbers_are_this_kernels() -> None:
    """Where the headers are installed the table is compared with them."""
    headers = {
        "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
        "aarch64": "/usr/include/asm-generic/unistd.h",
    }
    for machine, place in headers.items():
        if Path(place).is_file():
            text = Path(place).read_text("utf-8")
            known = dict(re.findall(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)", text))
            for name, number in denied(machine).items():
                assert known.get(name, str(number)) == str(number), name
    assert platform.machine() in {*MACHINES, "arm64"}, "no filter for this machine"
