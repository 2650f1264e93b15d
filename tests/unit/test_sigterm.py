"""SIGTERM ends a program in order before it waits for signals itself, and after it did."""

import os
import signal
import socket
from pathlib import Path

import anyio
import pytest

from quasar.supervisor.restart import drain_on_signal
from tests.e2e.programs import QUASAR, interrupt, running


@pytest.mark.parametrize("command", ["validate", "mine"])
def test_a_program_that_still_starts(tmp_path: Path, command: str) -> None:
    """It waits for a chain that never answers: exit 0, and a line says why."""
    with socket.create_server(("127.0.0.1", 0)) as chain:
        url = f"ws://127.0.0.1:{chain.getsockname()[1]}"
        arguments = [command, "--chain", url, "--seed", "7", "--state", str(tmp_path / "state")]
        with running(QUASAR, arguments, tmp_path / "log") as process:
            chain.settimeout(120)
            with chain.accept()[0]:
                interrupt(process, signal.SIGTERM)
                assert process.wait(60) == 0
    assert "quasar: stops, as SIGTERM says\n" in (tmp_path / "log").read_text()


def test_who_drained_leaves_signals_as_they_were() -> None:
    """Another SIGTERM, while the next volume opens, does what it did before."""
    heard: list[int] = []

    async def drain() -> None:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(drain_on_signal, scope)
                await anyio.wait_all_tasks_blocked()
                os.kill(os.getpid(), signal.SIGTERM)
        assert scope.cancel_called

    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        anyio.run(drain)
        assert heard == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
