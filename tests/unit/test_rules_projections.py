"""The leaderboard: a fold of the log, like everything else."""

from quasar.events import AnswerNotScored, AnswerScored, WeightsComputed, WeightsDeferred
from quasar.rules.machine import Recorded
from quasar.rules.projections import Leaderboard
from quasar.rules.statistics import summarise
from tests.forging import played


def board(size: int | None = None) -> Leaderboard:
    """The fold of the first events."""
    found = Leaderboard()
    for seq, line in enumerate(played().lines[:size], 1):
        found.feed(Recorded(seq, line))
    return found


def test_the_leaderboard_counts() -> None:
    """Rounds, tasks and answers as they stand in the log."""
    found = board()
    assert (found.opened, found.rounds, found.skipped) == (4, 3, 0)
    assert (found.tasks, found.answers, found.abandoned) == (9, 23, 4)
    assert found.buckets == ["32k", "124k"]
    assert found.deferred == played().events(WeightsDeferred)[-1]


def test_each_miner_has_its_line() -> None:
    """Mean, n and interval of all its scores and by bucket, and what was left out."""
    scores = played().events(AnswerScored)
    left_out = [e.hotkey for e in played().events(AnswerNotScored)]
    for line in board().lines():
        mine = [s for s in scores if s.hotkey == line.hotkey]
        assert line.reward == summarise([s.reward for s in mine])
        for bucket, summary in line.buckets.items():
            assert summary == summarise([s.accuracy for s in mine if s.bucket == bucket])
        assert line.not_scored == left_out.count(line.hotkey)


def test_lines_stand_by_weight() -> None:
    """The newest row's highest first; weights are that row's."""
    row = played().events(WeightsComputed)[-1]
    assert board().weights == {w.hotkey: w.u16 for w in row.weights}
    shown = [line.u16 for line in board().lines()]
    assert shown == sorted((w.u16 for w in row.weights), reverse=True)


def test_a_young_log_has_a_board() -> None:
    """Before any score, the participants of the first round stand by hotkey, without numbers."""
    found = board(20)
    assert [line.hotkey for line in found.lines()] == sorted(played().miners)
    assert all((line.reward, line.u16, line.buckets) == (None, None, {}) for line in found.lines())
    assert found.weights == {}
