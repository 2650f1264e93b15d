"""The leaderboard as a table of at most 80 columns."""

from rich import box
from rich.table import Table

from quasar.cli.output import out, short
from quasar.rules.projections import Leaderboard, Line
from quasar.rules.ranks import TOP, Place
from quasar.rules.statistics import Summary

EXPLAINED = (
    "reward, and raw accuracy by context length: mean, standard error, number of",
    "answers; below the reward its 95 % interval",
    f"rank by reward: 95 % interval, and how often among the first {TOP}, if the same",
    "miners got other tasks of the kind",
)


def show_board(board: Leaderboard, names: dict[str, str] | None = None) -> None:
    """Print scores with standard error and n by bucket, and weights."""
    lines, places = board.lines(), board.places()
    left_out = any(line.not_scored for line in lines)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("miner", no_wrap=True)
    for title in ("reward", *board.buckets):
        table.add_column(title, justify="right", no_wrap=True)
    if left_out:
        table.add_column("left out", justify="right")
    for title in ("rank", "weight"):
        table.add_column(title, justify="right", style="bold", no_wrap=True)
    for line in lines:
        place = places.get(line.hotkey)
        table.add_row(*_cells(line, place, board.buckets, names or {}, left_out))
    counts = f"{board.rounds} rounds, {board.tasks} tasks, {board.answers} answers"
    out.print(f"\n{counts}", style="bold")
    out.print(table)
    for words in EXPLAINED:
        out.print(words, style="dim")
    if board.findings:
        out.print(f"noted about miners: {board.findings}, see `quasar why`", style="yellow")


def _cells(
    line: Line, place: Place | None, buckets: list[str], names: dict[str, str], left_out: bool
) -> list[str]:
    name = names.get(line.hotkey)
    cells = [short(line.hotkey) + (f"\n  {name}" if name else "")]
    reward = line.reward
    between = "" if reward is None else f"\n{100 * reward.low:.0f}-{100 * reward.high:.0f}%"
    cells.append(_summary(reward) + between)
    cells += [_summary(line.buckets.get(bucket)) for bucket in buckets]
    if left_out:
        cells.append(str(line.not_scored or "-"))
    cells.append("-" if place is None else f"{_ranks(place)}\n{place.top:.0%}")
    cells.append("-" if line.u16 is None else str(line.u16))
    return cells


def _ranks(place: Place) -> str:
    return f"{place.low}" if place.low == place.high else f"{place.low}-{place.high}"


def _summary(summary: Summary | None) -> str:
    if summary is None:
        return "-"
    error = "-" if summary.se is None else f"±{summary.se:.2f}"
    return f"{summary.mean:.2f}\n{error}\nn {summary.n}"
