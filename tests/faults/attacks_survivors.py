"""Attacks on the case that comes next: what goes on after the return."""

from tests.faults.attack import ANYTHING, Attack

SURVIVORS = [
    Attack(
        "thread that goes on",
        "ok",
        """
threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
return []
""",
    ),
    Attack(
        "many threads that go on",
        "ok timeout",
        """
threading.stack_size(65536)
def spin():
    while True: pass
for _ in range(8): threading.Thread(target=spin, daemon=True).start()
return []
""",
    ),
    Attack(
        "thread that prints for the next case",
        "ok",
        """
def prints():
    while True: os.write(1, b"stained"); time.sleep(0.0001)
threading.Thread(target=prints, daemon=True).start()
return []
""",
    ),
    Attack(
        "thread that answers for the next case",
        "ok",
        r"""
def answers():
    time.sleep(0.002)
    while True:
        os.write(3, frame(b'["ok",null]\0"stained"'))
threading.Thread(target=answers, daemon=True).start()
return []
""",
        ANYTHING,
    ),
    Attack(
        "thread that is none of Python's",
        "ok",
        """
import _thread
_thread.start_new_thread(time.sleep, (1e6,))
thread = ctypes.c_ulong()
libc.pthread_create(ctypes.byref(thread), None, libc.pause, None)
return []
""",
    ),
    Attack(
        "processes that go on",
        "ok",
        """
def left():
    if os.fork() == 0:
        if os.fork() == 0: os.setsid(); time.sleep(1e6)
        os._exit(0)
return reached(("left behind", left))
""",
    ),
    Attack(
        "timers",
        "ok",
        """
signal.signal(signal.SIGALRM, signal.SIG_IGN)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
signal.alarm(1)
ident = ctypes.c_void_p()
return reached(("timer", lambda: libc.timer_create(0, None, ctypes.byref(ident))))
""",
    ),
    Attack(
        "memory and queues that outlive a process",
        "ok",
        """
return reached(
    ("shared memory", lambda: libc.shmget(0, 4096, 0o1600)),
    ("semaphores", lambda: libc.semget(0, 1, 0o1600)),
    ("messages", lambda: libc.msgget(0, 0o1600)),
    ("named memory", lambda: libc.shm_open(b"/quasar", os.O_CREAT | os.O_RDWR, 0o600)),
    ("named semaphore", lambda: -1 if not libc.sem_open(b"/quasar", os.O_CREAT, 0o600, 1) else 0),
    ("named queue", lambda: libc.mq_open(b"/quasar", os.O_CREAT | os.O_RDWR, 0o600, None)),
    ("file without a name", lambda: os.memfd_create("quasar")),
    ("multiprocessing", lambda: __import__("multiprocessing").Lock()),
)
""",
    ),
    Attack(
        "watchers and sockets",
        "ok",
        """
import socket
return reached(
    ("inotify", lambda: libc.inotify_init1(0)),
    ("fanotify", lambda: libc.fanotify_init(0, 0)),
    ("abstract socket", lambda: socket.socket(socket.AF_UNIX).bind("\\0quasar")),
    ("queue of calls", lambda: libc.syscall(425, 1, ctypes.create_string_buffer(120))),
    ("old queue of calls", lambda: libc.syscall(
        206 if os.uname().machine == "x86_64" else 0, 1, ctypes.byref(ctypes.c_ulong()))),
    ("key", lambda: libc.syscall(
        248 if os.uname().machine == "x86_64" else 217, b"user", b"quasar", b"x", 1, -2)),
)
""",
    ),
    Attack(
        "its own limits and rank",
        "ok",
        """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))
resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
reached(("nice", lambda: os.nice(19)), ("idle", lambda: os.sched_setscheduler(
    0, os.SCHED_IDLE, os.sched_param(0))))
return []
""",
    ),
    Attack(
        "memory that is not given back",
        "ok",
        """
import mmap
global hoard
hoard = [bytearray(1 << 20) for _ in range(64)] + [mmap.mmap(-1, 1 << 24)]
for at in range(0, 1 << 24, 4096): hoard[-1][at] = 1
return []
""",
    ),
    Attack(
        "frozen by a stop",
        "ok forbidden",
        """
reached(("stop", lambda: os.kill(os.getpid(), signal.SIGSTOP)),
    ("stop the parent", lambda: os.kill(os.getppid(), 0)),
    ("stop by the thread", lambda: libc.tgkill(os.getpid(), threading.get_native_id(), 19)))
return []
""",
    ),
]
