"""The leaderboard as a table."""

from rich.table import Table

from quasar.cli.output import out, short
from quasar.rules.projections import Leaderboard, Line
from quasar.rules.statistics import Summary


def show_board(board: Leaderboard, names: dict[str, str] | None = None) -> None:
    """Print scores with n and standard error by bucket, and weights."""
    names = names or {}
    table = Table(title=f"{board.rounds} rounds, {board.tasks} tasks, {board.answers} answers")
    table.add_column("miner")
    if names:
        table.add_column("engine")
    table.add_column("reward", justify="right")
    for bucket in board.buckets:
        table.add_column(bucket, justify="right")
    table.add_column("left out", justify="right")
    table.add_column("weight u16", justify="right", style="bold")
    for line in board.lines():
        table.add_row(*_cells(line, board.buckets, names))
    out.print(table)
    out.print("mean +/- standard error (n); a bucket shows raw accuracy, reward its policy's value")


def _cells(line: Line, buckets: list[str], names: dict[str, str]) -> list[str]:
    cells = [short(line.hotkey)]
    if names:
        cells.append(names.get(line.hotkey, "?"))
    cells.append(_summary(line.reward))
    cells += [_summary(line.buckets.get(bucket)) for bucket in buckets]
    cells.append(str(line.not_scored) if line.not_scored else "-")
    cells.append("-" if line.u16 is None else str(line.u16))
    return cells


def _summary(summary: Summary | None) -> str:
    if summary is None:
        return "-"
    error = "" if summary.se is None else f" +/-{summary.se:.2f}"
    return f"{summary.mean:.2f}{error} ({summary.n})"
