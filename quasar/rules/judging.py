"""How right an answer is: its metric against what the task's generator expects.

A scorer asks a ``Judge``, so that an audit can share the work between processes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from quasar.benchmarks.family import Instance
from quasar.errors import CannotJudge
from quasar.metrics import METRICS, PROGRAM_METRICS, Metric, ProgramMetric
from quasar.metrics.unicode14 import restrict
from quasar.rules.executed import Hidden, hidden_of
from quasar.rules.plan import PlannedTask


class Asked(NamedTuple):
    """A task as one miner got it."""

    task: PlannedTask
    tokens: int
    """Of the task's bucket: with family and seed it makes the template."""
    hotkey: str


class Reply(NamedTuple):
    """An answer that is read."""

    asked: Asked
    answer: bytes
    """Cut to the task's limit."""


class Judge(Protocol):
    """Accuracies, each a pure function of what is asked and answered."""

    def accuracies(self, replies: Sequence[Reply]) -> Sequence[float]:
        """One for each reply, in order. Raises CannotJudge for a metric that is not installed."""
        ...

    def expect(self, programs: Sequence[Asked]) -> None:
        """These are going to be asked for by ``hidden``, some time."""
        ...

    def hidden(self, asked: Asked) -> Hidden:
        """The hidden cases of a program. Cheap, where it was the last one that was asked for."""
        ...


class LocalJudge:
    """Judges here and now."""

    def __init__(self) -> None:
        self._last: tuple[tuple[bytes, str], Hidden] | None = None
        """By the task's seed and hotkey."""

    def accuracies(self, replies: Sequence[Reply]) -> Sequence[float]:
        return [
            accuracy(asked.task, asked.task.variant(asked.hotkey).instance, answer)
            for asked, answer in replies
        ]

    def expect(self, programs: Sequence[Asked]) -> None:
        pass

    def hidden(self, asked: Asked) -> Hidden:
        key = asked.task.seed, asked.hotkey
        if self._last is None or self._last[0] != key:
            program = asked.task.variant(asked.hotkey).instance.program
            assert program is not None
            self._last = key, hidden_of(program)
        return self._last[1]


def passed(asked: Asked, hidden: Hidden, outputs: Sequence[bytes | None]) -> float:
    """The accuracy of a program with these outputs. Raises CannotJudge as ``program_metric``."""
    return program_metric(asked.task.metric)(outputs, hidden.expected, hidden.tolerances)


def accuracy(task: PlannedTask, instance: Instance, answer: bytes) -> float:
    """What the task's metric gives an answer, cut to its limit. Raises CannotJudge as ``metric``.

    The family's options are for its own metric: one that the policy names instead gets none.
    """
    options = {} if task.mix.metric else instance.options
    return read(metric(task.metric), instance, answer, options)


def read(metric: Metric, instance: Instance, answer: bytes, options: Mapping[str, object]) -> float:
    """What a metric gives an answer, both sides in the characters of one Unicode version."""
    said = restrict(answer.decode("utf-8", "replace"))
    return metric(said, [restrict(reference) for reference in instance.references], **options)


def metric(name: str) -> Metric:
    """The metric of that name and version. Raises CannotJudge where it is not installed."""
    if name not in METRICS:
        raise CannotJudge(
            f"metric {name!r} is not installed; install the quasar-subnet version that "
            "RunStarted names"
        )
    return METRICS[name]


def program_metric(name: str) -> ProgramMetric:
    """The metric of programs of that name. Raises CannotJudge where it is not installed."""
    if name not in PROGRAM_METRICS:
        raise CannotJudge(f"metric {name!r} of programs is not installed")
    return PROGRAM_METRICS[name]
