"""Tasks that several validators have alike, and what each made of the same answer to them.

Each has its own secrets, so honest validators' tasks differ. Where they do not, the same bytes from
the same miner must have the same score.
"""

from collections.abc import Mapping, Sequence

from quasar.events import AnswerScored
from quasar.replay.diff_found import OneScore, OtherScores, SameAnswers, Tasks
from quasar.replay.diff_rounds import Judged, PlayedRound

SHOWN = 100
"""Answers with other scores that are listed; all are counted."""


class Answers:
    """Feeds on the rounds of one block at a time."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self.tasks = Tasks()
        self.same = SameAnswers()

    def feed(self, block: int, played: Mapping[int, PlayedRound]) -> None:
        """The rounds of a block, by log."""
        if len(played) < 2:
            return
        seen: dict[str, int] = {}
        for current in played.values():
            for template in dict.fromkeys(current.templates):
                seen[template] = seen.get(template, 0) + 1
        same = len([1 for logs in seen.values() if logs > 1])
        self.tasks.blocks += 1
        self.tasks.same += same
        self.tasks.different += len(seen) - same
        if same:
            self._answers(block, played)

    def _answers(self, block: int, played: Mapping[int, PlayedRound]) -> None:
        for hotkey, judged in _answered(played):
            self.same.compared += 1
            scores = [self._score(log, played[log], one) for log, one in judged.items()]
            if not _agree(scores):
                self.same.other_scores += 1
                if len(self.same.first) < SHOWN:
                    self.same.first.append(_other(hotkey, block, judged, scores))

    def _score(self, log: int, played: PlayedRound, judged: Judged) -> OneScore:
        score = judged.score
        assert isinstance(score, AnswerScored)
        return OneScore(
            log=self._names[log],
            round=score.round,
            task=score.task,
            volume=judged.at.volume,
            seq=judged.at.seq,
            policy=played.policy,
            accuracy=score.accuracy,
            reward=score.reward,
        )


def _answered(played: Mapping[int, PlayedRound]) -> list[tuple[str, dict[int, Judged]]]:
    """Answers in time that several validators got with the same bytes to the same question."""
    found: dict[tuple[str, bytes, str], dict[int, Judged]] = {}
    for log, current in played.items():
        for (_, hotkey), judged in current.judged.items():
            scored = isinstance(judged.score, AnswerScored) and judged.score.failure is None
            if scored and judged.answer is not None:
                found.setdefault((hotkey, judged.asked, judged.answer), {})[log] = judged
    return [(hotkey, by_log) for (hotkey, _, _), by_log in found.items() if len(by_log) > 1]


def _agree(scores: Sequence[OneScore]) -> bool:
    """Whether the accuracy is one, and under one policy the reward too."""
    rewards = {(one.policy, one.reward) for one in scores}
    policies = {one.policy for one in scores}
    return len({one.accuracy for one in scores}) == 1 and len(rewards) == len(policies)


def _other(
    hotkey: str, block: int, judged: Mapping[int, Judged], scores: list[OneScore]
) -> OtherScores:
    one = next(iter(judged.values()))
    assert isinstance(one.score, AnswerScored)
    assert one.answer is not None
    return OtherScores(
        hotkey=hotkey,
        block=block,
        family=one.cell[0],
        bucket=one.cell[1],
        metric=one.score.metric,
        answer=one.answer,
        scores=scores,
    )
