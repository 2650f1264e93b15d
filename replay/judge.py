"""A judge whose work is shared between processes, in portions of one task."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import TypeVar

from quasar.benchmarks.family import Json
from quasar.replay.work import Answers, Programs, Task
from quasar.replay.workers import Workers
from quasar.rules.judging import Asked, LocalJudge, Reply, metric, program_metric

_ANSWERS = 32
"""In a portion: a reference answer takes up to a millisecond, and nobody should wait for long."""
_PROGRAMS = 8
_ANNOUNCED = 20_000
"""Programs that are remembered; any other is judged when it comes."""

T = TypeVar("T")


class SharedJudge:
    """Gives what ``LocalJudge`` gives."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._expected: dict[tuple[bytes, str], list[Json] | None] = {}
        """What programs must return that were announced, and are not asked for yet; None while
        that is being made."""

    def accuracies(self, replies: Sequence[Reply]) -> Sequence[float]:
        portions = []
        for task, same in groupby(replies, lambda reply: reply.asked.task):
            metric(task.metric)  # where it is not installed this says so
            for some in _split(list(same), _ANSWERS):
                hotkeys = [reply.asked.hotkey for reply in some]
                answers = [reply.answer for reply in some]
                portions.append(Answers(_task(some[0].asked), hotkeys, answers))
        return [found for some in self._workers.share(portions) for found in some]

    def expect(self, programs: Sequence[Asked]) -> None:
        portions = [
            Programs(_task(some[0]), [asked.hotkey for asked in some])
            for _, same in groupby(programs, lambda asked: asked.task)
            for some in _split(list(same), _PROGRAMS)
        ]
        for portion in reversed(portions):  # the one that comes last is done first
            for hotkey in portion.hotkeys:
                self._expected[portion.task.seed, hotkey] = None
            self._workers.submit(portion, partial(self._arrived, portion), soon=True)
        self._workers.turn()
        while len(self._expected) > _ANNOUNCED:
            self._expected.pop(next(iter(self._expected)))

    def passed(self, asked: Asked, outputs: Sequence[bytes | None]) -> float:
        key = asked.task.seed, asked.hotkey
        if key not in self._expected:
            return LocalJudge().passed(asked, outputs)
        self._workers.until(lambda: self._expected[key] is not None)
        expected = self._expected.pop(key)
        assert expected is not None
        return program_metric(asked.task.metric)(outputs, expected)

    def _arrived(self, portion: Programs, results: Sequence[list[Json]]) -> None:
        for hotkey, expected in zip(portion.hotkeys, results, strict=True):
            key = portion.task.seed, hotkey
            if key in self._expected:
                self._expected[key] = expected


def _task(asked: Asked) -> Task:
    task = asked.task
    return Task(task.task, task.mix, task.seed, asked.tokens)


def _split(items: list[T], size: int) -> Iterator[list[T]]:
    return (items[i : i + size] for i in range(0, len(items), size))
