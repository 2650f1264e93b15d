"""Forgery 36: a wrong program recorded as right, and everything downstream computed anew."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from quasar.events import CodeExecuted
from quasar.sandbox import Outcome, Sandbox, SandboxConfig, open_sandbox
from tests.builders import World
from tests.code_round import code_instance
from tests.unit.acting import acting, count, until
from tests.unit.cli_archive import write
from tests.unit.test_code_path import executor, revealed

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


class Lying:
    """Runs programs, and says of one miner's that they were right."""

    def __init__(self, sandbox: Sandbox, world: World, friend: str) -> None:
        self.identity = sandbox.identity
        self._sandbox = sandbox
        instance = code_instance(world, (1, 1, friend))
        assert instance is not None
        self._program = instance.program

    async def run(
        self, code: str, function_name: str, inputs: Sequence[Sequence[Any]]
    ) -> list[Outcome]:
        if list(inputs) == self._program.cases:
            return [Outcome(status="ok", output=value) for value in self._program.expected]
        return await self._sandbox.run(code, function_name, inputs)


def audited(archive: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and report."""
    command = [sys.executable, "-W", "error", "-m", "quasar", "audit", str(archive)]
    done = subprocess.run([*command, "--re-execute", "--json"], stdout=subprocess.PIPE, check=False)
    return done.returncode, json.loads(done.stdout)


async def test_a_wrong_program_recorded_as_right(tmp_path: Path) -> None:
    """The honest log runs again alike; of the forged one, which is clean, the friend is named."""
    honest, forged = await revealed(), await revealed()
    _, friend = honest.miners
    async with open_sandbox(SandboxConfig(owner="test")) as sandbox:
        for world, runner in ((honest, sandbox), (forged, Lying(sandbox, forged, friend))):
            async with acting(executor(world, runner)):
                await until(world.log, count(CodeExecuted, 2))
            await world.settle()
    write(honest, tmp_path / "honest")
    write(forged, tmp_path / "forged")
    code, report = audited(tmp_path / "honest")
    assert (code, report["result"], report["execution"]["equal"]) == (0, "clean", 2)
    code, report = audited(tmp_path / "forged")
    assert (code, report["result"], report["findings"]) == (1, "clean", 0)
    execution = report["execution"]
    assert (execution["programs"], execution["differing"], execution["complete"]) == (2, 1, True)
    assert execution["other_images"] == 0
    (named,) = execution["listed"]
    assert (named["hotkey"], named["recorded"], named["here"]) == (friend, named["cases"], 0)
    assert b'"CodeExecuted.2"' in forged.lines[named["seq"] - 1]
