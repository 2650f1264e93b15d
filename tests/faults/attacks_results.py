"""Attacks by what is returned, raised and printed."""

from tests.faults.attack import ANYTHING, Attack


def forged(name: str, statuses: str, body: bytes) -> Attack:
    """A result that no JSON writer would send, in the child's own frame."""
    return Attack(name, statuses, f"os.write(3, frame({body!r}))\ntime.sleep(9)")


VALUES = [
    Attack("not a number", "error", "return float('nan')"),
    Attack("minus infinity in a list", "error", "return [[-float('inf')]]"),
    Attack("minus zero", "ok", "return -0.0", -0.0),
    Attack("cycle", "error", "a = []; a.append(a); return a"),
    Attack("half a surrogate pair", "error", r"return '\ud800'"),
    Attack("half a surrogate pair as a key", "error", r"return {'\udfff': 1}"),
    Attack("a set", "error", "return {1, 2}"),
    Attack("bytes", "error", "return b'x'"),
    Attack("a complex number", "error", "return 1j"),
    Attack("a generator", "error", "return (i for i in range(3))"),
    Attack("a coroutine", "error", "async def late(): return 1\nreturn late()"),
    Attack("a function", "error", "return attacks"),
    Attack("a tuple", "ok", "return (1, 2)", [1, 2]),
    Attack("keys of odd types", "ok error", "return {1: 1, None: 2, True: 3, 1.5: 4}", ANYTHING),
    Attack("one key twice", "ok error", "return {1: 1, '1': 2}", ANYTHING),
    Attack("a tuple as a key", "error", "return {(1, 2): 3}"),
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
    Attack(
        "a text that lies",
        "ok",
        """
class Liar(str):
    def __eq__(self, other): return True
    def __len__(self): return 1 << 40
    def __str__(self): return "forged"
    def __hash__(self): return 0
return Liar("said")
""",
        "said",
    ),
    Attack(
        "a list that lies",
        "ok",
        """
class Liar(list):
    def __len__(self): return 1 << 40
    def __eq__(self, other): return True
    def __getitem__(self, at): return "forged"
return Liar([1])
""",
        [1],
    ),
    Attack(
        "a number that lies",
        "ok",
        """
class Liar(float):
    def __eq__(self, other): return True
    def __repr__(self): return "NaN"
return Liar(1.5)
""",
        1.5,
    ),
    Attack(
        "an object that yields for ever",
        "oom timeout error",
        """
class Endless(dict):
    def items(self):
        while True: yield "x" * 65536, 1
return Endless(a=1)
""",
        lane="busy",
    ),
    Attack(
        "a class that lies",
        "error",
        """
class Liar:
    @property
    def __class__(self): return dict
    def items(self): return [("forged", True)]
    def keys(self): return ["forged"]
    def __getitem__(self, key): return True
return Liar()
""",
    ),
    Attack(
        "a million lists in each other",
        "error crashed timeout",
        """
deep = []
for _ in range(1000000): deep = [deep]
return deep
""",
    ),
    Attack("a very long integer", "error", "return 1 << 40000"),
    Attack(
        "a longer integer, its guard taken off",
        "error",
        "getattr(sys, 'set_int_max_str_digits')(0)\nreturn 1 << 400000",
    ),
    Attack("huge result", "output_limit", "return 'x' * (2 << 20)"),
]

RAISED = [
    Attack("error text with escapes", "error", r"raise ValueError('\x1b[2J\n\r' + '/root' * 999)"),
    Attack("error text that fills memory", "oom error", "raise ValueError('x' * (1 << 27) + 'é')"),
    Attack("memory error that was none", "oom", "raise MemoryError"),
    Attack("wall that was none", "forbidden", "raise PermissionError(errno.EPERM, 'no')"),
    Attack(
        "error whose text recurses",
        "error crashed",
        """
class Deep(Exception):
    def __str__(self): return str(self)
    __repr__ = __str__
raise Deep
""",
    ),
    Attack(
        "error whose type has no name",
        "error",
        """
class Nameless(type):
    @property
    def __name__(cls): raise SystemExit(0)
class Odd(Exception, metaclass=Nameless): pass
raise Odd
""",
    ),
    Attack(
        "ten thousand causes",
        "error",
        """
error = None
for _ in range(10000):
    new = ValueError("x" * 99)
    new.__cause__ = new.__context__ = error
    error = new
raise error
""",
    ),
    Attack(
        "group of groups",
        "error crashed",
        """
group = ValueError("leaf")
for _ in range(2000): group = ExceptionGroup("x", [group] * 3)
raise group
""",
    ),
]

FRAMES = [
    forged("infinite by its text", "error", b'["ok",null]\0[1e999]'),
    forged("deep by its text", "error", b'["ok",null]\0' + b"[" * 4000 + b"]" * 4000),
    forged("a long integer by its text", "error", b'["ok",null]\0' + b"9" * 9000),
    forged("an unknown status", "crashed", b'["perfect",null]\0true'),
    forged("a status too many", "crashed", b'["ok",null,"ok"]\0true'),
    forged("an empty claim", "crashed", b""),
    forged("a claim that is no text", "crashed", b"\xff\xfe\0true"),
    forged("no output", "error crashed", b'["ok",null]\0'),
    forged("output with a tail", "error", b'["ok",null]\0true false'),
    forged("output in another encoding", "error", b'["ok",null]\0"\xff"'),
    forged("output with a byte order mark", "error", b'["ok",null]\0\xef\xbb\xbf1'),
    forged("half a surrogate pair by its text", "error", b'["ok",null]\0"\\ud800"'),
    forged("one key twice by its text", "ok error", b'["ok",null]\0{"a":1,"a":1}')._replace(
        output={"a": 1}
    ),
    Attack(
        "result flood",
        "output_limit",
        r"""
while True: os.write(3, b"\xff" * 65536)
""",
    ),
    Attack(
        "half a result",
        "timeout",
        r"""
os.write(3, b"\0\0\0\x20half")
time.sleep(1e6)
""",
        lane="waits",
    ),
    Attack(
        "a result in drips",
        "timeout",
        r"""
os.write(3, b"\0\1\0\0")
while True:
    os.write(3, b"x")
    time.sleep(0.01)
""",
        lane="waits",
    ),
    Attack(
        "channels closed",
        "crashed",
        """
os.closerange(0, 256)
while True: pass
""",
    ),
    Attack(
        "a channel that never blocks",
        "ok crashed",
        "os.set_blocking(3, False)\nreturn 'x' * 900000",
        "x" * 900000,
    ),
]

PRINTED = [
    Attack("output flood", "output_limit", "while True: os.write(1, b'x' * 65536)"),
    Attack("stderr flood", "output_limit", "while True: os.write(2, b'x' * 65536)"),
    Attack(
        "flood of warnings",
        "output_limit timeout",
        """
import warnings
warnings.simplefilter("always")
while True: warnings.warn("x" * 100000)
""",
    ),
    Attack(
        "flood of tracebacks",
        "output_limit timeout",
        """
import traceback
while True:
    try: raise ValueError("x" * 100000)
    except ValueError: traceback.print_exc()
""",
    ),
    Attack(
        "prints that are no text",
        "ok",
        r"""
os.write(1, bytes(range(256)) * 16 + b"\x1b]0;title\x07\xff\xc0\xaf")
return []
""",
    ),
    Attack(
        "a stdout that hangs when flushed",
        "timeout",
        """
class Hangs:
    def write(self, text): return len(text)
    def flush(self): time.sleep(1e6)
sys.stdout = Hangs()
return []
""",
        lane="waits",
    ),
    Attack(
        "a stdout that raises",
        "ok",
        """
class Raises:
    def __getattr__(self, name): raise SystemExit(0)
sys.stdout = sys.stderr = Raises()
return []
""",
    ),
]

RESULTS = [*VALUES, *RAISED, *FRAMES, *PRINTED]
