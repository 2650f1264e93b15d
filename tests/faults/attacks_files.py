"""Attacks by reading what is another's, and by writing anywhere."""

from tests.faults.attack import Attack

READING = [
    Attack(
        "the runner's secrets",
        "ok",
        """
parts = ("environ", "mem", "maps", "smaps", "fd", "fd/0", "fdinfo", "cwd", "root", "exe",
    "auxv", "stack", "syscall", "pagemap", "map_files", "io", "ns/pid", "ns/user", "task/1/mem",
    "task/1/environ", "personality", "clear_refs")
def opened(path): return os.readlink(path) if os.path.islink(path) else os.open(path, 0)
return reached(*[(part, lambda part=part: opened("/proc/1/" + part)) for part in parts])
""",
    ),
    Attack(
        "the machine's devices and secrets",
        "ok",
        """
return reached(*[(path, lambda path=path: os.open(path, os.O_RDONLY)) for path in (
    "/proc/self/mem", "/proc/kcore", "/proc/kmsg", "/proc/kpagecount", "/proc/sysrq-trigger",
    "/dev/mem", "/dev/port", "/dev/kmsg", "/dev/fuse", "/dev/net/tun", "/dev/kvm", "/dev/sda",
    "/dev/vda", "/dev/loop0", "/dev/loop-control", "/dev/mapper/control", "/dev/nvme0",
    "/dev/userfaultfd", "/dev/vhost-net", "/dev/dri/card0", "/dev/input/event0", "/dev/tty",
    "/dev/console", "/dev/tty1", "/run/docker.sock", "/var/run/docker.sock", "/etc/shadow",
    "/sys/kernel/debug/tracing")])
""",
    ),
    Attack(
        "files of the host",
        "ok",
        """
def names(folder):
    try: return os.listdir(folder)
    except OSError: return []
folders = ("/home", "/root", "/srv", "/opt", "/mnt", "/media", "/boot", "/var/lib", "/var/log",
    "/var/tmp", "/tmp", "/run/secrets", "/run/systemd", "/run/user", "/host", "/work", "/app",
    "/proc/1/root", "/proc/1/cwd", "/usr/local/etc", "/etc/ssh", "/etc/ssl/private", "/lost+found")
return [folder for folder in folders if names(folder)]
""",
    ),
    Attack(
        "people of the host",
        "ok",
        """
try:
    with open("/etc/passwd") as file: lines = file.read().split()
except OSError: lines = []
return [line for line in lines if not line.startswith(("nobody:", "root:x:0:0:root:/root"))]
""",
    ),
    Attack(
        "environment",
        "ok",
        """
known = ("PATH", "LD_LIBRARY_PATH", "HOSTNAME", "HOME", "TERM", "PWD", "LC_CTYPE", "container")
try:
    with open("/proc/self/environ", "rb") as file: first = file.read().decode().split("\\0")
except OSError: first = []
names = {entry.partition("=")[0] for entry in first} | set(os.environ)
return [name for name in names if name and name not in known and not name.startswith("PYTHON")]
""",
    ),
    Attack("reads stdin", "ok", "return list(sys.stdin.read()) + list(os.read(0, 100))"),
    Attack(
        "what else runs here",
        "ok",
        """
mine = {"1", str(os.getpid())}
return [name for name in os.listdir("/proc") if name.isdigit() and name not in mine]
""",
    ),
    Attack(
        "powers that it has",
        "ok",
        """
with open("/proc/self/status") as file:
    status = dict(line.rstrip().split(":", 1) for line in file)
want = dict(CapInh=0, CapPrm=0, CapEff=0, CapAmb=0, NoNewPrivs=1, Seccomp=2)
got = [name for name, value in want.items() if int(status.get(name, value), 16) != value]
identities = {*os.getresuid(), *os.getresgid(), *os.getgroups()}
return got + [str(number) for number in identities if number != 65534]
""",
    ),
    Attack(
        "addresses of the kernel",
        "ok",
        """
try:
    with open("/proc/kallsyms") as file: symbols = [next(file).split() for _ in range(500)]
except (OSError, StopIteration): symbols = []
return [name for address, _, name, *_ in symbols if int(address, 16)]
""",
    ),
    Attack(
        "mounts that may be written",
        "ok",
        """
kinds = ("proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2")
with open("/proc/self/mountinfo") as file:
    mounts = [line.split(" - ") for line in file]
places = [left.split()[4] for left, right in mounts if right.split()[0] not in kinds]
flags = os.O_TMPFILE | os.O_WRONLY
return reached(*[(place, lambda place=place: os.open(place, flags)) for place in places])
""",
    ),
]

WRITING = [
    Attack("file write", "forbidden", "open('/tmp/quasar-attack', 'a'); return ['file']"),
    Attack(
        "writable places",
        "ok",
        """
places = ["/", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "/proc/self", "/root"]
flags = os.O_TMPFILE | os.O_WRONLY
files = ["/dev/null", "/dev/zero", "/proc/self/oom_score_adj", "/proc/self/comm", "/etc/passwd",
    "/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger",
    "/proc/sys/kernel/hostname", "/proc/self/uid_map", "/proc/self/setgroups", "/proc/irq",
    "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/dev/ptmx", "/dev/tty", "/dev/full"]
return reached(
    *[(p, lambda p=p: os.open(p, flags)) for p in places],
    *[(p, lambda p=p: os.open(p, os.O_WRONLY)) for p in files],
    *[(p, lambda p=p: os.open(p, os.O_RDWR)) for p in files],
)
""",
    ),
    Attack(
        "every file and folder there is",
        "ok",
        """
got = []
for folder, folders, names in os.walk("/"):
    folders[:] = [f for f in folders if folder != "/" or f not in ("proc", "sys")]
    for path in [folder, *[os.path.join(folder, name) for name in names[:20]]]:
        flags = os.O_WRONLY | (os.O_TMPFILE if path == folder else os.O_NONBLOCK)
        try: got.append((os.open(path, flags), path)[1])
        except OSError: pass
return got
""",
    ),
    Attack(
        "every file of its own process",
        "ok",
        """
folders = ["/proc/self", "/proc/thread-self", "/proc/1", "/proc/sys/kernel", "/proc/sys/vm"]
paths = [os.path.join(f, name) for f in folders for name in os.listdir(f)]
return reached(*[(p, lambda p=p: os.open(p, os.O_WRONLY | os.O_NONBLOCK)) for p in paths])
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
    (os.mkfifo, [none]), (os.mknod, [none]), (os.setxattr, [none, "user.x", b""]),
    (os.removexattr, [none, "user.x"]), (os.open, [none, os.O_TRUNC]))])
""",
    ),
    Attack(
        "changes by descriptor",
        "ok",
        """
fd = os.open("/proc/self/status", os.O_RDONLY)
return reached(
    ("truncate", lambda: os.ftruncate(fd, 0)),
    ("mode", lambda: os.fchmod(fd, 0o777)),
    ("owner", lambda: os.fchown(fd, 65534, 65534)),
    ("times", lambda: os.utime(fd)),
    ("attribute", lambda: os.setxattr(fd, "user.x", b"")),
    ("space", lambda: os.posix_fallocate(fd, 0, 1)),
    ("again for writing", lambda: os.open(f"/proc/self/fd/{fd}", os.O_RDWR)),
    ("result again", lambda: os.open("/proc/self/fd/3", os.O_WRONLY)),
    ("null again", lambda: os.open("/proc/self/fd/0", os.O_RDWR)),
)
""",
    ),
]

FILES = [*READING, *WRITING]
