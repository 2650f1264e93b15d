"""Child processes of a demo: each says it is ready with one JSON line, and ends with its parent."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import anyio
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from quasar.errors import QuasarError

READY_S = 60.0
STOP_S = 5.0

_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
except (OSError, AttributeError):
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the child, having asked the kernel (of Linux) for a SIGTERM at the end of its parent."""


class ChildFailed(QuasarError):
    """Raised when a child process ends before it is ready."""


@asynccontextmanager
async def child(module: str, arguments: Sequence[str], log: Path) -> AsyncIterator[dict[str, Any]]:
    """Run ``python -m module``; gives what its first line says. Its stderr goes to ``log``."""
    with log.open("ab") as errors:
        command = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid())]
        command += [sys.executable, "-m", module, *arguments]
        process = await anyio.open_process(command, stdin=DEVNULL, stdout=PIPE, stderr=errors)
    try:
        assert process.stdout is not None
        try:
            with anyio.fail_after(READY_S):
                lines = BufferedByteReceiveStream(process.stdout)
                line = await lines.receive_until(b"\n", 65_536)
        except (anyio.IncompleteRead, anyio.EndOfStream, TimeoutError):
            raise ChildFailed(f"{module} did not start: {_last_line(log)}") from None
        yield msgspec.json.decode(line)
    finally:
        with anyio.CancelScope(shield=True):
            await _stop(process)


async def _stop(process: anyio.abc.Process) -> None:
    """SIGTERM, then SIGKILL."""
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(STOP_S):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "no word from it"
