"""Attacks that want out: other processes, the kernel's other doors, the network."""

from tests.faults.attack import Attack

PROCESSES = [
    Attack(
        "fork bomb",
        "timeout",
        """
while True:
    try:
        if os.fork() >= 0: return ["fork"]
    except OSError: pass
""",
        lane="busy",
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
    ("popen", lambda: -1 if os.popen("echo out").read() != "out\\n" else 0),
    ("exec", lambda: libc.execve(None, None, None)),
    ("vfork", lambda: libc.syscall(58) if os.uname().machine == "x86_64" else -1),
    ("pty", lambda: __import__("pty").fork()),
    ("process", lambda: multiprocessing.get_context("fork").Process(target=print).start()),
    ("daemon", lambda: os.setsid()),
)
""",
    ),
    Attack(
        "clones that are no threads",
        "ok",
        """
number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
flags = dict(child=17, parent=0x8000 | 17, user=0x10000000 | 17, pid=0x20000000 | 17,
    net=0x40000000 | 17, files=0x400 | 17, pidfd=0x1000 | 17)
def cloned(flag):
    pid = libc.syscall(number, flag, 0, 0, 0, 0)
    if pid == 0: os._exit(0)
    return pid
return reached(*[(name, lambda flag=flag: cloned(flag)) for name, flag in flags.items()])
""",
    ),
    Attack(
        "signals to all",
        "ok",
        """
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
return reached(
    ("init exists", lambda: os.kill(1, 0)),
    ("parent exists", lambda: os.kill(os.getppid(), 0)),
    ("all exist", lambda: os.kill(-1, 0)),
    ("own group exists", lambda: os.killpg(0, 0)),
    ("itself", lambda: os.kill(os.getpid(), 0)),
    ("tkill", lambda: libc.syscall({"x86_64": 200, "aarch64": 130}[os.uname().machine], 1, 0)),
    ("tgkill", lambda: libc.tgkill(1, 1, 0)),
    ("queued", lambda: libc.sigqueue(1, 0, None)),
    ("pidfd", lambda: os.pidfd_open(1)),
    ("owner of signals", lambda: libc.fcntl(0, 8, 1)),
    ("owner by structure", lambda: libc.fcntl(0, 15, (ctypes.c_int * 2)(1, 1))),
)
""",
    ),
    Attack(
        "powers over the runner",
        "ok",
        """
import resource
limit = resource.RLIMIT_NOFILE
return reached(
    ("limits", lambda: resource.prlimit(1, limit, resource.prlimit(1, limit))),
    ("limits read", lambda: resource.prlimit(1, limit)),
    ("priority", lambda: os.setpriority(os.PRIO_PROCESS, 1, os.getpriority(os.PRIO_PROCESS, 1))),
    ("priority of all", lambda: os.setpriority(os.PRIO_USER, 0, 0)),
    ("policy", lambda: os.sched_setscheduler(1, os.SCHED_OTHER, os.sched_param(0))),
    ("processor", lambda: os.sched_setaffinity(1, os.sched_getaffinity(1))),
    ("ptrace", lambda: libc.ptrace(16, 1, 0, 0)),
    ("memory", lambda: libc.process_vm_readv(1, None, 0, None, 0, 0)),
    ("futexes", lambda: libc.syscall({"x86_64": 274, "aarch64": 100}[os.uname().machine], 1, 0, 0)),
    ("dumpable", lambda: libc.prctl(4, 1, 0, 0, 0)),
    ("filter off", lambda: libc.prctl(22, 0, 0, 0, 0)),
    ("new privileges", lambda: libc.prctl(38, 0, 0, 0, 0)),
    ("ambient powers", lambda: libc.prctl(47, 2, 21, 0, 0)),
    ("more memory", lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1))),
    ("more descriptors", lambda: resource.setrlimit(limit, (1 << 16, 1 << 16))),
    ("root", lambda: os.setuid(0)),
    ("group of root", lambda: os.setgid(0)),
    ("groups", lambda: os.setgroups([0])),
)
""",
    ),
]

KERNEL = [
    Attack(
        "other doors of the kernel",
        "ok",
        """
numbers = {
    "x86_64": (272, 308, 165, 155, 161, 321, 298, 323, 425, 426, 427, 250, 248, 249, 319, 29, 64,
        68, 317, 437, 53, 435, 294, 253, 300, 101, 310, 311, 312, 103, 175, 313, 246, 320, 169,
        163, 167, 179, 443, 172, 173, 154, 135, 170, 171, 434, 438, 424, 428, 429, 430, 431, 442,
        303, 304, 206, 240, 222, 237, 256, 279, 447),
    "aarch64": (97, 268, 40, 41, 51, 280, 241, 282, 425, 426, 427, 219, 217, 218, 279, 194, 190,
        186, 277, 437, 199, 435, 26, 262, 117, 270, 271, 272, 116, 105, 273, 104, 294, 142,
        89, 224, 60, 443, 92, 161, 162, 434, 438, 424, 428, 429, 430, 431, 442,
        264, 265, 0, 180, 107, 235, 238, 239, 447),
}[os.uname().machine]
return by_raw_call(*numbers)
""",
    ),
    Attack(
        "calls newer than the list", "ok", "return by_raw_call(*range(450, 520), 1000, 1 << 20)"
    ),
    Attack(
        "calls of another width",
        "ok",
        "return by_raw_call(*[0x40000000 + n for n in (0, 1, 2, 39, 41, 101, 165, 512)])",
    ),
    Attack(
        "other roots and namespaces",
        "ok",
        """
spaces = dict(user=0x10000000, pid=0x20000000, net=0x40000000, mount=0x20000, uts=0x4000000,
    ipc=0x8000000, cgroup=0x2000000, time=0x80)
own = os.open("/proc/self/status", os.O_RDONLY)
return reached(
    *[("new " + name, lambda flag=flag: libc.unshare(flag)) for name, flag in spaces.items()],
    *[("enter " + name, lambda flag=flag: libc.setns(own, flag)) for name, flag in spaces.items()],
    ("chroot", lambda: os.chroot("/proc")),
    ("pivot", lambda: libc.syscall(155 if os.uname().machine == "x86_64" else 41, b"/", b"/")),
    ("mount", lambda: libc.mount(b"none", b"/proc", b"tmpfs", 0, None)),
    ("remount", lambda: libc.mount(None, b"/", None, 32, None)),
    ("unmount", lambda: libc.umount2(b"/proc", 2)),
    ("name", lambda: libc.sethostname(b"sandbox", 7)),
)
""",
    ),
    Attack(
        "terminals",
        "ok",
        """
import fcntl, termios
return reached(
    *[(f"descriptor {fd}", lambda fd=fd: -1 if not os.isatty(fd) else 0) for fd in (0, 1, 2, 3)],
    *[(path, lambda path=path: os.open(path, os.O_RDWR)) for path in
        ("/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts/0", "/dev/pts/ptmx", "/dev/tty0")],
    ("pair", lambda: os.openpty()),
    ("control", lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0)),
    ("name", lambda: os.ttyname(0)),
)
""",
    ),
    Attack(
        "groups of control",
        "ok",
        """
flags = os.O_WRONLY
paths = [f"/sys/fs/cgroup/{name}" for name in ("cgroup.procs", "release_agent", "memory.max",
    "pids.max", "cgroup.kill", "memory/release_agent", "memory/memory.limit_in_bytes",
    "devices/devices.allow", "pids/pids.max", "cpu/cpu.shares", "unified/cgroup.procs")]
return reached(*[(p, lambda p=p: os.open(p, flags)) for p in paths],
    ("new group", lambda: os.mkdir("/sys/fs/cgroup/quasar")))
""",
    ),
]

NETWORK = [
    Attack("network", "forbidden", "import socket; return [str(socket.socket())]"),
    Attack(
        "what is on the network",
        "ok",
        """
import socket, urllib.request
try:
    with open("/proc/net/dev") as file:
        devices = [line.split(":")[0].strip() for line in file if ":" in line]
except OSError: devices = []
tunnels = ("sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0",
    "ip6gre0", "lo")  # made by the kernel in each namespace, and down
return [name for name in devices if name not in tunnels] + reached(
    ("name", lambda: socket.getaddrinfo("quasar.invalid", 80)),
    ("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    ("v6", lambda: socket.socket(socket.AF_INET6)),
    ("unix", lambda: socket.socket(socket.AF_UNIX)),
    ("pair", lambda: socket.socketpair()),
    ("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    ("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    ("kernel's ciphers", lambda: socket.socket(38, socket.SOCK_SEQPACKET)),
    ("virtual machine's", lambda: socket.socket(40, socket.SOCK_STREAM)),
    ("url", lambda: urllib.request.urlopen("http://127.0.0.1:1/")),
)
""",
    ),
]

ROUTES = {
    "import os.path": "import os.path as p; got = p.os",
    "from os.path import os": "from os.path import os as got",
    "importlib": "import importlib; got = importlib.import_module('os')",
    "builtins.open": "got = builtins.open('/proc/self/status') and os",
    "http.client": "import http.client; got = http.client.socket.os",
    "urllib.request": "import urllib.request; got = urllib.request.os",
    "pathlib": "import pathlib; got = pathlib.os",
    "io.open": "import io; got = io.open('/proc/self/status') and os",
    "posix": "import posix as got",
    "asyncio.subprocess": "import asyncio.subprocess as a; got = a.subprocess.os",
    "__builtins__": "b = __builtins__\n"
    "got = (b['__import__'] if isinstance(b, dict) else b.__import__)('os')",
    "another name of eval": "e = eval; got = e('__import__(\"os\")')",
    "subclasses": "got = [c for c in ().__class__.__base__.__subclasses__()\n"
    "    if c.__name__ == '_wrap_close'][0].__init__.__globals__['sys'].modules['os']",
    "frames": "import inspect; got = inspect.currentframe().f_back.f_globals['os']",
    "inspect.sys": "import inspect; got = inspect.sys.modules['os']",
    "platform.os": "import platform; got = platform.os",
}
"""Ways past upstream's list of forbidden imports; the seventeenth is SystemExit."""

ROUTED = """
fd = got.open("/dev/null", got.O_WRONLY)
return ["written by way of " + {name!r}]
"""
BYPASSES = [
    Attack(f"list passed by: {name}", "forbidden", route + ROUTED.format(name=name))
    for name, route in ROUTES.items()
] + [Attack("list passed by: SystemExit", "error", "raise SystemExit")]

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

ESCAPES = [*PROCESSES, *KERNEL, *NETWORK, *BYPASSES]
