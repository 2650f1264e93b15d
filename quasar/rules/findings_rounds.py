"""Which rounds findings look at, and when: with the last score of the last of them."""

from collections.abc import Iterator, Mapping, Sequence

from quasar.events import AnswerScored, AnyEvent
from quasar.events.blobs import Blobs
from quasar.rules.findings import findings
from quasar.rules.findings_look import Given, Look
from quasar.rules.plan import plan_tasks, runs_code
from quasar.rules.scoring_state import Score, ScorerState, ScoringRound, answer_of
from quasar.rules.secrets import round_seed


def noted(state: ScorerState, last: Score, blobs: Blobs) -> Sequence[AnyEvent]:
    """What the policy's number of rounds shows; ``last`` is the last score of the last."""
    current = state.rounds[last.round]
    wanted = current.policy.findings
    if wanted is None or len(state.looked) + 1 < wanted.rounds:
        return ()
    scores = {**current.scores, (last.task, last.hotkey): last}
    looks = [look for done in state.looked for look in _looks(done, done.scores, blobs)]
    return findings([*looks, *_looks(current, scores, blobs)], wanted)


def to_look_at(before: list[ScoringRound], done: ScoringRound) -> list[ScoringRound]:
    """The rounds that the next findings begin with."""
    wanted = done.policy.findings
    if wanted is None or len(before) + 1 >= wanted.rounds:
        return []
    done.programs.clear()  # findings look at answers that are read, and it holds much
    return [*before, done]


def _looks(
    current: ScoringRound, scores: Mapping[tuple[int, str], Score], blobs: Blobs
) -> Iterator[Look]:
    """A scored round's tasks whose answers are read, as findings look at them."""
    given: dict[int, dict[str, Given | None]] = {}
    for (task, hotkey), score in scores.items():
        given.setdefault(task, {})[hotkey] = _given(current, score, blobs)
    decoys = current.policy.findings.decoys if current.policy.findings else 0
    for planned in plan_tasks(round_seed(current.secret, current.beacon_hash), current.policy):
        if not runs_code(planned.mix.family):
            yield Look(current.opened.round, planned, given.get(planned.task, {}), decoys)


def _given(current: ScoringRound, score: Score, blobs: Blobs) -> Given | None:
    if not isinstance(score, AnswerScored) or score.failure is not None:
        return None
    return Given(answer_of(current, score.task, score.hotkey, blobs), score.accuracy == 1.0)
