"""Compiles part of the standard library for an image, in a process of its own.

Without it every container would spend 60 ms on parsing the modules that the runner needs. The
process has a fixed hash seed, so that the same interpreter gives the same bytes, and knows the
files by their places in the image, so that no path of this machine gets in.
"""

import json
import subprocess
import sys
from base64 import b64decode

from quasar.sandbox.errors import SandboxError

COMMON = """
abc array ast base64 bisect bz2 calendar cmath codecs collections collections.abc contextlib copy
copyreg csv ctypes dataclasses datetime decimal difflib enum fnmatch fractions functools glob
hashlib heapq hmac html importlib io itertools json keyword linecache locale lzma math numbers
operator os pathlib platform pprint queue random re reprlib resource runpy secrets select selectors
shutil signal socket statistics string stringprep struct subprocess tempfile textwrap threading
time token tokenize traceback types typing unicodedata urllib.parse uuid warnings weakref zlib
encodings.ascii encodings.latin_1 encodings.utf_8 encodings.idna
""".split()  # noqa: SIM905  # a table of forty lines says no more
"""What the runner and honest code import most, with whatever these import in turn."""

PROGRAM = """
import base64, importlib, importlib.util, json, marshal, sys
names, places = json.load(sys.stdin)
for name in names:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
out = {}
for file in sorted(files & places.keys()):
    with open(file, "rb") as source:
        text = source.read()
    code = compile(text, "/" + places[file], "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")  # hash-based, unchecked
    data = head + importlib.util.source_hash(text) + marshal.dumps(code)
    cached = importlib.util.cache_from_source(places[file], optimization="")
    out[cached] = base64.b64encode(data).decode()
json.dump(out, sys.stdout)
"""


def compiled(places: dict[str, str]) -> dict[str, bytes]:
    """Path in the image to a .pyc file. ``places``: source file here to its path in the image."""
    try:
        done = _compile(places)
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(
            f"cannot compile this interpreter's modules for an image ({type(error).__name__}); "
            "configure an image"
        ) from error
    return {path: b64decode(data) for path, data in json.loads(done.stdout).items()}


def _compile(places: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-s", "-S", "-B", "-c", PROGRAM],
        input=json.dumps([COMMON, places]),
        stdout=subprocess.PIPE,
        env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"},
        text=True,
        check=True,
        timeout=120,
    )
