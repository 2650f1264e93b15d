"""A progress bar for what takes longer than a glance."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from quasar.cli.output import err

PATIENCE_S = 2.0

Seen = Callable[[int, int], None]
"""Called with how much is done and how much there is."""


@contextmanager
def slow_bar(what: str, *, shown: bool = True) -> Iterator[Seen]:
    """A bar on stderr with rate and time left, once PATIENCE_S have passed; only for a terminal."""
    if not shown or not err.is_terminal:
        yield _unseen
        return
    rate = TaskProgressColumn(show_speed=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    progress = Progress(*columns, console=err, transient=True)
    bar, start = progress.add_task(what), time.monotonic()

    def seen(done: int, total: int) -> None:
        progress.update(bar, completed=done, total=total)
        if not progress.live.is_started and time.monotonic() - start > PATIENCE_S:
            progress.start()

    try:
        yield seen
    finally:
        if progress.live.is_started:
            progress.stop()


def _unseen(done: int, total: int) -> None:
    """Nobody looks."""
