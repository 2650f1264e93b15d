"""Hostile submissions. Each opens what it can reach and changes nothing of it.

An attack is the body of ``attack()``. It ends with a typed status, or returns the list of what it
got hold of, which must be empty. The same submission holds a canary case, which must answer.
"""

from textwrap import indent
from typing import NamedTuple

CANARY = ["alive", 42]
WRAP = """
import ctypes, errno, os, signal, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)

def reached(*attempts):
    got = []
    for name, attempt in attempts:
        try:
            answer = attempt()
        except BaseException:
            continue
        if answer != -1:
            got.append(name)
    return got

def attack():
{body}

def f(what):
    return ["alive", 42] if what == "canary" else attack()
"""


class Attack(NamedTuple):
    """One submission."""

    name: str
    statuses: str
    """What it may end with, separated by spaces."""
    body: str
    output: object = []
    """What it returns where its status is ``ok``."""

    @property
    def code(self) -> str:
        return WRAP.format(body=indent(self.body.strip("\n"), "    "))


FRAME = r"""
def frame(body):
    return struct.pack(">I", len(body)) + body
"""

TEN = [
    Attack(
        "endless loop",
        "timeout",
        """
while True:
    try:
        while True: pass
    except BaseException: pass
""",
    ),
    Attack(
        "fork bomb",
        "timeout",
        """
while True:
    try:
        if os.fork() >= 0: return ["fork"]
    except OSError: pass
""",
    ),
    Attack(
        "memory bomb",
        "oom",
        """
hoard = []
while True: hoard.append(bytearray(1 << 24))
""",
    ),
    Attack(
        "output flood",
        "output_limit",
        """
while True: os.write(1, b"x" * 65536)
""",
    ),
    Attack("os._exit", "crashed", "os._exit(0)"),
    Attack(
        "forged result on every descriptor",
        "crashed",
        FRAME
        + r"""
claim = b'{"kind":"result","verdict":null,"whole":true,"exit":0,"oom":false,"ms":0,'
claim = frame(claim + b'"result_bytes":17}\0["ok",null]\0true')
for fd in range(256):
    try: os.write(fd, claim)
    except OSError: pass
os._exit(0)
""",
    ),
    Attack("network", "forbidden", "import socket; return [str(socket.socket())]"),
    Attack("file write", "forbidden", "open('/tmp/quasar-attack', 'a'); return ['file']"),
    Attack(
        "import tricks",
        "crashed forbidden",
        """
runner = sys.modules["quasar.sandbox.inside.runner"]
os.getpid = lambda: 1
runner.end_everything()
return ["killed"]
""",
    ),
    Attack(
        "signal games",
        "ok",
        """
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
return reached(
    ("stop init", lambda: os.kill(1, signal.SIGSTOP)),
    ("kill init", lambda: os.kill(os.getppid(), signal.SIGKILL)),
    ("interrupt all", lambda: os.kill(-1, signal.SIGINT)),
    ("own group", lambda: os.killpg(0, signal.SIGKILL)),
    ("stop itself", lambda: os.kill(os.getpid(), signal.SIGSTOP)),
    ("tgkill", lambda: libc.tgkill(1, 1, 9)),
    ("pidfd", lambda: os.pidfd_open(1)),
    ("owner of signals", lambda: libc.fcntl(0, 8, 1)),
)
""",
    ),
]

TIME = [
    Attack("sleep", "timeout", "time.sleep(1e6)"),
    Attack("regular expression", "timeout", "import re; re.match('(a+)+$', 'a' * 60 + 'b')"),
    Attack("huge power", "timeout oom", "return [len(str(9 ** 9 ** 9))]"),
    Attack(
        "text of its error never ends",
        "timeout",
        """
class Endless(Exception):
    def __str__(self):
        while True: pass
raise Endless
""",
    ),
    Attack(
        "clock turned back",
        "ok",
        """
until = time.monotonic() + 0.3
while time.monotonic() < until: pass
time.monotonic = time.perf_counter = time.time = lambda: 0.0
return []
""",
    ),
    Attack(
        "thread that goes on",
        "ok",
        """
threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
return []
""",
    ),
    Attack(
        "half a result",
        "timeout",
        r"""
os.write(3, b"\0\0\0\x20half")
time.sleep(1e6)
""",
    ),
]

MEMORY = [
    Attack(
        "threads without end",
        "error oom",
        """
while True: threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
""",
    ),
    Attack(
        "recursion without end",
        "crashed error oom timeout",
        """
sys.setrecursionlimit(1 << 30)
def down(n): return down(n + 1) + 1
return [down(0)]
""",
    ),
    Attack("address zero", "crashed", "ctypes.string_at(0)"),
    Attack("abort", "crashed", "os.abort()"),
    Attack("jump into nowhere", "crashed", "ctypes.CFUNCTYPE(None)(8)()"),
    Attack(
        "anonymous pages",
        "oom error",
        """
import mmap
hoard = []
while True:
    hoard.append(mmap.mmap(-1, 1 << 25))
    for at in range(0, 1 << 25, 4096): hoard[-1][at] = 1
""",
    ),
    Attack(
        "pipes filled",
        "error",
        """
pipes = []
while True:
    pipes.append(os.pipe())
    os.set_blocking(pipes[-1][1], False)
    os.write(pipes[-1][1], b"x" * 65536)
""",
    ),
]

RESULTS = [
    Attack("huge result", "output_limit", "return 'x' * (2 << 20)"),
    Attack(
        "result flood",
        "output_limit",
        r"""
while True: os.write(3, b"\xff" * 65536)
""",
    ),
    Attack("stderr flood", "output_limit", "while True: os.write(2, b'x' * 65536)"),
    Attack(
        "channels closed",
        "crashed",
        """
os.closerange(0, 256)
while True: pass
""",
    ),
    Attack("not a number", "error", "return float('nan')"),
    Attack(
        "infinite by its text",
        "error",
        FRAME
        + r"""
os.write(3, frame(b'["ok",null]\0[1e999]'))
""",
    ),
    Attack("cycle", "error", "a = []; a.append(a); return a"),
    Attack(
        "deep",
        "error",
        FRAME
        + r"""
os.write(3, frame(b'["ok",null]\0' + b"[" * 100000 + b"]" * 100000))
""",
    ),
    Attack("half a surrogate pair", "error", r"return '\ud800'"),
    Attack(
        "an unknown status",
        "crashed",
        FRAME
        + r"""
os.write(3, frame(b'["perfect",null]\0true'))
""",
    ),
    Attack(
        "a very long integer",
        "error",
        FRAME
        + r"""
os.write(3, frame(b'["ok",null]\0' + b"9" * 100000))
""",
    ),
    Attack(
        "equal to everything",
        "ok",
        """
class Liar(int):
    def __eq__(self, other): return True
    def __repr__(self): return "41"
return Liar(7)
""",
        7,
    ),
    Attack("sys.exit", "error", "sys.exit(0)"),
    Attack("error text with escapes", "error", r"raise ValueError('\x1b[2J\n\r' + '/root' * 999)"),
    Attack(
        "patched writer",
        "crashed error",
        """
import json
json.dumps = os.write = os._exit = lambda *a, **k: 1 / 0
return []
""",
    ),
]

REACH = [
    Attack(
        "the runner's secrets",
        "ok",
        """
return reached(*[(path, lambda path=path: os.open(path, os.O_RDONLY)) for path in (
    "/proc/1/environ", "/proc/1/mem", "/proc/1/maps", "/proc/1/fd/0", "/proc/self/mem",
    "/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/net/tun", "/dev/kvm", "/dev/sda", "/dev/vda",
    "/run/docker.sock", "/var/run/docker.sock", "/etc/shadow")])
""",
    ),
    Attack(
        "writable places",
        "ok",
        """
places = ["/", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "/proc/self", "/root"]
flags = os.O_TMPFILE | os.O_WRONLY
files = ["/dev/null", "/dev/zero", "/proc/self/oom_score_adj", "/proc/self/comm", "/etc/passwd",
    "/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger",
    "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
return reached(
    *[(p, lambda p=p: os.open(p, flags)) for p in places],
    *[(p, lambda p=p: os.open(p, os.O_WRONLY)) for p in files],
    *[(p, lambda p=p: os.open(p, os.O_RDWR)) for p in files],
)
""",
    ),
    Attack(
        "changes of names",
        "ok",
        """
def refused(number):
    return -1 if number in (errno.EPERM, errno.EROFS, errno.EACCES) else 0
def tried(call, *arguments):
    try: call(*arguments)
    except OSError as error: return refused(error.errno)
none = "/nowhere/quasar"
return reached(*[(call.__name__, lambda call=call, a=a: tried(call, *a)) for call, a in (
    (os.unlink, [none]), (os.rename, [none, none]), (os.mkdir, [none]), (os.rmdir, [none]),
    (os.link, [none, none]), (os.symlink, [none, none]), (os.chmod, [none, 0o777]),
    (os.chown, [none, 0, 0]), (os.truncate, [none, 0]), (os.utime, [none]),
    (os.mkfifo, [none]), (os.setxattr, [none, "user.x", b""]))])
""",
    ),
    Attack(
        "other programs",
        "ok",
        """
import multiprocessing, subprocess
return reached(
    ("system", lambda: -1 if os.system("exit 7") != 7 << 8 else 0),
    ("spawn", lambda: os.posix_spawn("/usr/bin/python3", ["python3", "-V"], {})),
    ("subprocess", lambda: subprocess.run(["/usr/bin/python3", "-V"])),
    ("exec", lambda: libc.execve(None, None, None)),
    ("vfork", lambda: libc.syscall(58)),
    ("forkserver", lambda: multiprocessing.get_context("fork").Process(target=print).start()),
)
""",
    ),
    Attack(
        "powers over the runner",
        "ok",
        """
import resource
class Param(ctypes.Structure): _fields_ = [("priority", ctypes.c_int)]
return reached(
    ("limits", lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))),
    ("limits read", lambda: resource.prlimit(1, resource.RLIMIT_NOFILE)),
    ("priority", lambda: os.setpriority(os.PRIO_PROCESS, 1, 19)),
    ("idle", lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))),
    ("processor", lambda: os.sched_setaffinity(1, {0})),
    ("ptrace", lambda: libc.ptrace(16, 1, 0, 0)),
    ("memory", lambda: libc.process_vm_readv(1, None, 0, None, 0, 0)),
    ("dumpable", lambda: libc.prctl(4, 1, 0, 0, 0)),
    ("more memory", lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1))),
    ("root", lambda: os.setuid(0)),
)
""",
    ),
    Attack(
        "other doors of the kernel",
        "ok",
        """
import platform
numbers = {
    "x86_64": dict(unshare=272, setns=308, mount=165, bpf=321, perf=298, userfaultfd=323,
        io_uring=425, keyctl=250, memfd=319, shmget=29, semget=64, msgget=68, seccomp=317,
        openat2=437, socketpair=53, clone3=435, inotify=294, mseal=462, x32=0x40000027),
    "aarch64": dict(unshare=97, setns=268, mount=40, bpf=280, perf=241, userfaultfd=282,
        io_uring=425, keyctl=219, memfd=279, shmget=194, semget=190, msgget=186, seccomp=277,
        openat2=437, socketpair=199, clone3=435, inotify=26, mseal=462),
}[platform.machine()]
def refused(number):  # a call that looks at its arguments fails with another error
    ctypes.set_errno(0)
    answer = libc.syscall(number, -1, 0, 0, 0, 0, 0)
    return -1 if answer == -1 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS) else 0
return reached(*[(name, lambda n=n: refused(n)) for name, n in numbers.items()])
""",
    ),
    Attack(
        "what is on the network",
        "ok",
        """
import socket, urllib.request
with open("/proc/net/dev") as file:
    devices = [line.split(":")[0].strip() for line in file if ":" in line]
return [name for name in devices if name != "lo"] + reached(
    ("name", lambda: socket.getaddrinfo("localhost", 80)),
    ("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    ("unix", lambda: socket.socket(socket.AF_UNIX)),
    ("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    ("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    ("url", lambda: urllib.request.urlopen("http://127.0.0.1:1/")),
)
""",
    ),
    Attack(
        "what else runs here",
        "ok",
        """
mine = {"1", str(os.getpid())}
return [name for name in os.listdir("/proc") if name.isdigit() and name not in mine]
""",
    ),
    Attack(
        "names patched for the next case",
        "ok crashed error",
        """
import builtins, json
builtins.len = json.dumps = lambda *a, **k: 1 / 0
threading.excepthook = sys.excepthook = None
os._exit = lambda code: None
sys.modules["quasar.sandbox.inside.child"].reply = lambda *a: b""
return []
""",
    ),
    Attack("reads stdin", "ok", "return list(sys.stdin.read()) + list(os.read(0, 100))"),
]

INT_80 = Attack(
    "32-bit calls",
    "crashed",
    r"""
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # getpid by int 0x80
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
return [call()]
""",
)
"""On x86-64 alone: the other machine has no such entry."""

ATTACKS = [*TEN, *TIME, *MEMORY, *RESULTS, *REACH]
