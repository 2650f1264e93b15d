"""Runs commands in processes of their own, forked from one that has loaded them all.

Reads a JSON list of commands, each a list of arguments, on stdin; writes a JSON list of what came
of each. A command that takes too long is killed by the alarm.
"""

import gc
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from typing import Any

from quasar.cli import app
from quasar.cli.run import run

LOADED = ("audit", "export", "log", "replay", "simulate", "why")
LIMIT_S = 20
SHOWN = 4000


def main() -> None:
    """All commands, in turn."""
    for name in LOADED:
        __import__(f"quasar.cli.{name}")
    gc.freeze()  # what is loaded stays as it is, so that forks share it
    json.dump([measured(arguments) for arguments in json.load(sys.stdin)], sys.stdout)


def measured(arguments: list[str]) -> dict[str, Any]:
    """What a command wrote, how it ended, and the most memory that it or a child of it held."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            _become(arguments, out.fileno(), err.fileno())
        _, status, used = os.wait4(pid, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(SHOWN).decode(errors="replace"))
    return {
        "code": os.waitstatus_to_exitcode(status),
        "out": texts[0],
        "err": texts[1],
        "peak": used.ru_maxrss * (1024 if sys.platform == "linux" else 1),
        "seconds": time.monotonic() - began,
    }


def _become(arguments: list[str], out: int, err: int) -> None:
    code = 70
    try:
        signal.alarm(LIMIT_S)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        code = run(app, arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
