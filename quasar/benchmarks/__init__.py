"""Task families by name. Pure but for one loader of vendored data (``vendored``)."""

from quasar.benchmarks.factbook import Factbook
from quasar.benchmarks.family import Family

FAMILIES: dict[str, Family] = {family.name: family for family in (Factbook(),)}
"""Every released family; a log names them by key."""
