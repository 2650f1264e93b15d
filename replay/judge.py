"""A judge whose work is shared between processes, in portions of one task."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import TypeVar

from quasar.replay.work import Answers, Programs, Task, hidden_in
from quasar.replay.workers import Workers
from quasar.rules.executed import Hidden
from quasar.rules.judging import Asked, LocalJudge, Reply, metric

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
        self._announced: dict[tuple[bytes, str], bytes | None] = {}
        """Hidden cases of programs that are not asked for yet, as they came; None while they are
        being made."""
        self._local = LocalJudge()
        self._last: tuple[tuple[bytes, str], Hidden] | None = None

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
                self._announced[portion.task.seed, hotkey] = None
            self._workers.submit(portion, partial(self._arrived, portion), soon=True)
        self._workers.turn()
        while len(self._announced) > _ANNOUNCED:
            self._announced.pop(next(iter(self._announced)))

    def hidden(self, asked: Asked) -> Hidden:
        key = asked.task.seed, asked.hotkey
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        if key not in self._announced:
            return self._local.hidden(asked)
        self._workers.until(lambda: self._announced[key] is not None)
        result = self._announced.pop(key)
        assert result is not None
        self._last = key, hidden_in(result)
        return self._last[1]

    def _arrived(self, portion: Programs, results: Sequence[bytes]) -> None:
        for hotkey, result in zip(portion.hotkeys, results, strict=True):
            key = portion.task.seed, hotkey
            if key in self._announced:
                self._announced[key] = result


def _task(asked: Asked) -> Task:
    task = asked.task
    return Task(task.task, task.mix, task.seed, asked.tokens)


def _split(items: list[T], size: int) -> Iterator[list[T]]:
    return (items[i : i + size] for i in range(0, len(items), size))
