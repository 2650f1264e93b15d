"""A hostile submission: what it tries, and how it may end."""

from collections.abc import Sequence
from textwrap import indent
from typing import NamedTuple

CANARY = ["alive", 42]
"""What the case after an attack returns where nothing of the attack is left."""
ANYTHING = object()
"""Says that an attack may return what it likes: its status is the test."""
PRELUDE = """
import builtins, ctypes, errno, os, signal, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
attacks = {}

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

def by_raw_call(*numbers):  # those that the kernel looked at: a filter's answer comes earlier
    got = []
    for number in numbers:
        ctypes.set_errno(0)
        libc.syscall(number, -1, 0, 0, 0, 0, 0)
        if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            got.append(number)
    return got

def frame(body):
    return struct.pack(">I", len(body)) + body

def stains():
    yield threading.active_count() != 1
    yield hasattr(builtins, "stain") or "stain" in sys.modules or "STAIN" in os.environ
    yield os.getcwd() != "/"
    yield signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    yield bool(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    yield signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0)
    yield {n for n in os.listdir("/proc") if n.isdigit()} - {"1", str(os.getpid())} != set()
    # Not the other way round: the host may put the runner last just while it forks this process.
    yield os.getpriority(os.PRIO_PROCESS, 0) > os.getpriority(os.PRIO_PROCESS, 1)
    yield len(os.listdir("/proc/self/fd")) > 5

def f(what):
    if what == "canary":
        return ["alive", 42] if not any(stains()) else ["stained", *map(bool, stains())]
    return attacks[what]()
"""


class Attack(NamedTuple):
    """The body of a function. It opens what it can reach, and changes nothing of it."""

    name: str
    statuses: str
    """What it may end with, separated by spaces."""
    body: str
    output: object = []
    """What it returns where its status is ``ok``: mostly a list of what it got hold of."""
    lane: str = "quick"
    """``busy`` where it takes a processor until its time is over, ``waits`` where it sleeps."""

    @property
    def code(self) -> str:
        """A submission of this attack alone, called with its name or ``attack``."""
        return together([self])


def together(attacks: Sequence[Attack]) -> str:
    """A submission of several, each called with its name; ``canary`` calls none of them."""
    parts = [PRELUDE]
    for attack in attacks:
        body = indent(attack.body.strip("\n"), "    ")
        parts.append(
            f"def attack():\n{body}\nattacks[{attack.name!r}] = attacks['attack'] = attack\n"
        )
    return "\n".join(parts)
