"""The rules that scored a log, fed with its facts again under another policy."""

from collections.abc import Iterator, Sequence

import msgspec

from quasar.benchmarks.family import Instance
from quasar.errors import Damaged, UsageError
from quasar.events import (
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    AnyEvent,
    LogOpened,
    PolicyAdopted,
    RoundRevealed,
    RoundScored,
    TaskAssigned,
    TaskSampled,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.events.blobs import Blobs
from quasar.events.envelope import Draft, encode
from quasar.metrics import Metric
from quasar.replay.whatif import blended
from quasar.rules.judging import read
from quasar.rules.machine import Recorded
from quasar.rules.plan import plan_tasks, runs_code
from quasar.rules.policy import Policy
from quasar.rules.rewards import REWARDS, Earned, total
from quasar.rules.scoring import ScoringRule
from quasar.rules.scoring_state import ScorerState, answer_bytes
from quasar.rules.secrets import round_seed
from quasar.rules.weights import Standing, WeightRule

DECIDED = (AnswerScored, AnswerNotScored, RoundScored, WeightsComputed, WeightsDeferred)
"""What another policy may change."""


class OtherMetric(ScoringRule):
    """The scorer's rule, with another metric for all answers that are read."""

    def __init__(self, name: str, metric: Metric) -> None:
        super().__init__(noting=False)
        self._name = name
        self._metric = metric

    def decide(self, state: ScorerState, seen: Recorded, blobs: Blobs) -> Sequence[AnyEvent]:
        decided = super().decide(state, seen, blobs)
        match seen.event:
            case RoundRevealed() as revealed if decided:
                return list(self._again(state, revealed, decided, blobs))
        return decided

    def _again(
        self, state: ScorerState, revealed: RoundRevealed, decided: Sequence[AnyEvent], blobs: Blobs
    ) -> Iterator[AnyEvent]:
        current = state.rounds[revealed.round]
        seed = round_seed(bytes.fromhex(revealed.secret), current.beacon_hash)
        tasks = {task.task: task for task in plan_tasks(seed, current.policy)}
        for score in decided:
            if not isinstance(score, AnswerScored) or score.failure is not None:
                yield score
                continue
            task, outcome = tasks[score.task], current.outcomes[(score.task, score.hotkey)]
            assert isinstance(outcome, AnswerReceived)
            assert not runs_code(task.mix.family)  # those are scored when they have run
            answer = answer_bytes(outcome, blobs, current.policy.answers.max_bytes)
            accuracy = self._accuracy(answer, task.variant(score.hotkey).instance)
            earned = Earned(accuracy, score.multiplier)
            reward = REWARDS[current.policy.scoring.reward](earned)
            yield msgspec.structs.replace(
                score, metric=self._name, accuracy=accuracy, reward=reward
            )

    def _accuracy(self, answer: bytes, instance: Instance) -> float:
        """Raises UsageError where a metric in the making fails: released ones never do."""
        try:
            return total(float(read(self._metric, instance, answer, {})))
        except Exception as problem:
            raise UsageError(f"metric {self._name}: {type(problem).__name__}: {problem}") from None


class Rescoring:
    """Scorer and WeightSetter under another policy, over the facts of one volume.

    Each decision takes the place that the recorded one has in the log, so what follows from it
    sees it at the same moment.
    """

    def __init__(
        self,
        blobs: Blobs,
        policy: Policy | None = None,
        scorer: ScoringRule | None = None,
        standings: dict[str, Standing] | None = None,
    ) -> None:
        """``standings``: what the volume before led to; else what this one says of it."""
        self._blobs = blobs
        self._policy = policy
        self._scorer, self._setter = scorer or ScoringRule(noting=False), WeightRule()
        self._scoring, self._weighing = self._scorer.initial(), self._setter.initial()
        self._standings = standings
        self._pending: dict[str, AnyEvent] = {}
        """Decided here, and not met in the log yet."""
        self._programs: set[tuple[int, int]] = set()
        """Round and task, of open rounds."""
        self._tokens: dict[tuple[int, int, str], int] = {}
        """Round, task and hotkey to the length of the context, of open rounds."""
        self.adopted: list[Policy] = []
        """As recorded."""

    @property
    def standings(self) -> dict[str, Standing]:
        """Hotkey to what it has earned so far."""
        return self._weighing.standings

    @property
    def unscored(self) -> list[int]:
        """Rounds that were opened and have no mean rewards yet."""
        return sorted(self._scoring.rounds)

    def feed(self, seen: Recorded) -> AnyEvent:
        """Fold an event; returns what stands in its place here.

        Raises Damaged for an event that does not follow from those before it.
        """
        try:
            here = self._in_place(seen)
            self._let_decide(here)
            self._adjust(here)
        except (LookupError, AssertionError, ValueError, ArithmeticError):
            reason = "does not follow from what is before it; run `quasar audit` on this log"
            raise Damaged(seen.seq, reason) from None
        return here.event

    def _in_place(self, seen: Recorded) -> Recorded:
        """The event itself if it is a fact, else the decision that takes its slot."""
        event = seen.event
        match event:
            case TaskSampled(round=number, task=task, family=family) if runs_code(family):
                self._programs.add((number, task))
            case TaskAssigned(context=context):
                self._tokens[(event.round, event.task, event.hotkey)] = context.tokens
            case AnswerReceived():
                return exchanged(seen, self._in_its_time(event))
        if isinstance(event, DECIDED):
            return exchanged(seen, self._pending.pop(event.slot))
        return seen

    def _in_its_time(self, received: AnswerReceived) -> AnswerReceived:
        """With the deadline that the policy would have set. A late program never ran: it stays."""
        tokens = self._tokens.pop((received.round, received.task, received.hotkey))
        if self._policy is None or (received.round, received.task) in self._programs:
            return received
        return msgspec.structs.replace(received, deadline_ms=self._policy.deadline_ms(tokens))

    def _let_decide(self, here: Recorded) -> None:
        kind, blobs = type(here.event), self._blobs
        if kind in self._scorer.subscribes:
            self._expect(self._scorer.decide(self._scoring, here, blobs))
            self._scoring = self._scorer.evolve(self._scoring, here, blobs)
        if kind in self._setter.subscribes:
            self._expect(self._setter.decide(self._weighing, here, blobs))
            self._weighing = self._setter.evolve(self._weighing, here, blobs)

    def _expect(self, decided: Sequence[AnyEvent]) -> None:
        self._pending.update((event.slot, event) for event in decided)

    def _adjust(self, here: Recorded) -> None:
        """Put the other policy where the recorded one was adopted, and the standings carried."""
        match here.event:
            case LogOpened() if self._standings is not None:
                self._weighing.standings = dict(self._standings)
            case PolicyAdopted(toml=toml):
                recorded = self._scoring.policies[toml.sha256]
                self.adopted.append(recorded)
                policy = blended(recorded, self._policy)
                self._scoring.policies[toml.sha256] = self._weighing.policy = policy
                self._weighing.adopted[toml.sha256] = policy
            case RoundScored(round=number):
                self._programs = {key for key in self._programs if key[0] != number}


def exchanged(seen: Recorded, event: AnyEvent) -> Recorded:
    """The same place in the log with another event in it."""
    if event == seen.event:
        return seen
    envelope = seen.envelope
    draft = Draft(actor=envelope.actor, cause=envelope.cause, event=event)
    return Recorded(seen.seq, encode(draft, envelope.at))
