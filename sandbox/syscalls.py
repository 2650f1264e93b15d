"""The system-call filter that every case runs under, as a classic BPF program.

A pure function needs memory, threads, clocks and files to read. Whatever else Linux offers fails:
with EPERM, or EROFS for an open that could write. The list names what is refused, since a list of
what is allowed breaks with the next libc; but every call newer than the list gets ENOSYS, so a
new kernel opens nothing. The container's own walls stand behind this one.
"""

import struct
from typing import NamedTuple

DENIED = """
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, listen 50 201, accept 43 202,
accept4 288 242, sendto 44 206, sendmsg 46 211, sendmmsg 307 269, recvfrom 45 207, recvmsg 47 212,
recvmmsg 299 243
fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, setsid 112 157, setpgid 109 154
kill 62 129, tkill 200 130, tgkill 234 131, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240,
pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424
ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440,
process_mrelease 448 448, kcmp 312 272, get_robust_list 274 100
setpriority 141 140, sched_setparam 142 118, sched_setscheduler 144 119, sched_setattr 314 274,
sched_setaffinity 203 122, ioprio_set 251 30, migrate_pages 256 238, move_pages 279 239,
mbind 237 235, set_mempolicy 238 237, personality 135 92
mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, unshare 272 97, setns 308 268,
open_tree 428 428, move_mount 429 429, fsopen 430 430, fsconfig 431 431, fsmount 432 432,
fspick 433 433, mount_setattr 442 442, swapon 167 224, swapoff 168 225, quotactl 179 60,
quotactl_fd 443 443
bpf 321 280, seccomp 317 277, perf_event_open 298 241, userfaultfd 323 282, syslog 103 116,
io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, io_setup 206 0,
io_submit 209 2, keyctl 250 219, add_key 248 217, request_key 249 218, memfd_create 319 279,
memfd_secret 447 447, inotify_init 253 -, inotify_init1 294 26, fanotify_init 300 262,
init_module 175 105, finit_module 313 273, delete_module 176 106, kexec_load 246 104,
kexec_file_load 320 294, reboot 169 142, acct 163 89, vhangup 153 58, iopl 172 -, ioperm 173 -,
modify_ldt 154 -, uselib 134 -, timer_create 222 107
sethostname 170 161, setdomainname 171 162, settimeofday 164 170, adjtimex 159 171,
clock_settime 227 112, clock_adjtime 305 266
setuid 105 146, setgid 106 144, setreuid 113 145, setregid 114 143, setresuid 117 147,
setresgid 119 149, setgroups 116 159, setfsuid 122 151, setfsgid 123 152, capset 126 91
shmget 29 194, shmat 30 196, msgget 68 186, semget 64 190, mq_open 240 180, mq_unlink 241 181
creat 85 -, openat2 437 437, open_by_handle_at 304 265, name_to_handle_at 303 264, mknod 133 -,
mknodat 259 33, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, rename 82 -,
renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36,
chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54,
truncate 76 45, ftruncate 77 46, fallocate 285 47, utime 132 -, utimes 235 -, futimesat 261 -,
utimensat 280 88, setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14,
lremovexattr 198 15, fremovexattr 199 16, sync 162 81, syncfs 306 267, fsync 74 82,
fdatasync 75 83, sync_file_range 277 84, flock 73 32
"""
"""Name, number on x86-64, number on aarch64; ``-`` where the call does not exist."""

FIRST_UNKNOWN = 450
"""Calls from here on came after the list was written. x86-64's x32 calls are far above it too."""
CLONE3 = 435
WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND and O_TMPFILE's own bit, on both machines."""
CLONE_THREAD = 0x10000
PR_SET_DUMPABLE = 4
OF_OTHERS = (6, 7, 37, 38, 8, 10, 15, 1024, 1026, 1031)
"""fcntl commands that lock a file which other cells read too (F_SETLK and its kin, F_SETLEASE),
send signals (F_SETOWN, F_SETSIG, F_SETOWN_EX, F_NOTIFY), or take from a pool shared by the whole
user (F_SETPIPE_SZ)."""

LOAD, EQUAL, ANY_BIT, AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, EROFS, ENOSYS = 0x50001, 0x5001E, 0x50026

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


class Rule(NamedTuple):
    """Looks at one argument of a call: ``hit`` where a test holds for it, else ``miss``."""

    x86_64: int | None
    aarch64: int | None
    argument: int
    test: int
    values: tuple[int, ...]
    hit: int
    miss: int


RULES = [
    Rule(2, None, 1, ANY_BIT, (WRITING,), EROFS, ALLOW),  # open
    Rule(257, 56, 2, ANY_BIT, (WRITING,), EROFS, ALLOW),  # openat
    Rule(56, 220, 0, ANY_BIT, (CLONE_THREAD,), ALLOW, EPERM),  # clone: threads only
    Rule(302, 261, 0, EQUAL, (0,), ALLOW, EPERM),  # prlimit64: its own limits only
    Rule(157, 167, 0, EQUAL, (PR_SET_DUMPABLE,), EPERM, ALLOW),  # prctl
    Rule(72, 25, 1, EQUAL, OF_OTHERS, EPERM, ALLOW),  # fcntl
]

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant."""


def denied(machine: str) -> dict[str, int]:
    """Names and numbers of the calls that always fail on ``x86_64`` or ``aarch64``."""
    column = 1 if machine == "x86_64" else 2
    rows = [row.split() for row in DENIED.replace(",", "\n").splitlines() if row]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def instructions(machine: str) -> list[Instruction]:
    """The filter for ``x86_64`` or ``aarch64``."""
    head = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, AUDIT_ARCH[machine]), (RETURN, 0, 0, KILL)]
    return [*head, (LOAD, 0, 0, 0), *search(ranges(machine))]


Block = list[Instruction]
"""Ends in a return on every way through it."""


def ranges(machine: str) -> list[tuple[int, Block]]:
    """The first number of each run of calls that are judged alike, and how."""
    judged = {number: [(RETURN, 0, 0, EPERM)] for number in denied(machine).values()}
    judged[CLONE3] = [(RETURN, 0, 0, ENOSYS)]  # libc falls back to clone
    for rule in RULES:
        number = rule.x86_64 if machine == "x86_64" else rule.aarch64
        if number is not None:
            judged[number] = compiled(rule)
    judged[FIRST_UNKNOWN] = [(RETURN, 0, 0, ENOSYS)]
    found: list[tuple[int, Block]] = []
    for number in range(FIRST_UNKNOWN + 1):
        block = judged.get(number, [(RETURN, 0, 0, ALLOW)])
        if not found or found[-1][1] != block:
            found.append((number, block))
    return found


def search(parts: list[tuple[int, Block]]) -> Block:
    """Finds the number's block by halves: the kernel tries every call when it takes a filter."""
    if len(parts) == 1:
        return parts[0][1]
    middle = len(parts) // 2
    below, above = search(parts[:middle]), search(parts[middle:])
    # A jump is a byte long: a list twice as long as this one would not pack.
    return [(AT_LEAST, len(below), 0, parts[middle][0]), *below, *above]


def compiled(rule: Rule) -> Block:
    """Tests of one argument, one after the other."""
    # The low 32 bits of the argument in struct seccomp_data, which is little endian on both.
    block = [(LOAD, 0, 0, 16 + 8 * rule.argument)]
    for value in rule.values:
        block += [(rule.test, 0, 1, value), (RETURN, 0, 0, rule.hit)]
    return [*block, (RETURN, 0, 0, rule.miss)]


def bpf(machine: str) -> bytes:
    """The filter as an array of struct sock_filter."""
    return b"".join(struct.pack("<HBBI", *each) for each in instructions(machine))
