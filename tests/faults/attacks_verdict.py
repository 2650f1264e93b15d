"""Attacks on the verdict: results forged, clocks turned, the runner's own objects changed."""

from tests.faults.attack import ANYTHING, Attack

VERDICT = [
    Attack(
        "forged report on every descriptor",
        "crashed",
        r"""
claim = b'{"kind":"result","verdict":null,"whole":true,"exit":0,"oom":false,"ms":0,"cpu_ms":0,'
claim = frame(claim + b'"result_bytes":17}\0["ok",null]\0true')
for fd in range(256):
    try: os.write(fd, claim)
    except OSError: pass
os._exit(0)
""",
    ),
    Attack(
        "forged start and fault",
        "crashed",
        r"""
for kind in (b'{"kind":"started"}\0', b'{"kind":"fault","reason":"x"}\0', b"R", b"E"):
    for fd in range(16):
        try: os.write(fd, frame(kind))
        except OSError: pass
os._exit(0)
""",
    ),
    Attack("exit without a result", "crashed", "os._exit(0)"),
    Attack(
        "result sent twice",
        "ok",
        r"""
os.write(3, frame(b'["ok",null]\0"first"'))
return "second"
""",
        "first",
    ),
    Attack(
        "result sent, then abort",
        "ok",
        r"""
os.write(3, frame(b'["ok",null]\0"kept"'))
os.abort()
""",
        "kept",
    ),
    Attack(
        "a timeout that was none",
        "timeout crashed error",
        r"""
os.write(3, frame(b'["timeout",null]\0'))
""",
    ),
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
        "names patched for the next case",
        "ok crashed error",
        """
import json
builtins.stain = True
builtins.len = json.dumps = lambda *a, **k: 1 / 0
threading.excepthook = sys.excepthook = None
os._exit = lambda code: None
sys.modules["quasar.sandbox.inside.child"].reply = lambda *a: b""
return []
""",
    ),
    Attack(
        "runner's functions replaced",
        "ok",
        """
import types
for name in [name for name in sys.modules if name.startswith("quasar.") or name == "__main__"]:
    parts = vars(sys.modules[name])
    for thing in [parts, *[vars(part) for part in parts.values() if type(part) is type]]:
        for key, part in list(thing.items()):
            if isinstance(part, types.FunctionType) and "child" not in name:
                part.__code__ = (lambda *a, **k: None).__code__
return []
""",
    ),
    Attack(
        "limits raised in memory",
        "timeout",
        """
import gc
for thing in gc.get_objects():
    if type(thing) is dict and "timeout_s" in thing:
        thing.update(timeout_s=1e9, cpu_s=10**9, memory_bytes=1 << 60, flood_bytes=1 << 60)
time.monotonic = lambda: 0.0
while True: pass
""",
        lane="busy",
    ),
    Attack(
        "the runner's objects by their references",
        "ok",
        """
import gc
for thing in gc.get_objects():
    if type(thing).__name__ == "Case":
        thing.pid, thing.received, thing.logged = 1, 1 << 40, -1
        thing.results = thing.logs = bytearray()
return []
""",
    ),
    Attack(
        "frames of the callers",
        "ok crashed error",
        """
frame = sys._getframe(1)
while frame:
    for name in list(frame.f_globals):
        if name in ("send", "encoded", "reply", "execute", "outcome_of"):
            frame.f_globals[name] = lambda *a: b'forged'
    frame = frame.f_back
return []
""",
        ANYTHING,
    ),
    Attack(
        "answers that might lie about",
        "ok",
        """
import gc
found = []
for thing in gc.get_objects():
    if type(thing) is dict:
        found += [key for key in list(thing) if key in ("expected", "expected_output", "answers")]
frame = sys._getframe()
while frame:
    found += [name for name in frame.f_locals if name in ("expected", "cases", "inputs")]
    frame = frame.f_back
return found
""",
    ),
    Attack(
        "code of the child swapped",
        "ok crashed error",
        """
child = sys.modules["quasar.sandbox.inside.child"]
def encoded(output, limit): return b"\\0\\0\\0\\0"
child.encoded.__code__ = encoded.__code__
return []
""",
    ),
    Attack(
        "__main__ rewritten",
        "ok",
        """
import __main__
for name in list(vars(__main__)):
    if not name.startswith("__"): vars(__main__)[name] = None
return []
""",
    ),
    Attack(
        "written at exit",
        "ok",
        r"""
import atexit
atexit.register(os.write, 3, frame(b'["ok",null]\0"forged"'))
return []
""",
    ),
    Attack("sys.exit", "error", "sys.exit(0)"),
    Attack("interrupt", "error", "raise KeyboardInterrupt"),
    Attack("generator's exit", "error", "raise GeneratorExit"),
    Attack(
        "JSON writer patched",
        "crashed error",
        """
import json
json.dumps = os.write = os._exit = lambda *a, **k: 1 / 0
return []
""",
    ),
    Attack(
        "JSON writer that speaks for it",
        "crashed error ok",
        """
import json
json.dumps = lambda *a, **k: '"forged"'
return []
""",
        ANYTHING,
    ),
    Attack(
        "function of the submission replaced",
        "ok",
        """
globals()["f"] = lambda what: ["forged"]
attacks["canary"] = attacks["attack"]
builtins.stain = True
return []
""",
    ),
    Attack(
        "clock turned back",
        "ok",
        """
until = time.monotonic() + 0.2
while time.monotonic() < until: pass
time.monotonic = time.perf_counter = time.time = lambda: 0.0
return []
""",
    ),
    Attack(
        "clocks of the kernel",
        "ok",
        """
class Moment(ctypes.Structure): _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]
return reached(
    ("set", lambda: time.clock_settime(time.CLOCK_REALTIME, time.time())),
    ("set by libc", lambda: libc.clock_settime(0, ctypes.byref(Moment(0, 0)))),
    ("own zone", lambda: libc.settimeofday(None, ctypes.byref(Moment(0, 0)))),
    ("offsets", lambda: os.open("/proc/self/timens_offsets", os.O_WRONLY)),
)
""",
    ),
    Attack(
        "trace of every call",
        "ok",
        """
sys.settrace(lambda *a: None)
sys.setprofile(lambda *a: None)
threading.settrace(lambda *a: None)
return []
""",
    ),
    Attack(
        "the interpreter's state for the next case",
        "ok",
        """
import codecs, decimal, gc, locale, random, warnings
builtins.stain = sys.modules["stain"] = os.environ["STAIN"] = "yes"
os.chdir("/proc")
os.umask(0o777)
decimal.getcontext().prec = 1
random.seed(0)
gc.disable()
sys.setswitchinterval(1000)
sys.meta_path.clear(); sys.path.clear(); sys.path_hooks.clear()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
return []
""",
    ),
]
