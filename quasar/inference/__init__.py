"""Engines that a miner can run: each reads a context and a question and writes an answer."""

from collections.abc import Callable
from typing import Protocol

from quasar.errors import UsageError
from quasar.inference.baselines import Empty, Random
from quasar.inference.extractive import Extractive


class Engine(Protocol):
    """Answers questions about a text. The baselines here use no network and no clock."""

    @property
    def name(self) -> str:
        """What ``engine`` finds it by."""
        ...

    def answer(self, context: str, question: str, limit: int) -> str:
        """An answer of at most ``limit`` bytes of UTF-8."""
        ...


ENGINES: dict[str, Callable[[], Engine]] = {
    "extractive": Extractive,
    "random": Random,
    "empty": Empty,
}
"""Every engine that needs no further configuration."""


def engine(name: str) -> Engine:
    """The engine of a name. Raises UsageError for a name that is not in ``ENGINES``."""
    if name not in ENGINES:
        raise UsageError(f"no engine is called {name!r}: choose one of {', '.join(ENGINES)}")
    return ENGINES[name]()
