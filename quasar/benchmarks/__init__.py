"""Task families by name. Pure but for one loader of vendored data (``vendored``)."""

from quasar.benchmarks.registry import Registry

FAMILIES = Registry()
"""Every released family and every plug-in; a log names them by key."""
