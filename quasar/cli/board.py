"""The leaderboard as a table of at most 80 columns."""

from rich import box
from rich.table import Table

from quasar.cli.output import out, short
from quasar.rules.projections import Leaderboard, Line
from quasar.rules.statistics import Summary


def show_board(board: Leaderboard, names: dict[str, str] | None = None) -> None:
    """Print scores with standard error and n by bucket, and weights."""
    left_out = any(line.not_scored for line in board.lines())
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("miner", no_wrap=True)
    for title in ("reward", *board.buckets):
        table.add_column(title, justify="right", no_wrap=True)
    if left_out:
        table.add_column("left out", justify="right")
    table.add_column("weight", justify="right", style="bold", no_wrap=True)
    for line in board.lines():
        table.add_row(*_cells(line, board.buckets, names or {}, left_out))
    counts = f"{board.rounds} rounds, {board.tasks} tasks, {board.answers} answers"
    out.print(f"\n{counts}", style="bold")
    out.print(table)
    out.print(
        "reward, and raw accuracy by context length: mean, standard error, number of answers",
        style="dim",
    )


def _cells(line: Line, buckets: list[str], names: dict[str, str], left_out: bool) -> list[str]:
    name = names.get(line.hotkey)
    cells = [short(line.hotkey) + (f"\n  {name}" if name else "")]
    cells += [_summary(s) for s in (line.reward, *(line.buckets.get(b) for b in buckets))]
    if left_out:
        cells.append(str(line.not_scored or "-"))
    cells.append("-" if line.u16 is None else str(line.u16))
    return cells


def _summary(summary: Summary | None) -> str:
    if summary is None:
        return "-"
    error = "-" if summary.se is None else f"±{summary.se:.2f}"
    return f"{summary.mean:.2f}\n{error}\nn {summary.n}"
