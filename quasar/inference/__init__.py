"""Engines that a miner can run: each reads a context and a question and writes an answer."""

from collections.abc import Callable
from typing import Protocol

from quasar.errors import UsageError
from quasar.inference.answered import Answered as Answered
from quasar.inference.answered import Reporting
from quasar.inference.baselines import Empty, Random
from quasar.inference.extractive import Extractive
from quasar.inference.transformers import TransformersEngine


class Engine(Protocol):
    """Answers questions about a text. The baselines here use no network and no clock."""

    @property
    def name(self) -> str:
        """What a log calls it: what ``engine`` finds it by, without the path of a folder."""
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

_MODEL = "transformers:"


def engine(name: str) -> Engine:
    """The engine of a name of ``ENGINES``, or of ``transformers:FOLDER`` (loads the model).

    Raises UsageError for another name, MissingExtra where the packages are not installed.
    """
    if name.startswith(_MODEL):
        return TransformersEngine(name.removeprefix(_MODEL))
    if name not in ENGINES:
        choices = ", ".join([*ENGINES, f"{_MODEL}FOLDER"])
        raise UsageError(f"no engine is called {name!r}: choose one of {choices}")
    return ENGINES[name]()


def respond(engine: Engine, context: str, question: str, limit: int) -> Answered:
    """An engine's answer, with its report of what it read if it makes one."""
    if isinstance(engine, Reporting):
        return engine.respond(context, question, limit)
    return Answered(engine.answer(context, question, limit), 0, 0)
