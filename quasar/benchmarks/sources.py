"""The vendored source text: functions and classes of Python's standard library, by module."""

import re
from functools import cache
from typing import NamedTuple

import msgspec

from quasar.benchmarks import vendored

CODE_DIGEST = "1dfb50846f70d9fe0975f3c45f41f6dc286da71d7086f09f6ee5d4242d27c901"
"""SHA-256 of the decompressed pack of source text."""


class Sources(NamedTuple):
    """About 550 thousand canonical tokens of Python 3.11."""

    modules: tuple[str, ...]
    """Such as ``asyncio/queues.py``."""
    homes: tuple[int, ...]
    """The module of each unit, by number; units of a module stand together and in order."""
    units: tuple[str, ...]
    """Definitions, and what stands between them; each begins at the margin and ends with one
    empty line."""
    tokens: tuple[int, ...]
    """Canonical tokens of each unit; sums are exact (see ``tokenizer``)."""


class _Pack(msgspec.Struct):
    modules: tuple[str, ...]
    homes: tuple[int, ...]
    units: tuple[str, ...]
    tokens: tuple[int, ...]


@cache
def sources() -> Sources:
    """The pack, read once a process. Raises CannotJudge where it is not as pinned."""
    pack = msgspec.json.decode(vendored.load("code.xz", CODE_DIGEST), type=_Pack)
    return Sources(pack.modules, pack.homes, pack.units, pack.tokens)


@cache
def numbers() -> frozenset[int]:
    """Every number that the source text spells in digits."""
    return frozenset(int(n) for unit in sources().units for n in re.findall("[0-9]+", unit))
