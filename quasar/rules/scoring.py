"""Scorer's rule: scores a round once it is revealed, then its mean rewards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from quasar.errors import CannotJudge
from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    AnyEvent,
    BlockObserved,
    Event,
    MeanReward,
    PolicyAdopted,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    TaskAccepted,
)
from quasar.events.blobs import Blobs
from quasar.metrics import METRICS, Metric
from quasar.rules.faults import Verdict, judge
from quasar.rules.machine import Recorded
from quasar.rules.plan import PlannedTask, assignments, plan_tasks
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.rewards import MEANS, REWARDS, Earned, total
from quasar.rules.secrets import round_seed

ACTOR = "scorer"

Outcome = AnswerReceived | AnswerAbandoned
Score = AnswerScored | AnswerNotScored


@dataclass
class ScoringRound:
    """What is known of a round that is not fully scored."""

    opened: RoundOpened
    policy: Policy
    beacon_hash: str = ""
    accepted: set[tuple[int, str]] = field(default_factory=set)
    outcomes: dict[tuple[int, str], Outcome] = field(default_factory=dict)
    scores: dict[tuple[int, str], Score] = field(default_factory=dict)

    @property
    def reached_enough(self) -> bool:
        """Whether enough participants accepted something to call the rest unreachable."""
        reached = len({hotkey for _, hotkey in self.accepted})
        return reached >= self.policy.scoring.reached_share * len(self.opened.participants)


@dataclass
class ScorerState:
    """The fold."""

    policies: dict[str, Policy] = field(default_factory=dict)
    """By digest: a round keeps the policy it was opened under."""
    rounds: dict[int, ScoringRound] = field(default_factory=dict)


class ScoringRule:
    """Decides AnswerScored, AnswerNotScored and RoundScored."""

    actor = ACTOR
    subscribes: frozenset[type[Event]] = frozenset(
        {
            PolicyAdopted,
            RoundOpened,
            BlockObserved,
            TaskAccepted,
            AnswerReceived,
            AnswerAbandoned,
            RoundRevealed,
            AnswerScored,
            AnswerNotScored,
            RoundScored,
        }
    )

    def initial(self) -> ScorerState:
        return ScorerState()

    def decide(self, state: ScorerState, seen: Recorded, blobs: Blobs) -> Sequence[AnyEvent]:
        match seen.event:
            case RoundRevealed(round=number, secret=secret) if number in state.rounds:
                current = state.rounds[number]
                return list(_score_round(current, bytes.fromhex(secret), blobs))
            case AnswerScored() | AnswerNotScored() as score:
                return _close_round(state.rounds[score.round], score)
        return ()

    def evolve(self, state: ScorerState, seen: Recorded, blobs: Blobs) -> ScorerState:
        match seen.event:
            case PolicyAdopted(toml=toml):
                state.policies[toml.sha256] = recorded_policy(blobs.get(toml))
            case RoundOpened() as opened:
                policy = state.policies[opened.policy]
                state.rounds[opened.round] = ScoringRound(opened, policy)
            case BlockObserved(number=number, hash=block_hash):
                for current in state.rounds.values():
                    if current.opened.beacon_block == number:
                        current.beacon_hash = block_hash
            case TaskAccepted(acceptance=a):
                state.rounds[a.round].accepted.add((a.task, a.hotkey))
            case AnswerReceived() | AnswerAbandoned() as outcome:
                key = (outcome.task, outcome.hotkey)
                state.rounds[outcome.round].outcomes[key] = outcome
            case AnswerScored() | AnswerNotScored() as score:
                state.rounds[score.round].scores[(score.task, score.hotkey)] = score
            case RoundScored(round=number):
                del state.rounds[number]
        return state


def answer_bytes(outcome: AnswerReceived, blobs: Blobs, limit: int) -> bytes:
    """The answer as it is scored: cut to the task's limit."""
    if outcome.text is not None:
        return outcome.text.encode()[:limit]
    assert outcome.blob is not None
    return blobs.get(outcome.blob)[:limit]


def _score_round(current: ScoringRound, secret: bytes, blobs: Blobs) -> Iterator[AnyEvent]:
    """One score for each assignment, by task and hotkey, whatever order the answers came in."""
    seed = round_seed(secret, current.beacon_hash)
    for task in plan_tasks(seed, current.policy):
        for hotkey in current.opened.participants:
            yield _score(current, task, hotkey, blobs)


def _score(current: ScoringRound, task: PlannedTask, hotkey: str, blobs: Blobs) -> Score:
    outcome = current.outcomes[(task.task, hotkey)]
    verdict = judge(
        outcome,
        accepted=(task.task, hotkey) in current.accepted,
        reached_enough=current.reached_enough,
    )
    if not verdict.scored:
        return _not_scored(current, task, hotkey, verdict)
    accuracy = 0.0
    if verdict.failure is None:
        assert isinstance(outcome, AnswerReceived)
        answer = answer_bytes(outcome, blobs, current.policy.answers.max_bytes)
        expected = task.variant(hotkey).instance.answer
        accuracy = total(metric(task.metric)(answer, expected))
    return _scored(current, task, hotkey, accuracy, verdict)


def metric(name: str) -> Metric:
    """The metric of that name and version. Raises CannotJudge where it is not installed."""
    if name not in METRICS:
        raise CannotJudge(
            f"metric {name!r} is not installed; install the quasar-subnet version that "
            "RunStarted names"
        )
    return METRICS[name]


def _scored(
    current: ScoringRound, task: PlannedTask, hotkey: str, accuracy: float, verdict: Verdict
) -> AnswerScored:
    policy = current.policy
    multiplier = policy.bucket(task.mix.bucket).multiplier
    return AnswerScored(
        round=current.opened.round,
        task=task.task,
        hotkey=hotkey,
        bucket=task.mix.bucket,
        metric=task.metric,
        accuracy=accuracy,
        multiplier=multiplier,
        reward=REWARDS[policy.scoring.reward](Earned(accuracy, multiplier)),
        failure=verdict.failure,
        unproved=verdict.unproved,
    )


def _not_scored(
    current: ScoringRound, task: PlannedTask, hotkey: str, verdict: Verdict
) -> AnswerNotScored:
    assert verdict.owner is not None
    assert verdict.failure is not None
    return AnswerNotScored(
        round=current.opened.round,
        task=task.task,
        hotkey=hotkey,
        bucket=task.mix.bucket,
        fault=verdict.owner,
        failure=verdict.failure,
    )


def _close_round(current: ScoringRound, last: Score) -> Sequence[AnyEvent]:
    """RoundScored, with the last score of the round."""
    scores = {**current.scores, (last.task, last.hotkey): last}
    if len(scores) < assignments(current.policy, current.opened.participants):
        return ()
    rewards = [
        _mean_reward(current.policy, hotkey, [s for s in scores.values() if s.hotkey == hotkey])
        for hotkey in current.opened.participants
    ]
    return [RoundScored(round=current.opened.round, rewards=rewards)]


def _mean_reward(policy: Policy, hotkey: str, scores: Sequence[Score]) -> MeanReward:
    counted = [s for s in scores if isinstance(s, AnswerScored)]
    earned = [Earned(s.accuracy, s.multiplier) for s in counted]
    return MeanReward(
        hotkey=hotkey,
        scored=len(counted),
        not_scored=len(scores) - len(counted),
        unproved=len([s for s in counted if s.unproved]),
        mean=MEANS[policy.scoring.reward](earned) if earned else None,
    )
