"""Task families by name. Pure but for one loader of vendored data (``vendored``)."""

from quasar.benchmarks.code import Code
from quasar.benchmarks.factbook import Factbook
from quasar.benchmarks.family import Family
from quasar.benchmarks.hops import Hops

FAMILIES: dict[str, Family] = {family.name: family for family in (Factbook(), Hops(), Code())}
"""Every released family; a log names them by key."""
