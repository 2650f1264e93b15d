"""Reads what users bring (documents, LongBench) and makes packs of it.

Generators know packs by digest alone (``quasar.benchmarks.packs``); here are the files, the
archives and the hub that packs are made from.
"""

from quasar.packs.adopting import open_sources as open_sources
from quasar.packs.adopting import require as require
from quasar.packs.source import load_pack as load_pack
from quasar.packs.source import make_pack as make_pack
from quasar.packs.source import open_source as open_source
