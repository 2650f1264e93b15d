"""What if: the recorded facts under another policy, and what that does to the weights."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from quasar.errors import CannotJudge
from quasar.events import (
    AnswerNotScored,
    AnswerScored,
    AnyEvent,
    LogOpened,
    RoundScored,
    RunStarted,
    Weight,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.events.envelope import encode_event
from quasar.events.log import PreviousVolume
from quasar.log import Log
from quasar.metrics import Metric
from quasar.replay.comparison import Comparison, compare
from quasar.replay.finding import Tally
from quasar.replay.reading import Progress, Reading
from quasar.replay.records import Records
from quasar.replay.rescoring import OtherMetric, Rescoring
from quasar.replay.whatif import JUDGED, not_judged, same_game
from quasar.rules.machine import Recorded
from quasar.rules.policy import Policy
from quasar.rules.weights import Standing


class NamedMetric(NamedTuple):
    """A metric to try, released or not."""

    name: str
    metric: Metric


class Simulation(Struct, frozen=True, kw_only=True):
    """The outcome. Tallies count how many decisions came out as recorded, byte for byte."""

    policy: str
    """Name of the policy that judged; of the recorded one if none was given."""
    recorded: str
    """Name of the log's newest policy."""
    metric: str | None
    same_rules: bool
    """The policy is the recorded one and so is the metric: every decision must be as recorded."""
    events: int
    scores: Tally
    means: Tally
    rows: Tally
    first_other_row: int | None
    """Epoch of the first row that came out differently."""
    epoch: int | None
    """Of the newest row."""
    weights: Comparison
    """The newest recorded row and the newest of this simulation."""
    judged: list[str]
    not_judged: list[str]
    assumed: list[str]

    @property
    def reproduced(self) -> bool:
        """Whether every decision is the recorded one."""
        tallies = (self.scores, self.means, self.rows)
        return all(t.checked == t.equal for t in tallies)


async def simulate(
    logs: Log | Sequence[Log],
    policy: Policy | None = None,
    *,
    metric: NamedMetric | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Judge a recorded log, or its volumes in order, by another policy.

    Without a policy each round keeps its own. Raises as ``replay``; Damaged, too, for a log with
    decisions that follow from nothing.
    """
    what_if = WhatIf(policy, metric)
    await what_if.play([logs] if not isinstance(logs, Sequence) else logs, progress)
    return what_if.result()


class WhatIf:
    """Plays volumes one after the other."""

    def __init__(
        self,
        policy: Policy | None = None,
        metric: NamedMetric | None = None,
        records: Records | None = None,
        recorded: Records | None = None,
    ) -> None:
        """``records``: filled with how each miner did as judged here, ``recorded``: as recorded."""
        self.policy = policy
        self._metric = metric
        self._records = [(records, False), (recorded, True)]
        self._standings: dict[str, Standing] | None = None
        self.adopted: list[Policy] = []
        self.sandbox: str | None = None
        """Of the newest run."""
        self._scores, self._means, self._rows = Tally(), Tally(), Tally()
        self._first_other_row: int | None = None
        self._old: WeightsComputed | None = None
        self._new: WeightsComputed | None = None
        self._events = self._unscored = self._carried = 0

    async def play(self, logs: Sequence[Log], progress: Progress | None = None) -> None:
        """Feed all volumes."""
        if not logs:
            raise CannotJudge("there is no volume here: give the folder that holds them")
        total = 0
        for log in logs:
            total += await log.head()
        for log in logs:
            await self._play(log, total, progress)

    async def _play(self, log: Log, total: int, progress: Progress | None) -> None:
        scorer = OtherMetric(*self._metric) if self._metric else None
        rescoring = Rescoring(log.blobs, self.policy, scorer, self._standings)
        async for seen in Reading(log).events():
            self._feed(seen, rescoring.feed(seen))
            if progress is not None:
                progress(self._events, total)
        self._standings = rescoring.standings
        self._unscored = len(rescoring.unscored)
        self.adopted += rescoring.adopted

    def _feed(self, seen: Recorded, here: AnyEvent) -> None:
        self._events += 1
        for records, as_recorded in self._records:
            if records is not None:
                records.feed(seen.event if as_recorded else here)
        match here:
            case LogOpened(previous=PreviousVolume()) if self._standings is None:
                self._carried += 1
            case RunStarted(sandbox=sandbox):
                self.sandbox = sandbox
            case AnswerScored() | AnswerNotScored():
                _count(self._scores, seen, here)
            case RoundScored():
                _count(self._means, seen, here)
            case WeightsComputed(epoch=epoch) | WeightsDeferred(epoch=epoch):
                if not _count(self._rows, seen, here) and self._first_other_row is None:
                    self._first_other_row = epoch
                self._old = _row(seen.event) or self._old
                self._new = _row(here) or self._new

    @property
    def recorded(self) -> Policy:
        """The log's newest policy. Raises CannotJudge where it has none yet."""
        if not self.adopted:
            raise CannotJudge("this log has no policy yet: there is nothing to judge")
        return self.adopted[-1]

    def result(self) -> Simulation:
        """What came out."""
        policy, recorded = self.policy or self.recorded, self.recorded
        same = self._metric is None and all(same_game(policy, p) for p in self._compared)
        return Simulation(
            policy=policy.name,
            recorded=recorded.name,
            metric=self._metric.name if self._metric else None,
            same_rules=same,
            events=self._events,
            scores=self._scores,
            means=self._means,
            rows=self._rows,
            first_other_row=self._first_other_row,
            epoch=self._new.epoch if self._new else None,
            weights=compare(_weights(self._old), _weights(self._new)),
            judged=list(JUDGED),
            not_judged=self._not_judged(),
            assumed=["scores carried from earlier volumes are as recorded"] * self._carried,
        )

    @property
    def _compared(self) -> list[Policy]:
        """Without another policy each recorded one rules its own rounds."""
        return self.adopted if self.policy else []

    def _not_judged(self) -> list[str]:
        left = not_judged(self.adopted, self.policy, self._metric is not None)
        if self._unscored:
            left.append(f"rounds that the log has not scored yet: {self._unscored}")
        return left


def _count(tally: Tally, seen: Recorded, here: AnyEvent) -> bool:
    """Whether the decision is the recorded one."""
    equal = here is seen.event or encode_event(here) == seen.decided
    tally.checked += 1
    tally.equal += equal
    return equal


def _row(event: AnyEvent) -> WeightsComputed | None:
    return event if isinstance(event, WeightsComputed) else None


def _weights(row: WeightsComputed | None) -> Mapping[str, Weight]:
    return {weight.hotkey: weight for weight in row.weights} if row else {}
