"""``quasar replay``: the state of a log at any moment."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import dropwhile
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich import box
from rich.table import Table

from quasar.cli.moment import parse_moment, volume_at
from quasar.cli.output import out, printable, say_json, short
from quasar.cli.slow_bar import slow_bar
from quasar.cli.source import open_volumes
from quasar.errors import CannotJudge, UsageError
from quasar.log.archive_reader import ArchiveLog
from quasar.log.whole import is_pruned
from quasar.replay.rounds import OpenAssignment, OpenRound
from quasar.replay.state import MinerState, State
from quasar.replay.state import replay as state_at

SHOWN = 12
"""Open assignments in words; ``--json`` has all."""


def replay(
    source: str,
    /,
    *,
    to: str | None = None,
    volume: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show a log's state at a moment: scores, weights, and the tasks that were open.

    Every line up to there is compared with its hash and the signed checkpoints; exit code 1 where
    one differs. Decisions are not recomputed: that is what `quasar audit` does.

    Parameters
    ----------
    source
        Folder or URL of an archive or of volumes, or ``sample``.
    to
        The number of an event; ``block:123``; or a time in UTC, as 2026-11-22T14:40:00. The end
        without it.
    volume
        Which volume; else the newest, and of a block or a time the one that it lies in.
    json
        Print one JSON object, with all open tasks.
    """
    moment = parse_moment(to)
    volumes = list(dropwhile(is_pruned, open_volumes(source)))
    if not volumes:
        raise CannotJudge(f"the events of {source} were pruned: replay the other copy of them")
    log = volume_at(volumes, moment) if volume is None else _numbered(volumes, volume)
    with slow_bar("replaying", shown=not json) as seen:
        state = anyio.run(lambda: state_at(log, moment, progress=seen))
    if json:
        say_json(state)
    else:
        show(state)
    return 0


def _numbered(volumes: list[ArchiveLog], number: int) -> ArchiveLog:
    for log in volumes:
        if log.manifest.volume == number:
            return log
    known = ", ".join(str(log.manifest.volume) for log in volumes)
    raise UsageError(f"there is no volume {number} here; these are: {known}")


def show(state: State) -> None:
    """The state for people."""
    for line in _head(state):
        out.print(printable(line), markup=False)
    if state.miners:
        out.print(_table(state.miners))
    for current in state.rounds:
        out.print(_round(current), markup=False)
    for assignment in state.open_assignments[:SHOWN]:
        out.print(_waiting(assignment), markup=False)
    if (more := len(state.open_assignments) - SHOWN) > 0:
        out.print(f"  and {more} more: --json lists them", markup=False)
    if not state.rounds:
        out.print("no round is open")


def _head(state: State) -> Iterator[str]:
    at = datetime.fromtimestamp(state.at // 10**9, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f"after event {state.seq} of volume {state.volume}, written {at}"
    yield f"log {state.log_id} of {state.hotkey}, subnet {state.netuid}"
    if state.verified:
        yield f"events 1 to {state.verified} stand under a signed checkpoint"
    else:
        yield "no signed checkpoint covers it yet"
    if state.block:
        yield f"block {state.block.number}, epoch {state.block.epoch}"
    if state.policy:
        yield f"policy {state.policy.name} (event {state.policy.seq})"
    for run in state.runs:
        end = f"ended: {run.ended}" if run.ended else "under way"
        yield f"run {run.run}: {run.mode}, quasar-subnet {run.program}, {end}"
    yield (
        f"rounds: {state.opened} opened, {state.scored} scored, {state.skipped} skipped; "
        f"{state.tasks} tasks, {state.answers} answers, {state.abandoned} without one"
    )
    yield _weights(state)


def _weights(state: State) -> str:
    if state.row is None:
        return f"no weights yet ({state.deferred.reason if state.deferred else 'no epoch began'})"
    later = f"; epoch {state.deferred.epoch}: {state.deferred.reason}" if state.deferred else ""
    row = f"weights of epoch {state.row.epoch}, block {state.row.block} (event {state.row_seq})"
    return row + later


def _table(miners: list[MinerState]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("miner", no_wrap=True)
    for title in ("score", "samples", "mean reward", "n", "left out", "weight"):
        table.add_column(title, justify="right", no_wrap=True)
    for m in miners:
        table.add_row(*_cells(m))
    return table


def _cells(m: MinerState) -> list[str]:
    return [
        short(m.hotkey),
        "-" if m.score is None else f"{m.score:.4f}",
        str(m.samples),
        f"{m.reward.mean:.3f}" if m.reward else "-",
        str(m.reward.n) if m.reward else "0",
        str(m.not_scored),
        "-" if m.u16 is None else str(m.u16),
    ]


def _round(current: OpenRound) -> str:
    done = current.answered + current.abandoned
    return (
        f"round {current.round} is {current.stage}: block {current.block}, "
        f"{current.participants} participants, {len(current.tasks)} tasks, "
        f"{done} of {current.assigned} assignments ended, {current.scored} scored"
    )


def _waiting(a: OpenAssignment) -> str:
    stage = "accepted" if a.accepted else "not accepted yet"
    return (
        f"  round {a.round} task {a.task} waits for {short(a.hotkey)}: {stage}, "
        f"deadline {a.deadline_ms / 1000:g} s (event {a.seq})"
    )
