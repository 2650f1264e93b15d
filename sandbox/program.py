"""The runner as a command line: no file in the image, no mount, so any engine can start it."""

import json
from importlib import resources

from quasar.sandbox.config import SandboxConfig
from quasar.sandbox.inside.child import Limits
from quasar.sandbox.syscalls import AUDIT_ARCH, bpf

MODULES = tuple(
    f"quasar.sandbox.inside.{name}" for name in ("lint", "child", "clock", "case", "runner")
)
"""In the order of their imports; the last one is the program."""
WALL_FACTOR = 3.0
"""A case that waited this much for a processor is better run again than waited for."""
FLOOD_BYTES = 16 << 20
"""Who prints more than this is stopped."""
BOOT = """
import json, sys, types
setup = json.loads(sys.argv[1])
for name, source in setup["modules"]:
    sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), vars(sys.modules[name]))
filters = {machine: bytes.fromhex(program) for machine, program in setup["filters"].items()}
sys.modules[name].main(filters, setup["limits"])
"""
ENVIRONMENT = ["PYTHONHASHSEED=0", "PYTHONUTF8=1", "PYTHONSAFEPATH=1"]
"""A fixed hash seed: sets of strings have one order, so honest code answers alike each time."""


def limits(config: SandboxConfig, threads: int | None = None) -> Limits:
    """What the runner enforces for each case."""
    return Limits(
        timeout_s=config.timeout_s,
        wall_s=wall_s(config),
        memory_bytes=config.memory_mib << 20,
        threads=threads,
        output_bytes=config.output_bytes,
        log_bytes=config.log_bytes,
        flood_bytes=max(FLOOD_BYTES, config.log_bytes),
    )


def wall_s(config: SandboxConfig) -> float:
    """After how many seconds the runner ends a case, however little of the processor it had."""
    return WALL_FACTOR * config.timeout_s / min(1.0, config.cpus)


def command(config: SandboxConfig, threads: int | None = None) -> list[str]:
    """Program and arguments of the cell's PID 1. ``threads``: see Limits."""
    inside = resources.files("quasar.sandbox.inside")
    sources = [(name, inside / f"{name.rpartition('.')[2]}.py") for name in MODULES]
    setup = {
        "modules": [(name, file.read_text("utf-8")) for name, file in sources],
        "filters": {machine: bpf(machine).hex() for machine in AUDIT_ARCH},
        "limits": limits(config, threads),
    }
    return ["python3", "-s", "-S", "-B", "-c", BOOT, json.dumps(setup, separators=(",", ":"))]
