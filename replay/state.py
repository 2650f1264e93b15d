"""Time travel: the state of a recorded log at any moment."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import NamedTuple

from msgspec import Struct

from quasar.errors import Damaged, UsageError
from quasar.events import BlockObserved, LogOpened, MetagraphObserved, WeightsComputed
from quasar.events.weights import WeightsDeferred
from quasar.log import Log
from quasar.replay.reading import Progress, Reading
from quasar.replay.rounds import OpenAssignment, OpenRound, RoundsFold
from quasar.replay.runs import PolicyInForce, Run, RunsFold
from quasar.rules.machine import Recorded
from quasar.rules.projections import Leaderboard, Line
from quasar.rules.statistics import Summary
from quasar.rules.weights import Standing, WeightRule


class Until(NamedTuple):
    """A moment: at most one of these is set; none means the end."""

    seq: int | None = None
    """After this event."""
    block: int | None = None
    """When everything that was read up to this block is in the log, and nothing of a later one."""
    at: int | None = None
    """Before the first event written later than this, in Unix nanoseconds."""

    def excludes(self, seen: Recorded) -> bool:
        """Whether this event, and all after it, come later."""
        if self.seq is not None:
            return seen.seq > self.seq
        if self.at is not None:
            return seen.envelope.at > self.at
        match seen.event:
            case BlockObserved(number=number) | MetagraphObserved(number=number):
                return self.block is not None and number > self.block
        return False


class MinerState(Struct, frozen=True, kw_only=True):
    """One miner at that moment."""

    hotkey: str
    score: float | None
    """EMA of its round means; None before its first scored answer."""
    samples: int
    """Scored answers, those of earlier volumes too."""
    u16: int | None
    """In the newest row."""
    reward: Summary | None
    """Of the answers scored in this volume."""
    buckets: dict[str, Summary]
    """Their raw accuracy, by context length."""
    not_scored: int


class State(Struct, frozen=True, kw_only=True):
    """What a log had led to. ``seq`` 0 is before the first event."""

    seq: int
    at: int
    """When that event was written, Unix nanoseconds: a fact for people."""
    log_id: str
    volume: int
    hotkey: str
    netuid: int
    verified: int
    """Events under the newest checkpoint that was verified on the way."""
    block: BlockObserved | None
    """The newest."""
    policy: PolicyInForce | None
    runs: list[Run]
    opened: int
    """Rounds opened in this volume, of which ..."""
    scored: int
    skipped: int
    tasks: int
    answers: int
    abandoned: int
    row: WeightsComputed | None
    row_seq: int
    deferred: WeightsDeferred | None
    """Of the newest epoch, if it got no row."""
    miners: list[MinerState]
    """By weight, then by mean reward, then by hotkey."""
    rounds: list[OpenRound]
    """Opened and not fully scored."""

    @property
    def open_assignments(self) -> list[OpenAssignment]:
        """Assignments without an outcome, of all open rounds."""
        return [a for current in self.rounds for a in current.waiting]


async def replay(log: Log, to: Until | None = None, *, progress: Progress | None = None) -> State:
    """The state of a log at a moment; at its end without one.

    Raises UsageError for a moment before the first event or behind the last, Damaged for bytes
    that are not what was written, CannotJudge where versions or blobs are missing.
    """
    to = to or Until()
    reading, fold = Reading(log, progress), StateFold(log)
    async with aclosing(reading.events()) as events:
        async for seen in events:
            if to.excludes(seen):
                break
            fold.feed(seen)
            if seen.seq == to.seq:
                break
    _check(to, fold.seq)
    return fold.state(reading.signed)


def _check(to: Until, seq: int) -> None:
    if seq == 0:
        raise UsageError("nothing was recorded by then: name a later moment, or an earlier volume")
    if to.seq is not None and seq < to.seq:
        raise UsageError(f"there is no event {to.seq}: the last one is event {seq}")


class StateFold:
    """All that a state is made of; feeds on every event in order."""

    def __init__(self, log: Log) -> None:
        self._blobs = log.blobs
        self._rule = WeightRule()
        self._weights = self._rule.initial()
        self._board = Leaderboard()
        self._rounds = RoundsFold()
        self._runs = RunsFold()
        self._opened: LogOpened | None = None
        self._block: BlockObserved | None = None
        self._row_seq = 0
        self.seq = self._at = 0

    def feed(self, seen: Recorded) -> None:
        """Fold one event. Raises Damaged for one that follows from nothing in the log."""
        try:
            self._feed(seen)
        except (LookupError, AssertionError, ValueError):
            reason = "follows from nothing before it; run `quasar audit` on this log"
            raise Damaged(seen.seq, reason) from None
        self.seq, self._at = seen.seq, seen.envelope.at

    def _feed(self, seen: Recorded) -> None:
        self._board.feed(seen)
        self._rounds.feed(seen)
        self._runs.feed(seen)
        if type(seen.event) in self._rule.subscribes:
            self._weights = self._rule.evolve(self._weights, seen, self._blobs)
        match seen.event:
            case LogOpened() as opened:
                self._opened = opened
            case BlockObserved() as block:
                self._block = block
            case WeightsComputed():
                self._row_seq, self._board.deferred = seen.seq, None

    def state(self, verified: int) -> State:
        """As it stands now."""
        board, opened = self._board, self._opened
        assert opened is not None
        return State(
            seq=self.seq,
            at=self._at,
            log_id=opened.log_id,
            volume=opened.volume,
            hotkey=opened.hotkey,
            netuid=opened.netuid,
            verified=verified,
            block=self._block,
            policy=self._runs.policy,
            runs=self._runs.runs,
            opened=board.opened,
            scored=board.rounds,
            skipped=board.skipped,
            tasks=board.tasks,
            answers=board.answers,
            abandoned=board.abandoned,
            row=board.row,
            row_seq=self._row_seq,
            deferred=board.deferred,
            miners=_miners(board.lines(), self._weights.standings),
            rounds=self._rounds.open,
        )


def _miners(lines: Sequence[Line], standings: dict[str, Standing]) -> list[MinerState]:
    """Everyone on the board, then those who only stand there from an earlier volume."""
    shown = {line.hotkey for line in lines}
    carried = [
        Line(hotkey, None, {}, 0, None) for hotkey in sorted(standings) if hotkey not in shown
    ]
    return [_miner(line, standings.get(line.hotkey)) for line in (*lines, *carried)]


def _miner(line: Line, standing: Standing | None) -> MinerState:
    return MinerState(
        hotkey=line.hotkey,
        score=standing.score if standing else None,
        samples=standing.samples if standing else 0,
        u16=line.u16,
        reward=line.reward,
        buckets=line.buckets,
        not_scored=line.not_scored,
    )
