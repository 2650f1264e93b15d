"""Scorer's rule: scores a round once it is revealed, then its mean rewards."""

from collections.abc import Sequence

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
    Fault,
    MeanReward,
    MixDrawn,
    PolicyAdopted,
    RoundAbandoned,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RunStarted,
    SourceAdopted,
    TaskAccepted,
)
from quasar.events.blobs import Blobs
from quasar.rules.executed import NONDETERMINISTIC, contradicts
from quasar.rules.faults import Verdict, judge
from quasar.rules.findings_rounds import noted, to_look_at
from quasar.rules.judging import Asked, Judge, LocalJudge, Reply, passed
from quasar.rules.judging import metric as metric
from quasar.rules.judging import program_metric as program_metric
from quasar.rules.machine import Recorded
from quasar.rules.mixing import played
from quasar.rules.plan import assignments, offered, plan_tasks, runs_code
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.rewards import MEANS, REWARDS, Earned, total
from quasar.rules.scoring_state import Score, ScorerState, ScoringRound, answer_of
from quasar.rules.secrets import round_seed
from quasar.rules.sources import adopt

ACTOR = "scorer"


class ScoringRule:
    """Decides AnswerScored, AnswerNotScored, RoundScored and FindingNoted."""

    actor = ACTOR
    subscribes: frozenset[type[Event]] = frozenset(
        {
            RunStarted,
            SourceAdopted,
            PolicyAdopted,
            RoundOpened,
            RoundAbandoned,
            BlockObserved,
            MixDrawn,
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

    def __init__(self, judge: Judge | None = None, *, noting: bool = True) -> None:
        """``noting``: whether to look for findings where the policy says so."""
        self._judge = judge or LocalJudge()
        self.noting = noting

    def initial(self) -> ScorerState:
        return ScorerState()

    def decide(self, state: ScorerState, seen: Recorded, blobs: Blobs) -> Sequence[AnyEvent]:
        match seen.event:
            case RoundRevealed(round=number, secret=secret) if number in state.rounds:
                current = state.rounds[number]
                return _score_round(current, bytes.fromhex(secret), self._judge, blobs)
            case CodeExecuted() | ExecutionAbandoned() as execution:
                current = state.rounds[execution.round]
                return [_score_program(current, execution, self._judge, blobs)]
            case AnswerScored() | AnswerNotScored() as score:
                closed = _close_round(state.rounds[score.round], score)
                if closed and self.noting:
                    return [*closed, *noted(state, score, blobs)]
                return closed
        return ()

    def evolve(self, state: ScorerState, seen: Recorded, blobs: Blobs) -> ScorerState:
        match seen.event:
            case RunStarted(sandbox=sandbox):
                state.sandbox = sandbox
            case SourceAdopted() as source:
                adopt(source, blobs)
            case PolicyAdopted(toml=toml):
                state.policies[toml.sha256] = recorded_policy(blobs.get(toml))
            case RoundOpened() as opened:
                policy = offered(state.policies[opened.policy], state.sandbox)
                state.rounds[opened.round] = ScoringRound(opened, policy)
            case BlockObserved(number=number, hash=block_hash):
                for current in state.rounds.values():
                    if current.opened.beacon_block == number:
                        current.beacon_hash = block_hash
            case MixDrawn() as mix:
                current = state.rounds[mix.round]
                current.policy = played(current.policy, mix)
            case TaskAccepted(acceptance=a):
                state.rounds[a.round].accepted.add((a.task, a.hotkey))
                state.rounds[a.round].reached.add(a.hotkey)
            case AnswerReceived() | AnswerAbandoned() as outcome:
                key = (outcome.task, outcome.hotkey)
                state.rounds[outcome.round].outcomes[key] = outcome
            case RoundRevealed(round=number, secret=secret) if number in state.rounds:
                state.rounds[number].secret = bytes.fromhex(secret)
                state.rounds[number].programs.clear()
            case AnswerScored() | AnswerNotScored() as score:
                state.rounds[score.round].scores[(score.task, score.hotkey)] = score
            case RoundScored(round=number):
                state.looked = to_look_at(state.looked, state.rounds.pop(number))
            case RoundAbandoned(round=number):
                del state.rounds[number]
        return state


def _score_round(
    current: ScoringRound, secret: bytes, judge: Judge, blobs: Blobs
) -> Sequence[AnyEvent]:
    """One score for each assignment, by task and hotkey, whatever order the answers came in.

    A program that came in time is scored when it has run.
    """
    verdicts: list[tuple[Asked, Verdict]] = []
    replies, programs = list[Reply](), list[Asked]()
    for task in plan_tasks(round_seed(secret, current.beacon_hash), current.policy):
        tokens = current.policy.bucket(task.mix.bucket).tokens
        for hotkey in current.opened.participants:
            asked, verdict = Asked(task, tokens, hotkey), verdict_of(current, task.task, hotkey)
            if verdict.failure is None and runs_code(task.mix.family):
                programs.append(asked)
                continue
            verdicts.append((asked, verdict))
            if verdict.failure is None:
                replies.append(Reply(asked, answer_of(current, task.task, hotkey, blobs)))
    accuracies = iter(judge.accuracies(replies))
    judge.expect(programs)
    return [
        _failed(current, asked, verdict)
        if verdict.failure is not None
        else _scored(current, asked, next(accuracies), verdict)
        for asked, verdict in verdicts
    ]


def verdict_of(current: ScoringRound, task: int, hotkey: str) -> Verdict:
    """How an assignment ended, before anyone looks at the answer."""
    return judge(
        current.outcomes[(task, hotkey)],
        accepted=(task, hotkey) in current.accepted,
        reached_enough=current.reached_enough,
    )


def _failed(current: ScoringRound, asked: Asked, verdict: Verdict) -> Score:
    if verdict.scored:
        return _scored(current, asked, 0.0, verdict)
    return _not_scored(current, asked, verdict)


def _score_program(
    current: ScoringRound, execution: CodeExecuted | ExecutionAbandoned, judge: Judge, blobs: Blobs
) -> Score:
    """The share of hidden cases that a program passed; nothing for one that contradicts itself."""
    asked = asked_program(current, execution.task, execution.hotkey)
    if isinstance(execution, ExecutionAbandoned):
        return _failed(current, asked, Verdict("not-executed", execution.fault))
    if contradicts(execution):
        return _failed(current, asked, Verdict(NONDETERMINISTIC, Fault.MINER))
    outputs = [
        blobs.get(case.output) if case.status == "ok" and case.output else None
        for case in execution.cases
    ]
    accuracy = passed(asked, judge.hidden(asked), outputs)
    return _scored(current, asked, accuracy, Verdict(None, None))


def asked_program(current: ScoringRound, number: int, hotkey: str) -> Asked:
    """A task in code as a miner got it. Raises KeyError where the round has no such task."""
    if not current.programs:
        seed = round_seed(current.secret, current.beacon_hash)
        current.programs = {
            task.task: Asked(task, current.policy.bucket(task.mix.bucket).tokens, "")
            for task in plan_tasks(seed, current.policy)
            if runs_code(task.mix.family)
        }
    return current.programs[number]._replace(hotkey=hotkey)


def _scored(current: ScoringRound, asked: Asked, accuracy: float, verdict: Verdict) -> AnswerScored:
    policy, task = current.policy, asked.task
    multiplier = policy.bucket(task.mix.bucket).multiplier
    return AnswerScored(
        round=current.opened.round,
        task=task.task,
        hotkey=asked.hotkey,
        bucket=task.mix.bucket,
        metric=task.metric,
        accuracy=total(accuracy),
        multiplier=multiplier,
        reward=REWARDS[policy.scoring.reward](Earned(total(accuracy), multiplier)),
        failure=verdict.failure,
        unproved=verdict.unproved,
    )


def _not_scored(current: ScoringRound, asked: Asked, verdict: Verdict) -> AnswerNotScored:
    assert verdict.owner is not None
    assert verdict.failure is not None
    return AnswerNotScored(
        round=current.opened.round,
        task=asked.task.task,
        hotkey=asked.hotkey,
        bucket=asked.task.mix.bucket,
        fault=verdict.owner,
        failure=verdict.failure,
    )


def _close_round(current: ScoringRound, last: Score) -> Sequence[AnyEvent]:
    """RoundScored, with the last score of the round."""
    key = last.task, last.hotkey
    known = len(current.scores) + (key not in current.scores)
    if known < assignments(current.policy, current.opened.participants):
        return ()
    by_hotkey: dict[str, list[Score]] = {h: [] for h in current.opened.participants}
    for score in {**current.scores, key: last}.values():
        if score.hotkey in by_hotkey:
            by_hotkey[score.hotkey].append(score)
    rewards = [_mean_reward(current.policy, h, scores) for h, scores in by_hotkey.items()]
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
