"""What an audit meets on its way, in numbers: for the verdict, not for any check."""

from quasar.events import (
    AnswerScored,
    CodeExecuted,
    FindingNoted,
    MetagraphObserved,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RunStarted,
    WeightsDeferred,
)
from quasar.replay.finding import Pending
from quasar.replay.sample import Full
from quasar.rules.machine import Recorded


class Counted:
    """Feeds on every event."""

    def __init__(self, full: Full) -> None:
        """``full``: which rounds are judged in full."""
        self._full = full
        self._unrevealed: set[int] = set()
        self.runs: list[RunStarted] = []
        self.taken = 0
        """Rounds that were not judged in full."""
        self.unproved = self.metagraphs = self.verdicts = self.means = self.deferrals = 0
        self.noted = 0
        """Findings about miners."""

    @property
    def pending(self) -> Pending:
        """Rounds that cannot be judged yet."""
        return Pending(rounds=len(self._unrevealed), newest=max(self._unrevealed, default=None))

    def feed(self, seen: Recorded) -> None:
        """Count one event."""
        match seen.event:
            case RunStarted() as run:
                self.runs.append(run)
            case RoundOpened(round=number):
                self._unrevealed.add(number)
            case RoundRevealed(round=number):
                self._unrevealed.discard(number)
                self.taken += not self._full(number)
            case AnswerScored(unproved=True):
                self.unproved += 1
            case RoundScored():
                self.means += 1
            case FindingNoted():
                self.noted += 1
            case WeightsDeferred():
                self.deferrals += 1
            case MetagraphObserved():
                self.metagraphs += 1
            case CodeExecuted():
                self.verdicts += 1
