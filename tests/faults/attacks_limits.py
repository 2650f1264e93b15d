"""Attacks on time, memory and the interpreter itself."""

from tests.faults.attack import ANYTHING, Attack

TIME = [
    Attack(
        "endless loop",
        "timeout",
        """
while True:
    try:
        while True: pass
    except BaseException: pass
""",
        lane="busy",
    ),
    Attack("sleep", "timeout", "time.sleep(1e6)", lane="waits"),
    Attack(
        "a lock that nobody opens",
        "timeout",
        "lock = threading.Lock()\nlock.acquire()\nlock.acquire()",
        lane="waits",
    ),
    Attack(
        "regular expression",
        "timeout",
        "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
        lane="busy",
    ),
    Attack("huge power", "timeout oom", "return [len(str(9 ** 9 ** 9))]", lane="busy"),
    Attack("one call of C without end", "timeout", "return [sum(range(1 << 62))]", lane="busy"),
    Attack(
        "signals blocked, processor's limit raised",
        "timeout crashed",
        """
import resource
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
signal.signal(signal.SIGXCPU, signal.SIG_IGN)
for limit in ((-1, -1), (1 << 40, 1 << 40)):
    try: resource.setrlimit(resource.RLIMIT_CPU, limit)
    except (OSError, ValueError): pass
while True: pass
""",
        lane="busy",
    ),
    Attack(
        "text of its error never ends",
        "timeout",
        """
class Endless(Exception):
    def __str__(self):
        while True: pass
raise Endless
""",
        lane="busy",
    ),
    Attack(
        "garbage that comes back",
        "timeout",
        """
import gc
class Phoenix:
    def __del__(self): Phoenix().me = self
first = Phoenix()
first.me = first
del first
while True: gc.collect()
""",
        lane="busy",
    ),
    Attack(
        "an alarm at once, and again",
        "timeout",
        """
signal.signal(signal.SIGALRM, lambda *a: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
while True: signal.pause()
""",
        lane="waits",
    ),
    Attack(
        "an alarm that nobody hears",
        "crashed",
        "signal.setitimer(signal.ITIMER_REAL, 0.01)\nwhile True: pass",
    ),
    Attack(
        "memory errors swallowed",
        "timeout oom",
        """
hoard = []
while True:
    try: hoard.append(bytearray(1 << 24))
    except MemoryError: pass
""",
        lane="busy",
    ),
]

MEMORY = [
    Attack("memory bomb", "oom", "hoard = []\nwhile True: hoard.append(bytearray(1 << 24))"),
    Attack(
        "many small objects",
        "oom timeout",
        "hoard = []\nwhile True: hoard.extend([[] for _ in range(100000)])",
    ),
    Attack("one list too long", "oom", "return [len([0] * (1 << 40))]"),
    Attack("one text too long", "oom", "return [len('%*d' % (2000000000, 1))]"),
    Attack(
        "small archive, large contents",
        "oom",
        """
import zlib
bomb = zlib.compress(bytes(1 << 24), 1)
return [len(b"".join(zlib.decompress(bomb) for _ in range(1000)))]
""",
    ),
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
        "memory's limit raised",
        "oom",
        """
import resource
for limit in ((-1, -1), (1 << 40, 1 << 40)):
    try: resource.setrlimit(resource.RLIMIT_AS, limit)
    except (OSError, ValueError): pass
return [len(bytearray(1 << 33))]
""",
    ),
    Attack(
        "threads without end",
        "error oom",
        """
while True: threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
""",
    ),
    Attack(
        "threads with large stacks",
        "error oom",
        """
threading.stack_size(128 << 20)
while True: threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
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
    Attack(
        "descriptors without end",
        "error",
        "while True: os.dup(1)",
    ),
]

CRASHES = [
    Attack(
        "recursion without end",
        "crashed error oom timeout",
        """
sys.setrecursionlimit(1 << 30)
def down(n): return down(n + 1) + 1
return [down(0)]
""",
    ),
    Attack(
        "recursion in C",
        "crashed error timeout",
        """
sys.setrecursionlimit(1 << 30)
deep = []
for _ in range(300000): deep = [deep]
return [len(repr(deep))]
""",
    ),
    Attack(
        "recursion in a small stack",
        "crashed error",
        """
threading.stack_size(65536)
sys.setrecursionlimit(1 << 30)
def down(n): return sorted([n], key=down)
thread = threading.Thread(target=down, args=(0,))
thread.start(); thread.join()
raise ValueError("survived")
""",
    ),
    Attack("address zero", "crashed", "ctypes.string_at(0)"),
    Attack("abort", "crashed", "os.abort()"),
    Attack("jump into nowhere", "crashed", "ctypes.CFUNCTYPE(None)(8)()"),
    Attack("types overwritten", "crashed", "ctypes.memset(id(dict), 0, 200)\nreturn [{}]"),
    Attack(
        "bytecode that is none",
        "crashed error timeout",
        """
code = (lambda: 0).__code__
broken = code.replace(co_code=bytes([100, 255] * 9), co_consts=(), co_stacksize=1)
return [type(broken)(*[]) if not broken else repr(eval(broken))]
""",
        ANYTHING,
    ),
    Attack("its own end by signal", "crashed forbidden", "signal.raise_signal(signal.SIGKILL)"),
    Attack(
        "source of brackets",
        "error oom crashed",
        "compile('(' * 200000 + ')' * 200000, 'x', 'eval')\nraise ValueError",
    ),
    Attack(
        "source of signs",
        "error oom crashed",
        "compile('-' * 1000000 + '1', 'x', 'eval')\nraise ValueError",
    ),
    Attack(
        "source of attributes",
        "error oom crashed",
        "compile('x' + '.x' * 100000, 'x', 'eval')\nraise ValueError",
    ),
    Attack(
        "source that grows when compiled",
        "error oom crashed timeout",
        "compile('try: pass\\nfinally: ' + 'x' * 10 + ';y' * 100000, 'x', 'exec')\n"
        "exec('def g(' + ','.join(f'a{i}=0' for i in range(100000)) + '): pass')\n"
        "raise ValueError",
    ),
    Attack(
        "literals that must be folded",
        "error oom crashed timeout",
        "compile('((' + '1<<2000,' * 9 + ')*4000)' * 1, 'x', 'eval')\n"
        "compile('+'.join(['\"x\"*4000'] * 3000), 'x', 'eval')\nraise ValueError",
    ),
    Attack(
        "abstract tree in a circle",
        "error crashed",
        """
import ast
tree = ast.parse("-1", mode="eval")
tree.body.operand = tree.body
compile(tree, "x", "eval")
raise ValueError
""",
    ),
    Attack(
        "objects that undo themselves",
        "error crashed oom",
        """
import pickle
pickle.loads(b"(" * 100000 + b"l" * 100000 + b".")
raise ValueError
""",
    ),
]

LIMITS = [*TIME, *MEMORY, *CRASHES]
