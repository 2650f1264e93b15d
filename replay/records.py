"""How each miner did: its results by task family and length, to draw new ones from."""

from typing import NamedTuple

from quasar.events import (
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    AnyEvent,
    RoundScored,
    TaskSampled,
)

Cell = tuple[str, str]
"""Task family and bucket."""


class Result(NamedTuple):
    """How one assignment ended."""

    accuracy: float | None
    """None where it was left out: the failure was not the miner's."""
    failure: str | None
    unproved: bool
    elapsed_ms: int | None
    """From acceptance to answer; None where none came."""


class Records:
    """Feeds on every event in order."""

    def __init__(self) -> None:
        self.results: dict[str, dict[Cell, list[Result]]] = {}
        """Hotkey to its results, in the order of their scores."""
        self._families: dict[tuple[int, int], str] = {}
        self._elapsed: dict[tuple[int, int, str], int] = {}

    @property
    def hotkeys(self) -> list[str]:
        """Everyone who ever got a score, sorted."""
        return sorted(self.results)

    @property
    def cells(self) -> list[Cell]:
        """Every kind of task that somebody got."""
        return list(dict.fromkeys(cell for cells in self.results.values() for cell in cells))

    def feed(self, event: AnyEvent) -> None:
        """Fold one event."""
        match event:
            case TaskSampled(round=number, task=task, family=family):
                self._families[(number, task)] = family
            case AnswerReceived(elapsed_ms=elapsed):
                self._elapsed[(event.round, event.task, event.hotkey)] = elapsed
            case AnswerScored():
                self._add(event, event.accuracy, event.unproved)
            case AnswerNotScored():
                self._add(event, None, unproved=False)
            case RoundScored(round=number):
                self._families = {k: v for k, v in self._families.items() if k[0] != number}

    def _add(
        self, score: AnswerScored | AnswerNotScored, accuracy: float | None, unproved: bool
    ) -> None:
        elapsed = self._elapsed.pop((score.round, score.task, score.hotkey), None)
        family = self._families.get((score.round, score.task))
        if family is None:
            return  # an audit says that nobody sampled it; nothing is drawn from it
        cells = self.results.setdefault(score.hotkey, {})
        result = Result(accuracy, score.failure, unproved, elapsed)
        cells.setdefault((family, score.bucket), []).append(result)
