"""Child processes of a demo: each says it is ready with one JSON line, and ends with its parent."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from quasar.errors import QuasarError

READY_S = 60.0
STOP_S = 5.0


class ChildFailed(QuasarError):
    """Raised when a child process ends before it is ready."""


@asynccontextmanager
async def child(module: str, arguments: Sequence[str], log: Path) -> AsyncIterator[dict[str, Any]]:
    """Run ``python -m module``; gives what its first line says. Its stderr goes to ``log``."""
    with log.open("ab") as errors:
        process = await anyio.open_process(
            [sys.executable, "-m", module, *arguments], stdin=PIPE, stdout=PIPE, stderr=errors
        )
    try:
        assert process.stdout is not None
        with anyio.fail_after(READY_S):
            try:
                lines = BufferedByteReceiveStream(process.stdout)
                line = await lines.receive_until(b"\n", 65_536)
            except (anyio.IncompleteRead, anyio.EndOfStream):
                raise ChildFailed(
                    f"{module} did not start: {_last_line(log)} (all of it: {log})"
                ) from None
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
