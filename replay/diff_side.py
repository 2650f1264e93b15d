"""One validator's log in a comparison, read in steps of a block."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from quasar.errors import CannotJudge, Damaged
from quasar.events import (
    BlockObserved,
    LogOpened,
    PolicyAdopted,
    RunStarted,
    WeightsComputed,
)
from quasar.events.signing import origin_of
from quasar.log import Log
from quasar.replay.diff_found import ComparedLog
from quasar.replay.diff_rounds import Place, PlayedRound, PlayedRounds
from quasar.replay.diff_rows import Row
from quasar.replay.reading import Reading
from quasar.rules.machine import Recorded

SLACK = 100
"""Blocks that a round may still be opened after: a validator that was away catches up."""

Volumes = Sequence[Log]


class Side:
    """One validator's log, and how far it was read."""

    def __init__(self, name: str, volumes: Volumes) -> None:
        self.name = name
        self.volumes = volumes
        self.events = _events(volumes)
        self.opened: LogOpened | None = None
        self.block = self.epoch = -1
        self.seen = 0
        self.ended = False
        self.played: list[PlayedRound] = []
        """Not collected yet. None of a block that the log never saw: it would wait for ever."""
        self.rows: list[Row] = []
        self.policies: dict[str, str] = {}
        """Digest to name, in the order of adoption."""
        self.run: RunStarted | None = None
        """The newest."""
        self.blocks: tuple[int, int] | None = None
        self.rounds = 0
        self._open = PlayedRounds()

    @property
    def identity(self) -> LogOpened:
        """Whose log it is. Raises Damaged where it does not say."""
        if self.opened is None:
            raise Damaged(1, f"{self.name} does not begin with LogOpened")
        return self.opened

    @property
    def open(self) -> int:
        """Rounds under way."""
        return len(self._open)

    async def head(self) -> int:
        """How many events there are."""
        events = 0
        for log in self.volumes:
            events += await log.head()
        return events

    async def step(self) -> None:
        """Read on until the log tells of another block, or ends. First to its first event."""
        async for seen in self.events:
            self.seen += 1
            self._feed(seen)
            if self.seen == 1 or isinstance(seen.event, BlockObserved):
                return
        self.ended = True

    def past(self, block: int) -> bool:
        """Whether no round of this block is to be waited for."""
        return self.ended or block < self._open.oldest(self.block - SLACK)

    def past_epoch(self, epoch: int) -> bool:
        """Whether no row of this epoch is to be waited for."""
        return self.ended or epoch + 1 < self.epoch

    def _feed(self, seen: Recorded) -> None:
        match seen.event:
            case LogOpened() as opened:
                self._check_next(opened)
                self.opened = opened
            case BlockObserved() as block:
                self.block = max(self.block, block.number)
                self.epoch = max(self.epoch, block.epoch)
            case PolicyAdopted(name=name, toml=toml):
                self.policies.setdefault(toml.sha256, name)
            case RunStarted() as run:
                self.run = run
            case WeightsComputed(epoch=epoch) as row if epoch <= self.epoch:
                self.rows.append(Row(row, Place(self._volume, seen.seq)))
        played = self._open.feed(seen, self._volume)
        if played is not None and played.block <= self.block:
            self.played.append(played)
            self.rounds += 1
            first, last = self.blocks or (played.block, played.block)
            self.blocks = (min(first, played.block), max(last, played.block))

    def _check_next(self, opened: LogOpened) -> None:
        """Raises CannotJudge where volumes of another log, or in another order, were given."""
        before = self.opened
        if before is None:
            return
        same = (before.hotkey, before.log_id) == (opened.hotkey, opened.log_id)
        if not same or opened.volume <= before.volume:
            raise CannotJudge(
                f"{self.name}: its volumes are not those of one log in order; `quasar audit` "
                "says what is wrong with them"
            )

    @property
    def _volume(self) -> int:
        return self.opened.volume if self.opened else 0

    def made_with(self) -> dict[str, str]:
        """Names and values of what the log was made with, as its newest run and policy say."""
        made = {"policies": ", ".join(f"{n} {d[:12]}" for d, n in self.policies.items())}
        if self.run is not None:
            made |= {"mode": self.run.mode, "sandbox": self.run.sandbox or "none"}
            made |= {f"version {name}": value for name, value in self.run.versions.items()}
            made |= {f"digest {name}": value for name, value in self.run.digests.items()}
        return made

    def shown(self) -> ComparedLog:
        """As a person sees it."""
        opened = self.identity
        first, last = self.blocks or (None, None)
        return ComparedLog(
            name=self.name,
            origin=origin_of(opened.netuid, opened.hotkey, opened.log_id, opened.volume),
            hotkey=opened.hotkey,
            events=self.seen,
            volumes=len(self.volumes),
            rounds=self.rounds,
            first_block=first,
            last_block=last,
            policies=[f"{name} {sha256[:12]}" for sha256, name in self.policies.items()],
        )


async def _events(volumes: Volumes) -> AsyncGenerator[Recorded, None]:
    for log in volumes:
        async with aclosing(Reading(log).events()) as events:
            async for seen in events:
                yield seen
