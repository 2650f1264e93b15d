"""Each extra alone brings what its role imports: everything else is hidden from the process."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

from tests.packaging.conftest import ROOT
from tests.packaging.test_constraints import required

ROLES = {
    "": [
        "quasar.replay",
        "quasar.rules",
        "quasar.benchmarks",
        "quasar.metrics",
        "quasar.sinks",
        "quasar.cli.audit",
        "quasar.cli.export",
        "quasar.cli.log",
        "quasar.cli.policy",
        "quasar.cli.why",
    ],
    "miner": ["quasar.door", "quasar.inference", "quasar.actors.inference"],
    "validator": [
        "quasar.supervisor",
        "quasar.actors",
        "quasar.chain",
        "quasar.door",
        "quasar.log",
        "quasar.sandbox",
    ],
}
"""Extra to the packages that must import with it; the core alone has no name."""

PROGRAM = """
import importlib, json, pkgutil, sys
from importlib.machinery import PathFinder

hidden, packages = json.loads(sys.argv[1])

class Partial:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name in hidden else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Partial
for package in packages:
    path = getattr(importlib.import_module(package), "__path__", [])
    for module in pkgutil.walk_packages(path, package + "."):
        importlib.import_module(module.name)
"""


def hidden_from(extra: str) -> list[str]:
    """Top-level modules that an installation with only this extra does not have."""
    seen: set[tuple[str, frozenset[str]]] = set()
    required("quasar-subnet", frozenset({extra} - {""}), seen)
    present = {name.replace("_", "-").lower() for name, _ in seen}
    owners = metadata.packages_distributions()
    return sorted(
        module
        for module, names in owners.items()
        if not {name.replace("_", "-").replace(".", "-").lower() for name in names} & present
    )


@pytest.mark.parametrize("extra", sorted(ROLES))
def test_an_extra_runs_its_role(extra: str) -> None:
    """The modules of a role import with its extra and no other."""
    hidden = hidden_from(extra)
    assert "pytest" in hidden
    assert ("bittensor" in hidden) is (extra == "")
    assert ("aiodocker" in hidden) is (extra != "validator")
    assert ("nats" in hidden) is (extra != "validator")
    command = [sys.executable, "-c", PROGRAM, json.dumps([hidden, ROLES[extra]])]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
