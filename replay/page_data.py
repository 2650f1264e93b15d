"""What a report page shows of a log: a fold in memory that grows with miners and not with events.

It repeats what the log has recorded. Whether that holds is the audit's to say.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import sqrt

from quasar.errors import Damaged
from quasar.events import (
    AnswerNotScored,
    AnswerScored,
    FindingNoted,
    LogOpened,
    PolicyAdopted,
    RoundOpened,
    RoundScored,
    RunStarted,
    TaskSampled,
    Weight,
    WeightsComputed,
)
from quasar.events.envelope import decode
from quasar.log import Log
from quasar.replay.page_series import (
    ANSWERED,
    FAILED,
    LEFT_OUT,
    UNPROVED,
    Bars,
    Rows,
    shares_of,
)
from quasar.replay.revealed import up_to
from quasar.rules.machine import Recorded
from quasar.rules.ranks import Contexts

NAMES = 12
"""Families or buckets that have a column; a hostile log could name thousands."""
OPEN = 512
"""Rounds whose tasks' families are remembered."""
NOTED = 200
"""Findings about miners that are kept, the newest."""
OTHER = "other"

Progress = Callable[[int, int], None]
"""Called with events done and events in all."""

_READ = re.compile(
    rb'"event":\{"type":"(?:AnswerNotScored|AnswerScored|FindingNoted|LogOpened|PolicyAdopted|RoundOpened'
    rb'|RoundScored|RunStarted|TaskSampled|WeightsComputed)"'
)
"""In a line that holds one of the events that are folded; quotes in a text would be escaped."""


@dataclass
class Mean:
    """Of values in [0, 1], added one by one in log order."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.n += 1
        self.total += value
        self.squares += value * value

    @property
    def mean(self) -> float:
        """Needs one value."""
        return self.total / self.n

    @property
    def error(self) -> float | None:
        """Standard error of the mean; None below two values."""
        if self.n < 2:
            return None
        return sqrt(max(0.0, self.squares - self.total * self.mean) / (self.n * (self.n - 1)))


@dataclass
class Miner:
    """One hotkey's answers."""

    hotkey: str
    accuracy: Mean = field(default_factory=Mean)
    families: dict[str, Mean] = field(default_factory=dict)
    buckets: dict[str, Mean] = field(default_factory=dict)
    left_out: int = 0


@dataclass
class Board:
    """Feeds on events in order."""

    opened: LogOpened | None = None
    miners: dict[str, Miner] = field(default_factory=dict)
    contexts: Contexts = field(default_factory=Contexts)
    """Rewards, to rank by."""
    rows: Rows = field(default_factory=Rows)
    bars: Bars = field(default_factory=Bars)
    rounds: int = 0
    """Scored."""
    buckets: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)
    """Versions that wrote the log."""
    modes: list[str] = field(default_factory=list)
    begun: int = 0
    """When the first event that is folded was written, in Unix nanoseconds: a fact for people."""
    ended: int = 0
    """The last."""
    noted: deque[FindingNoted] = field(default_factory=lambda: deque(maxlen=NOTED))
    """Findings about miners."""
    findings: int = 0
    """How many there are in all."""
    stopped: str = ""
    """Why the rest could not be read."""
    _tasks: dict[int, dict[int, str]] = field(default_factory=dict)

    def feed(self, seen: Recorded) -> None:
        """Fold one event."""
        self.ended = seen.envelope.at
        self.begun = self.begun or self.ended
        match seen.event:
            case LogOpened() as opened:
                self.opened = opened
            case RunStarted(mode=mode, versions=versions):
                _name(self.modes, mode)
                _name(self.programs, versions.get("quasar-subnet", "unknown"))
            case PolicyAdopted(name=name):
                _name(self.policies, name)
            case RoundOpened(participants=hotkeys):
                for hotkey in hotkeys:
                    self._miner(hotkey)
            case TaskSampled(round=number, task=task, family=family):
                self._sample(number, task, family)
            case AnswerScored() as score:
                self._score(score)
            case AnswerNotScored(round=number, hotkey=hotkey):
                self._miner(hotkey).left_out += 1
                self.bars.add(number, LEFT_OUT)
            case RoundScored(round=number):
                self.rounds += 1
                self._tasks.pop(number, None)
            case FindingNoted() as found:
                self.noted.append(found)
                self.findings += 1
            case WeightsComputed() as row:
                self.rows.add(row)

    @property
    def row(self) -> WeightsComputed | None:
        """The newest."""
        return self.rows.newest

    @property
    def shares(self) -> dict[str, float]:
        """Each miner's part of the newest row."""
        return shares_of(self.row.weights) if self.row else {}

    @property
    def places(self) -> dict[str, Weight]:
        """Each miner's place in the newest row."""
        return {w.hotkey: w for w in self.row.weights} if self.row else {}

    @property
    def answers(self) -> int:
        """Scored or left out."""
        total = 0
        for count in self.bars.totals:
            total += count
        return total

    def ranked(self) -> list[Miner]:
        """By share, then by mean accuracy, then by hotkey."""
        shares = self.shares

        def rank(miner: Miner) -> tuple[float, float, str]:
            mean = miner.accuracy.mean if miner.accuracy.n else 0.0
            return (-shares.get(miner.hotkey, 0.0), -mean, miner.hotkey)

        return sorted(self.miners.values(), key=rank)

    def _sample(self, number: int, task: int, family: str) -> None:
        self._tasks.setdefault(number, {})[task] = family
        if len(self._tasks) > OPEN:
            del self._tasks[next(iter(self._tasks))]

    def _miner(self, hotkey: str) -> Miner:
        return self.miners.setdefault(hotkey, Miner(hotkey))

    def _score(self, score: AnswerScored) -> None:
        miner, value = self._miner(score.hotkey), score.accuracy
        family = self._tasks.get(score.round, {}).get(score.task, OTHER)
        miner.accuracy.add(value)
        self.contexts.add(score.hotkey, (score.round, score.task), score.reward)
        miner.families.setdefault(_name(self.families, family), Mean()).add(value)
        miner.buckets.setdefault(_name(self.buckets, score.bucket), Mean()).add(value)
        self.bars.add(score.round, _outcome(score))


def _outcome(score: AnswerScored) -> int:
    if score.unproved:
        return UNPROVED
    return FAILED if score.failure else ANSWERED


async def read_board(logs: Sequence[Log], progress: Progress | None = None) -> Board:
    """The board of a log's volumes, in order. Of a damaged log: of all before the damage."""
    board, done = Board(), 0
    sizes = [await log.head() for log in logs]
    total = 0
    for size in sizes:
        total += size
    try:
        for log, size in zip(logs, sizes, strict=True):
            line = b""
            async for seq, line in up_to(log, size):
                if _READ.search(line):
                    board.feed(Recorded(seq, line))
                if progress is not None:
                    progress(done + seq, total)
            done += size
            board.ended = decode(line).at if line else board.ended
    except (Damaged, ValueError) as damage:
        board.stopped = str(damage)
    return board


def _name(names: list[str], name: str) -> str:
    """The name itself where it has a column or gets one, else OTHER."""
    if name not in names:
        if len(names) >= NAMES:
            return OTHER
        names.append(name)
    return name
