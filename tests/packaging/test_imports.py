"""What an import brings into a process. Each check has a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

EVERYTHING = """
import importlib, json, pkgutil, sys, quasar
for module in pkgutil.walk_packages(quasar.__path__, "quasar."):
    if module.name != "quasar.__main__":
        importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""
ONE = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""
BARE = {"actors", "events", "sandbox", "replay"}
HEAVY = {"nats", "bittensor", "aiohttp", "torch", "numpy", "transformers", "docker", "aiodocker"}
HEAVY |= {"pyarrow", "duckdb", "datasets", "pandas"}


def modules_after(program: str, *arguments: str, cwd: Path = ROOT) -> set[str]:
    """Names in sys.modules once the program has run."""
    command = [sys.executable, "-c", program, *arguments]
    run = subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, timeout=60)
    return set(json.loads(run.stdout))


def test_no_module_has_two_names() -> None:
    """With everything imported there is no bare `events`: it would be a second module object."""
    loaded = modules_after(EVERYTHING)
    assert not {name.split(".")[0] for name in loaded} & BARE
    files = {f.relative_to(ROOT).with_suffix("").as_posix() for f in (ROOT / "events").glob("*.py")}
    names = {f"quasar.{f.replace('/', '.')}".removesuffix(".__init__") for f in files}
    assert names <= loaded


@pytest.mark.parametrize("module", ["quasar.events.envelope", "quasar.log", "quasar.rules"])
def test_the_core_imports_nothing_heavy(module: str) -> None:
    """What an audit stands on needs no network, no chain and no tensor library."""
    loaded = modules_after(ONE, module)
    assert module in loaded
    assert not {name.split(".")[0] for name in loaded} & HEAVY
