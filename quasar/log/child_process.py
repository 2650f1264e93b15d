"""Child processes that end with their parent, even when that is killed."""

import os
import sys
from collections.abc import Sequence

_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
except (OSError, AttributeError):
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """The command behind a small program that asks the kernel (of Linux) for a SIGTERM at the end
    of this process, and then becomes the command: same pid, same files."""
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
