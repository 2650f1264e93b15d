"""What the scorer knows: the rounds that are not scored, and those that findings still need."""

from dataclasses import dataclass, field

from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    RoundOpened,
)
from quasar.events.blobs import Blobs
from quasar.metrics.program import extract_code
from quasar.rules.judging import Asked
from quasar.rules.policy import Policy

Outcome = AnswerReceived | AnswerAbandoned
Score = AnswerScored | AnswerNotScored


@dataclass
class ScoringRound:
    """What is known of a round that is not fully scored."""

    opened: RoundOpened
    policy: Policy
    beacon_hash: str = ""
    secret: bytes = b""
    """Known once the round is revealed."""
    accepted: set[tuple[int, str]] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    """Who accepted anything."""
    outcomes: dict[tuple[int, str], Outcome] = field(default_factory=dict)
    scores: dict[tuple[int, str], Score] = field(default_factory=dict)
    programs: dict[int, Asked] = field(default_factory=dict)
    """A memo of ``asked_program``: tasks in code by number, the hotkey left open."""

    @property
    def reached_enough(self) -> bool:
        """Whether enough participants accepted something to call the rest unreachable."""
        enough = self.policy.scoring.reached_share * len(self.opened.participants)
        return len(self.reached) >= enough


@dataclass
class ScorerState:
    """The fold."""

    policies: dict[str, Policy] = field(default_factory=dict)
    """By digest: a round keeps the policy it was opened under."""
    sandbox: str | None = None
    rounds: dict[int, ScoringRound] = field(default_factory=dict)
    looked: list[ScoringRound] = field(default_factory=list)
    """Scored ones that findings have not looked at yet: with the next ones they will."""


def answer_bytes(outcome: AnswerReceived, blobs: Blobs, limit: int) -> bytes:
    """The answer as it is scored: cut to the task's limit."""
    if outcome.text is not None:
        return outcome.text.encode()[:limit]
    assert outcome.blob is not None
    return blobs.get(outcome.blob)[:limit]


def answer_of(current: ScoringRound, task: int, hotkey: str, blobs: Blobs) -> bytes:
    """What was answered, cut to the limit."""
    outcome = current.outcomes[(task, hotkey)]
    assert isinstance(outcome, AnswerReceived)
    return answer_bytes(outcome, blobs, current.policy.answers.max_bytes)


def program_text(current: ScoringRound, task: int, hotkey: str, blobs: Blobs) -> str:
    """The code in an answer."""
    return extract_code(answer_of(current, task, hotkey, blobs))
