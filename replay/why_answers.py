"""From a score down to the answer: recomputed from answer, reference and policy."""

from collections.abc import Sequence
from typing import NamedTuple

from quasar.benchmarks.family import Instance
from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    CaseOutcome,
    CodeExecuted,
    ExecutionAbandoned,
    TaskAccepted,
    TaskAssigned,
)
from quasar.metrics.program import passed_cases
from quasar.replay.why_found import RanCase, ScoredAnswer
from quasar.replay.why_reading import Reading, explaining, unexplained
from quasar.rules.executed import NONDETERMINISTIC, contradicts
from quasar.rules.judging import accuracy as accuracy_of
from quasar.rules.judging import program_metric
from quasar.rules.plan import PlannedTask, plan_task
from quasar.rules.policy import Policy
from quasar.rules.rewards import REWARDS, Earned, total
from quasar.rules.scoring_state import answer_bytes

SHOWN_BYTES = 4096
"""Of an answer."""

Score = AnswerScored | AnswerNotScored
Outcome = AnswerReceived | AnswerAbandoned
Told = dict[str, int]
"""Head of the slot to the event."""


class _Answered(NamedTuple):
    """The events of one assignment."""

    told: Told
    assigned: TaskAssigned
    outcome: Outcome
    run: CodeExecuted | None
    score: Score


class Answers:
    """Looks at the answers of one miner in one round."""

    def __init__(self, reading: Reading, policy: Policy, seed: bytes, number: int) -> None:
        self._reading = reading
        self._policy = policy
        self._seed = seed
        self._round = number

    async def at(self, told: Told, score: Score) -> ScoredAnswer:
        """One answer, its score compared. Raises Damaged where events are of different ones."""
        answered = await self._answered(told, score)
        with explaining(told["score"]):
            planned = plan_task(self._seed, self._policy, score.task)
            instance = planned.variant(self._reading.hotkey).instance
            data = self._data(told["answer"], answered.outcome)
            if isinstance(score, AnswerScored):
                accuracy = self._accuracy(planned, instance, answered, data)
                self._compare(answered, planned, score, accuracy)
            return self._shown(answered, planned, instance, data)

    async def _answered(self, told: Told, score: Score) -> _Answered:
        reading, seq = self._reading, told["score"]
        assigned = await reading.event(told.get("assign"), TaskAssigned, seq)
        outcome = (await reading.recorded(told["answer"])).event if "answer" in told else None
        if not isinstance(outcome, Outcome):
            raise unexplained(seq, "it has neither an answer nor a reason why there is none")
        self._of_one(seq, score.task, assigned, outcome)
        if "accept" in told:
            accepted = await reading.event(told["accept"], TaskAccepted, seq)
            self._of_one(seq, score.task, accepted.acceptance)
        return _Answered(told, assigned, outcome, await self._run(told, score.task), score)

    def _of_one(self, seq: int, task: int, *events: object) -> None:
        wanted = (self._round, task, self._reading.hotkey)
        for event in events:
            named = tuple(getattr(event, field) for field in ("round", "task", "hotkey"))
            if named != wanted:
                raise unexplained(seq, "its events are not of one assignment")

    def _data(self, seq: int, outcome: Outcome) -> bytes | None:
        """The answer as it is scored; None where there is none."""
        if isinstance(outcome, AnswerAbandoned):
            return None
        limit = self._policy.answers.max_bytes
        if outcome.blob is not None:
            return self._reading.log.blob(seq, outcome.blob)[:limit]
        return answer_bytes(outcome, self._reading.log.blobs, limit)

    def _compare(
        self, answered: _Answered, planned: PlannedTask, score: AnswerScored, accuracy: float
    ) -> None:
        seq, run = answered.told["score"], answered.run
        if run is not None:
            failure = NONDETERMINISTIC if contradicts(run) else None
            self._reading.compare(seq, "failure", score.failure, failure)
        multiplier = self._policy.bucket(planned.mix.bucket).multiplier
        reward = REWARDS[self._policy.scoring.reward](Earned(score.accuracy, multiplier))
        follows = {
            "metric": planned.metric,
            "bucket": planned.mix.bucket,
            "accuracy": accuracy,
            "multiplier": multiplier,
            "reward": reward,
        }
        for name, value in follows.items():
            self._reading.compare(seq, name, getattr(score, name), value)

    def _accuracy(
        self, planned: PlannedTask, instance: Instance, answered: _Answered, data: bytes | None
    ) -> float:
        """What the metric makes of the answer; of a failure, as recorded, nothing."""
        seq, run = answered.told["score"], answered.run
        if answered.score.failure is not None:
            return 0.0
        if instance.program is not None:
            if run is None:
                raise unexplained(seq, "the program was not run")
            told = self._outputs(answered), instance.program.expected, instance.program.tolerances
            return total(program_metric(planned.metric)(*told))
        if data is None:
            raise unexplained(seq, "there is no answer to score")
        return total(accuracy_of(planned, instance, data))

    async def _run(self, told: Told, task: int) -> CodeExecuted | None:
        """The run of a program; None where it was not run, or the answer is read."""
        if "exec" not in told:
            return None
        event = (await self._reading.recorded(told["exec"])).event
        if not isinstance(event, CodeExecuted | ExecutionAbandoned):
            raise unexplained(told["score"], "the program was not run")
        self._of_one(told["score"], task, event)
        return event if isinstance(event, CodeExecuted) else None

    def _outputs(self, answered: _Answered) -> list[bytes | None]:
        """What a program returned, case by case."""
        assert answered.run is not None
        return [
            self._reading.log.blob(answered.told["exec"], case.output)
            if case.status == "ok" and case.output
            else None
            for case in answered.run.cases
        ]

    def _cases(self, answered: _Answered, instance: Instance) -> list[RanCase]:
        run, program = answered.run, instance.program
        if run is None or program is None:
            return []
        passed = passed_cases(self._outputs(answered), program.expected, program.tolerances)
        again: Sequence[CaseOutcome | None] = run.again or [None] * len(run.cases)
        pairs = zip(run.cases, again, passed, strict=True)
        return [_case(case, second, good) for case, second, good in pairs]

    def _shown(
        self, answered: _Answered, planned: PlannedTask, instance: Instance, data: bytes | None
    ) -> ScoredAnswer:
        told, assigned, outcome, _, score = answered
        scored = score if isinstance(score, AnswerScored) else None
        received = outcome if isinstance(outcome, AnswerReceived) else None
        return ScoredAnswer(
            task=score.task,
            family=planned.mix.family,
            bucket=score.bucket,
            metric=planned.metric,
            question="\n".join(part.text for part in assigned.question),
            answer=_text(outcome, data),
            expected=instance.answer,
            accuracy=scored.accuracy if scored else None,
            multiplier=self._policy.bucket(planned.mix.bucket).multiplier,
            reward=scored.reward if scored else None,
            failure=score.failure,
            unproved=scored is not None and scored.unproved,
            elapsed_ms=received.elapsed_ms if received else None,
            deadline_ms=assigned.deadline_ms,
            assigned_seq=told["assign"],
            accepted_seq=told.get("accept"),
            outcome_seq=told["answer"],
            executed_seq=told.get("exec"),
            cases=self._cases(answered, instance),
            score_seq=told["score"],
        )


def _case(case: CaseOutcome, again: CaseOutcome | None, passed: bool) -> RanCase:
    return RanCase(
        status=case.status,
        passed=passed,
        execution_time_ms=case.execution_time_ms,
        cpu_time_ms=case.cpu_time_ms,
        again=again.status if again else None,
        same=(case.status, case.output) == (again.status, again.output) if again else None,
    )


def _text(outcome: Outcome, data: bytes | None) -> str:
    if isinstance(outcome, AnswerAbandoned):
        return f"{outcome.evidence.stage}: {outcome.evidence.code}"
    return (data or b"")[:SHOWN_BYTES].decode("utf-8", "replace")
