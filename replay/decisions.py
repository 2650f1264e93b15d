"""Recomputes every decision by the rules that made it, and compares it with the stored bytes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from quasar.events import (
    AnswerNotScored,
    AnswerScored,
    AnyEvent,
    CodeExecuted,
    ExecutionAbandoned,
    FindingNoted,
    Kind,
    MixDrawn,
    RoundRevealed,
    RoundScored,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.blobs import Blobs
from quasar.events.envelope import encode_event
from quasar.replay.executions import ExecutionCheck
from quasar.replay.finding import LEVELS, Finding, Level, Tally
from quasar.replay.sample import Full, every
from quasar.replay.withheld import WithheldRounds
from quasar.rules.closing import ClosingState
from quasar.rules.judging import Judge, LocalJudge
from quasar.rules.machine import Recorded, Rule
from quasar.rules.sampling import SamplingRule, Unrevealed
from quasar.rules.scoring import ScoringRule
from quasar.rules.secrets import RevealedSecrets
from quasar.rules.weights import WeightRule

LEVEL_OF: Mapping[str, Level] = {
    "AnswerScored": "scores",
    "AnswerNotScored": "scores",
    "RoundScored": "scores",
    "FindingNoted": "scores",
    "WeightsComputed": "weights",
    "WeightsDeferred": "weights",
}
"""Other decisions are the sampler's: level "tasks"."""

SECRET = (MixDrawn, TaskSampled, TaskAssigned, RoundRevealed)
"""Cannot be made anew while the round's secret is unknown."""

_SCORES = AnswerScored | AnswerNotScored
_PLAYED = RoundRevealed | CodeExecuted | ExecutionAbandoned | _SCORES
"""What leads to scores; scores lead to their mean."""


class Expected(NamedTuple):
    """A decision that the rules make."""

    payload: bytes
    event: AnyEvent
    actor: str
    cause: int
    place: int
    """Among the decisions of its cause, in the order that the rule gives."""


class Player:
    """One rule, fed with the log."""

    def __init__(self, rule: Rule[Any], blobs: Blobs) -> None:
        self.rule = rule
        self._blobs = blobs
        self.state = rule.initial()
        self.reached = (0, 0)
        """Cause and place of the newest recorded decision: the actor has settled all before it."""

    def feed(self, seen: Recorded) -> tuple[Sequence[AnyEvent], bool]:
        """What the rule decides on this event, and whether more needs an unrevealed secret."""
        if type(seen.event) not in self.rule.subscribes:
            return (), False
        try:
            decided, short = self.rule.decide(self.state, seen, self._blobs), False
        except Unrevealed as unrevealed:
            decided, short = unrevealed.decided, True
        self.fold(seen)
        return decided, short

    def fold(self, seen: Recorded) -> None:
        """Follow the log without deciding anything."""
        if type(seen.event) in self.rule.subscribes:
            self.state = self.rule.evolve(self.state, seen, self._blobs)


class DecisionCheck:
    """Every recorded decision must be decided, and every decided one recorded.

    Those of levels that are left out are taken as they stand.
    """

    def __init__(
        self,
        secrets: dict[int, str],
        blobs: Blobs,
        *,
        levels: Collection[Level] = LEVELS,
        judge: Judge | None = None,
        full: Full = every,
    ) -> None:
        """``full``: whether a round's scores are recomputed; of others they are taken as recorded.
        Their secrets are left out of ``secrets`` too."""
        self._full, self._blobs = full, blobs
        self.withheld = WithheldRounds(RevealedSecrets(secrets))
        sampling = Player(SamplingRule(self.withheld), blobs)
        judge = judge or LocalJudge()
        self._scorer = ScoringRule(judge, noting=full is every)
        self.executions = ExecutionCheck(judge, blobs)
        scoring, weights = Player(self._scorer, blobs), Player(WeightRule(), blobs)
        self._by_level: dict[Level, Player] = {
            "tasks": sampling,
            "scores": scoring,
            "weights": weights,
        }
        self._levels = levels
        self._players = {
            player.rule.actor: player for level, player in self._by_level.items() if level in levels
        }
        self._expected: dict[str, Expected] = {}
        self._unjudged: dict[tuple[str, int], Recorded] = {}
        """Actor and cause whose decisions need a secret that is not revealed."""
        self._withheld_steps = 0
        """Those of them whose secret is known and of no use here."""
        self._made: set[tuple[str, int]] = set()
        """Those of them that have any such decision in the log."""
        self.tallies: dict[Level, Tally] = {
            "tasks": Tally(),
            "scores": Tally(),
            "weights": Tally(),
        }
        self.noted = 0
        """Findings about miners that were equal."""
        self.findings: list[Finding] = []

    def feed(self, seen: Recorded) -> None:
        """Compare the event if it is a decision, then let the rules decide on it."""
        self.withheld.feed(seen, self._blobs)
        if self.withheld.rounds:
            self._scorer.noting = False  # they look at many rounds together
        taken = isinstance(seen.event, _PLAYED) and not self._judged(seen.event.round)
        decision = type(seen.event).kind is Kind.DECISION and level_of(seen.event) in self._levels
        taken_too = isinstance(seen.event, FindingNoted) and not self.noting
        if isinstance(seen.event, CodeExecuted) and not taken and "scores" in self._levels:
            self._check_run(seen, seen.event)
        if isinstance(seen.event, CodeExecuted | RoundScored):
            self.executions.fold(seen.event)
        if decision and not (taken and isinstance(seen.event, _SCORES)) and not taken_too:
            self._compare(seen)
        for level, player in self._by_level.items():
            skipped = taken and level == "scores" and not isinstance(seen.event, _SCORES)
            if level not in self._levels or skipped:
                player.fold(seen)
                continue
            kept = self.withheld.kept
            decided, short = player.feed(seen)
            actor = player.rule.actor
            if short:
                self._unjudged[(actor, seen.seq)] = seen
                self._withheld_steps += self.withheld.kept > kept
            for place, event in enumerate(decided):
                # What led to a slot first stays: a later event must not replace it.
                if event.slot not in self._expected:
                    self._expected[event.slot] = Expected(
                        encode_event(event), event, actor, seen.seq, place
                    )

    def _check_run(self, seen: Recorded, run: CodeExecuted) -> None:
        reason = self.executions.feed(run, self._by_level["scores"].state)
        if reason is not None:
            self._report(seen, "scores", reason)

    def carry(self, state: ClosingState) -> None:
        """Put the states of the deciding actors there."""
        state.sampler = self._by_level["tasks"].state
        state.scorer = self._by_level["scores"].state
        state.weights = self._by_level["weights"].state

    def finish(self, *, closed: bool) -> int:
        """Report what was decided but left out. Returns how many decisions are still due.

        None is due when the log is closed, or when its actor has gone on to later ones.
        """
        due = 0
        for slot, missing in self._expected.items():
            if closed or (missing.cause, missing.place) < self._players[missing.actor].reached:
                self._missing(slot, missing)
            else:
                due += 1
        for (actor, cause), seen in self._unjudged.items():
            gone_on = closed or cause < self._players[actor].reached[0]
            if gone_on and (actor, cause) not in self._made:
                reason = "what follows from this event needs a secret that was never revealed"
                self._report(seen, "tasks", reason)
        return due

    @property
    def noting(self) -> bool:
        """Whether findings about miners are made anew."""
        return self._scorer.noting

    @property
    def unrevealed(self) -> int:
        """Steps that could not be judged yet."""
        return len(self._unjudged) - self._withheld_steps

    def _judged(self, number: int) -> bool:
        """Whether the tasks and scores of a round are made anew."""
        return self._full(number) and number not in self.withheld.rounds

    def _compare(self, seen: Recorded) -> None:
        envelope = seen.envelope
        step = (envelope.actor, envelope.cause)
        expected = self._expected.get(envelope.key)
        in_order = self._reach(seen, expected.place if expected else 0)
        if step in self._unjudged and isinstance(seen.event, SECRET):
            self._made.add(step)
            if expected is None:
                return
        level = level_of(seen.event)
        tally = self.tallies[level]
        tally.checked += 1
        self._expected.pop(envelope.key, None)
        if expected is None:
            self._report(seen, level, "no rule leads to this decision here")
        elif expected.payload != seen.decided:
            self._differs(seen, level, expected.event)
        elif (expected.actor, expected.cause) != step:
            self._report(seen, level, "decided by another actor, or from another event")
        elif not in_order:
            self._report(seen, level, "decided in another order than an actor decides in")
        else:
            tally.equal += 1
            self.noted += isinstance(seen.event, FindingNoted)

    def _reach(self, seen: Recorded, place: int) -> bool:
        """Whether the actor comes to it now, and not only after later ones."""
        player = self._players.get(seen.envelope.actor)
        if player is None:
            return True
        here = (seen.envelope.cause, place)
        before, player.reached = player.reached, max(player.reached, here)
        return before <= here

    def _report(self, seen: Recorded, level: Level, reason: str) -> None:
        self.findings.append(
            Finding(seq=seen.seq, level=level, type=type(seen.event).__name__, reason=reason)
        )

    def _differs(self, seen: Recorded, level: Level, expected: AnyEvent) -> None:
        field, recorded, recomputed = first_difference(seen.event, expected)
        self.findings.append(
            Finding(
                seq=seen.seq,
                level=level,
                type=type(seen.event).__name__,
                reason="the recorded decision is not what the rules decide",
                field=field,
                recorded=recorded,
                recomputed=recomputed,
            )
        )

    def _missing(self, slot: str, missing: Expected) -> None:
        self.findings.append(
            Finding(
                seq=missing.cause,
                level=level_of(missing.event),
                type=type(missing.event).__name__,
                reason=f"this event leads to {slot}, which is not in the log",
            )
        )


def level_of(event: AnyEvent) -> Level:
    """The audit level that a decision belongs to."""
    return LEVEL_OF.get(type(event).__name__, "tasks")


def first_difference(recorded: AnyEvent, recomputed: AnyEvent) -> tuple[str, str, str]:
    """Name and two values of the first field that differs."""
    if type(recorded) is not type(recomputed):
        return "type", type(recorded).__name__, type(recomputed).__name__
    for name in recorded.__struct_fields__:
        one, two = getattr(recorded, name), getattr(recomputed, name)
        if one != two:
            return name, _shown(one), _shown(two)
    return "", "", ""


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()[:200]
