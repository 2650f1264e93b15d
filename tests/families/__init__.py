"""The suite over all families of tasks that need no source of their own."""

from quasar.benchmarks.registry import BUILT_IN

NAMES = sorted(name for name in BUILT_IN if not name.startswith("longbench"))
