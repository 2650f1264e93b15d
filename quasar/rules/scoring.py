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
    CodeExecuted,
    Event,
    ExecutionAbandoned,
    MeanReward,
    PolicyAdopted,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RunStarted,
    TaskAccepted,
)
from quasar.events.blobs import Blobs
from quasar.metrics import METRICS, PROGRAM_METRICS, Metric, ProgramMetric
from quasar.rules.faults import Verdict, judge
from quasar.rules.machine import Recorded
from quasar.rules.plan import PlannedTask, assignments, offered, plan_tasks, runs_code
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
    secret: bytes = b""
    """Known once the round is revealed."""
    accepted: set[tuple[int, str]] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    """Who accepted anything."""
    outcomes: dict[tuple[int, str], Outcome] = field(default_factory=dict)
    scores: dict[tuple[int, str], Score] = field(default_factory=dict)

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


class ScoringRule:
    """Decides AnswerScored, AnswerNotScored and RoundScored."""

    actor = ACTOR
    subscribes: frozenset[type[Event]] = frozenset(
        {
            RunStarted,
            PolicyAdopted,
            RoundOpened,
            BlockObserved,
            TaskAccepted,
            AnswerReceived,
            AnswerAbandoned,
            RoundRevealed,
            CodeExecuted,
            ExecutionAbandoned,
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
            case CodeExecuted() | ExecutionAbandoned() as execution:
                return [_score_program(state.rounds[execution.round], execution, blobs)]
            case AnswerScored() | AnswerNotScored() as score:
                return _close_round(state.rounds[score.round], score)
        return ()

    def evolve(self, state: ScorerState, seen: Recorded, blobs: Blobs) -> ScorerState:
        match seen.event:
            case RunStarted(sandbox=sandbox):
                state.sandbox = sandbox
            case PolicyAdopted(toml=toml):
                state.policies[toml.sha256] = recorded_policy(blobs.get(toml))
            case RoundOpened() as opened:
                policy = offered(state.policies[opened.policy], state.sandbox)
                state.rounds[opened.round] = ScoringRound(opened, policy)
            case BlockObserved(number=number, hash=block_hash):
                for current in state.rounds.values():
                    if current.opened.beacon_block == number:
                        current.beacon_hash = block_hash
            case TaskAccepted(acceptance=a):
                state.rounds[a.round].accepted.add((a.task, a.hotkey))
                state.rounds[a.round].reached.add(a.hotkey)
            case AnswerReceived() | AnswerAbandoned() as outcome:
                key = (outcome.task, outcome.hotkey)
                state.rounds[outcome.round].outcomes[key] = outcome
            case RoundRevealed(round=number, secret=secret) if number in state.rounds:
                state.rounds[number].secret = bytes.fromhex(secret)
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
    """One score for each assignment, by task and hotkey, whatever order the answers came in.

    A program that came in time is scored when it has run.
    """
    for task in plan_tasks(round_seed(secret, current.beacon_hash), current.policy):
        for hotkey in current.opened.participants:
            verdict = verdict_of(current, task.task, hotkey)
            if verdict.failure is not None:
                yield _failed(current, task, hotkey, verdict)
            elif not runs_code(task.mix.family):
                accuracy = metric(task.metric)(*_answer(current, task, hotkey, blobs))
                yield _scored(current, task, hotkey, accuracy, verdict)


def verdict_of(current: ScoringRound, task: int, hotkey: str) -> Verdict:
    """How an assignment ended, before anyone looks at the answer."""
    return judge(
        current.outcomes[(task, hotkey)],
        accepted=(task, hotkey) in current.accepted,
        reached_enough=current.reached_enough,
    )


def _answer(
    current: ScoringRound, task: PlannedTask, hotkey: str, blobs: Blobs
) -> tuple[bytes, str]:
    """What was answered, cut to the limit, and what was expected."""
    outcome = current.outcomes[(task.task, hotkey)]
    assert isinstance(outcome, AnswerReceived)
    answer = answer_bytes(outcome, blobs, current.policy.answers.max_bytes)
    return answer, task.variant(hotkey).instance.answer


def _failed(current: ScoringRound, task: PlannedTask, hotkey: str, verdict: Verdict) -> Score:
    if verdict.scored:
        return _scored(current, task, hotkey, 0.0, verdict)
    return _not_scored(current, task, hotkey, verdict)


def _score_program(
    current: ScoringRound, execution: CodeExecuted | ExecutionAbandoned, blobs: Blobs
) -> Score:
    """The share of hidden cases that a program passed."""
    seed = round_seed(current.secret, current.beacon_hash)
    task = next(t for t in plan_tasks(seed, current.policy) if t.task == execution.task)
    if isinstance(execution, ExecutionAbandoned):
        verdict = Verdict("not-executed", execution.fault)
        return _failed(current, task, execution.hotkey, verdict)
    program = task.variant(execution.hotkey).instance.program
    assert program is not None
    outputs = [
        blobs.get(case.output) if case.status == "ok" and case.output else None
        for case in execution.cases
    ]
    accuracy = program_metric(task.metric)(outputs, program.expected)
    return _scored(current, task, execution.hotkey, accuracy, Verdict(None, None))


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
        accuracy=total(accuracy),
        multiplier=multiplier,
        reward=REWARDS[policy.scoring.reward](Earned(total(accuracy), multiplier)),
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
