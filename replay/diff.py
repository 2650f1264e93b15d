"""The logs of different validators side by side, read in step, block by block.

Each log is read once. A round waits only until every validator has come past its block, so memory
is bounded by miners and rounds under way, not by events.
"""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, aclosing

from quasar.errors import CannotJudge, UsageError
from quasar.log import Log
from quasar.replay.diff_answers import Answers
from quasar.replay.diff_found import Difference, Differing
from quasar.replay.diff_miners import Miners
from quasar.replay.diff_rounds import PlayedRound
from quasar.replay.diff_rows import Row, Rows
from quasar.replay.diff_side import Side, Volumes
from quasar.replay.diff_statistics import Outcomes
from quasar.replay.reading import Progress


async def diff(logs: Sequence[Log | Volumes], *, progress: Progress | None = None) -> Difference:
    """Compare two or more validators' logs, each a log or its volumes in order.

    Raises UsageError for fewer than two, or for one log twice; CannotJudge where no two of them
    asked the same miner; and as ``Reading`` for a log that is damaged or needs other versions.
    """
    if len(logs) < 2:
        raise UsageError("a difference is between two logs or more: name another one")
    sides = [
        Side(name, log if isinstance(log, Sequence) else [log])
        for name, log in zip(names(len(logs)), logs, strict=True)
    ]
    found = _Found(sides)
    total = _total([await side.head() for side in sides])
    async with AsyncExitStack() as stack:
        for side in sides:
            await stack.enter_async_context(aclosing(side.events))
            await side.step()
        _check_different(sides)
        while going := [side for side in sides if not side.ended]:
            await min(going, key=lambda side: side.block).step()
            found.collect()
            if progress is not None:
                progress(_total([side.seen for side in sides]), total)
    return found.result()


def names(count: int) -> list[str]:
    """A, B, ..., Z, L27, ..."""
    return [chr(ord("A") + n) if n < 26 else f"L{n + 1}" for n in range(count)]


def _check_different(sides: Sequence[Side]) -> None:
    known: dict[tuple[str, str], str] = {}
    for side in sides:
        hotkey, log_id = side.identity.hotkey, side.identity.log_id
        if (hotkey, log_id) in known:
            raise UsageError(
                f"{known[(hotkey, log_id)]} and {side.name} are one log, {log_id} of {hotkey}: "
                "name each validator once, or two copies of one log alone"
            )
        known[(hotkey, log_id)] = side.name


class _Found:
    """What was compared so far."""

    def __init__(self, sides: Sequence[Side]) -> None:
        self._sides = sides
        names = [side.name for side in sides]
        self._rounds: dict[int, dict[int, PlayedRound]] = {}
        """By block and log: those that wait for other validators'."""
        self._rows: dict[int, dict[int, Row]] = {}
        """By epoch and log, likewise."""
        self._answers = Answers(names)
        self._miners = Miners(len(sides))
        self._weights = Rows(names)
        self._outcomes = Outcomes(names)

    def collect(self) -> None:
        """Take what is new, and compare what nobody is waited for in."""
        for log, side in enumerate(self._sides):
            for played in side.played:
                self._rounds.setdefault(played.block, {})[log] = played
                self._miners.feed(log, played)
            for row in side.rows:
                self._rows.setdefault(row.row.epoch, {})[log] = row
            side.played, side.rows = [], []
        for block in [b for b in sorted(self._rounds) if all(s.past(b) for s in self._sides)]:
            rounds = self._rounds.pop(block)
            self._outcomes.feed(rounds, matched=self._one_chain)
            self._answers.feed(block, rounds)
        for epoch in [e for e in sorted(self._rows) if all(s.past_epoch(e) for s in self._sides)]:
            self._weights.feed(self._rows.pop(epoch))

    @property
    def _one_chain(self) -> bool:
        return len({(s.identity.genesis, s.identity.netuid) for s in self._sides}) == 1

    def result(self) -> Difference:
        """Everything. Raises CannotJudge where nothing can be compared."""
        if not self._miners.shared:
            raise CannotJudge(
                "no two of these validators scored the same miner: there is nothing to compare"
            )
        miners, cells = self._miners.result()
        return Difference(
            logs=[side.shown() for side in self._sides],
            differing=_differing(self._sides),
            tasks=self._answers.tasks,
            answers=self._answers.same,
            miners=miners,
            cells=cells,
            weights=self._weights.partings(),
            rows=self._weights.apart,
            statistics=self._outcomes.result(),
            notes=list(self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        yield "no log was audited here: `quasar audit` says what each of them proves"
        if not self._one_chain:
            yield "they are of different chains or subnets: their blocks are not the same moments"
        if not self._answers.tasks.blocks:
            yield "no two of them scored a round of one block: nothing was matched in time"
        if self._weights.alone:
            yield f"{self._weights.alone} rows of epochs in which only one of them set a row"
        for side in self._sides:
            if side.open:
                yield f"{side.name}: {side.open} rounds that are not scored yet"


def _differing(sides: Sequence[Side]) -> list[Differing]:
    """Policies, versions and digests that are not the same everywhere."""
    told = [side.made_with() for side in sides]
    what = dict.fromkeys(name for made_with in told for name in sorted(made_with))
    values = {name: [made_with.get(name) for made_with in told] for name in what}
    return [Differing(what=name, values=v) for name, v in values.items() if len({*v}) > 1]


def _total(counts: Sequence[int]) -> int:
    total = 0
    for count in counts:
        total += count
    return total
