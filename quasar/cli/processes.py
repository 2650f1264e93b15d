"""Child processes of a demo: each says it is ready with one JSON line, and ends with its parent."""

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
from quasar.log.child_process import ending_with_parent

READY_S = 60.0
STOP_S = 5.0


class ChildFailed(QuasarError):
    """Raised when a child process ends before it is ready."""


@asynccontextmanager
async def child(module: str, arguments: Sequence[str], log: Path) -> AsyncIterator[dict[str, Any]]:
    """Run ``python -m module``; gives what its first line says. Its stderr goes to ``log``."""
    with log.open("ab") as errors:
        command = ending_with_parent([sys.executable, "-m", module, *arguments])
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
