"""Scorer: scores what a revealed round answered."""

from quasar.actors.actor import Decider
from quasar.log import Log
from quasar.rules.scoring import ScoringRule
from quasar.rules.scoring_state import ScorerState


class Scorer(Decider[ScorerState]):
    """Decides AnswerScored, AnswerNotScored and RoundScored. Holds no secret."""

    def __init__(self, log: Log) -> None:
        super().__init__(log, ScoringRule())
