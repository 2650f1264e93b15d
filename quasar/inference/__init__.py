"""Engines that a miner can run: each reads a context and a question and writes an answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from quasar.errors import UsageError
from quasar.inference.answered import Answered as Answered
from quasar.inference.answered import Reporting
from quasar.inference.baselines import Empty, Random
from quasar.inference.extractive import Extractive, Truncated
from quasar.inference.reader import ReaderEngine
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
    "truncated": Truncated,
    "random": Random,
    "empty": Empty,
}
"""Every engine that needs no further configuration."""

MODEL_ENGINES: dict[str, type[TransformersEngine]] = {
    kind.kind: kind for kind in (TransformersEngine, ReaderEngine)
}
"""Every engine that runs a language model of a folder: ``kind:FOLDER``."""


def engine(name: str) -> Engine:
    """The engine of a name of ``ENGINES``, or of ``transformers:FOLDER`` or ``reader:FOLDER``.

    The latter two load the model. Raises UsageError for another name, MissingExtra where the
    packages are not installed.
    """
    kind, colon, folder = name.partition(":")
    if colon and kind in MODEL_ENGINES:
        return MODEL_ENGINES[kind](folder)
    if name not in ENGINES:
        choices = ", ".join([*ENGINES, *(f"{kind}:FOLDER" for kind in MODEL_ENGINES)])
        raise UsageError(f"no engine is called {name!r}: choose one of {choices}")
    return ENGINES[name]()


def check_engine(name: str) -> None:
    """Raise what ``engine`` raises for a name that it does not know, and load nothing."""
    if name.partition(":")[0] not in MODEL_ENGINES:
        engine(name)


def label(name: str) -> str:
    """An engine's own name, as a log has it: without the path of its folder."""
    kind, colon, folder = name.partition(":")
    return f"{kind}:{Path(folder).name}" if colon else name


def respond(engine: Engine, context: str, question: str, limit: int) -> Answered:
    """An engine's answer, with its report of what it read if it makes one."""
    if isinstance(engine, Reporting):
        return engine.respond(context, question, limit)
    return Answered(engine.answer(context, question, limit), 0, 0)
