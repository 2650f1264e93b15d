"""What happens, while it happens: the log as a progress display."""

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from quasar.actors.actor import recorded
from quasar.cli.output import err, short
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    AnyEvent,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    TaskAssigned,
    TaskSampled,
    WeightsComputed,
)
from quasar.log import Log


class Live:
    """Reads the log like any actor and writes nothing to it."""

    def __init__(self, rounds: int, names: dict[str, str], *, shown: bool) -> None:
        self._names = names
        self._assigned = self._done = 0
        self._row = ""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=err,
            disable=not shown,
        )
        self._rounds = self._progress.add_task("rounds scored", total=rounds)
        self._answers: TaskID = self._progress.add_task("answers", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    async def watch(self, log: Log) -> None:
        """Show events for ever."""
        async for seen in recorded(log):
            self._show(seen.event)

    def _show(self, event: AnyEvent) -> None:
        match event:
            case RoundOpened(round=r, block=block, beacon_block=beacon, participants=miners):
                self._say(
                    f"round {r} opened at block {block} for {len(miners)} miners; "
                    f"block {beacon} will seed its tasks"
                )
            case TaskSampled(round=r, task=t, family=family, bucket=bucket):
                self._say(f"  task {r}.{t}: {family}, {bucket} tokens of real text")
            case TaskAssigned():
                self._assigned += 1
                self._progress.update(self._answers, total=self._assigned)
            case AnswerReceived() | AnswerAbandoned():
                self._done += 1
                self._progress.update(self._answers, completed=self._done)
            case RoundRevealed(round=r):
                self._say(f"round {r} sealed; its secret is revealed, so it can be scored")
            case RoundScored(rewards=rewards):
                self._progress.advance(self._rounds)
                for reward in rewards:
                    name = self._names.get(reward.hotkey, "")
                    mean = "-" if reward.mean is None else f"{reward.mean:.2f}"
                    self._say(f"  {short(reward.hotkey)} {name:<11} mean reward {mean}")
            case WeightsComputed(epoch=epoch, weights=weights):
                row = " ".join(str(w.u16) for w in weights)
                if row != self._row:  # most epochs bring no news
                    self._say(f"weights of epoch {epoch}: {row}")
                self._row = row

    def _say(self, line: str) -> None:
        if not self._progress.disable:
            self._progress.console.print(line, markup=False)
