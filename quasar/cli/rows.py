"""Two weight rows side by side on a terminal of 80 columns."""

from rich import box
from rich.bar import Bar
from rich.table import Table

from quasar.cli.output import out, printable, short
from quasar.replay.comparison import Change, Comparison
from quasar.replay.finding import Tally
from quasar.replay.simulate import Simulation
from quasar.replay.virtual import VirtualRounds

SHOWN = 16
"""Miners in words: those who gain and lose most. ``--json`` has all."""
BAR = 18
"""Columns of the longest bar."""


def show_simulation(found: Simulation) -> None:
    """Recorded rounds, judged again."""
    metric = f" with {printable(found.metric)}" if found.metric else ""
    title = f"policy {found.policy}{metric}, on rounds of {found.recorded}"
    out.print(title, style="bold", markup=False)
    for name, tally in (
        ("scores", found.scores),
        ("round means", found.means),
        ("weight rows", found.rows),
    ):
        out.print(f"  {_as_recorded(name, tally)}", markup=False)
    if found.first_other_row is not None:
        out.print(f"  the first other row is that of epoch {found.first_other_row}", markup=False)
    for words in found.not_judged:
        out.print(f"  [yellow]not judged[/]  {words}")
    for words in found.assumed:
        out.print(f"  [yellow]assumed[/]     {words}")
    if found.epoch is None:
        out.print("no weights in either: no row was computed")
    else:
        show_changes(found.weights, "recorded", found.policy)


def _as_recorded(name: str, tally: Tally) -> str:
    if tally.checked == tally.equal:
        return f"{tally.checked} {name}, all as recorded, byte for byte"
    return f"{tally.checked} {name}, {tally.checked - tally.equal} of them other than recorded"


def show_virtual(played: VirtualRounds) -> None:
    """What was played, and how much of the row is luck."""
    out.print(
        f"{played.rounds} virtual rounds under {played.policy}, {len(played.miners)} miners, "
        f"seed {printable(played.seed)}",
        style="bold",
        markup=False,
    )
    out.print(
        f"  {played.answers} answers drawn, {played.not_scored} left out; "
        f"{played.hours:g} hours of chain time",
        markup=False,
    )
    for words in played.unjudged:
        out.print(f"  [yellow]not judged[/]  {words}: nobody in this log was asked")
    if played.miners:
        spread = max(played.miners, key=lambda m: m.highest - m.lowest)
        out.print(
            f"  widest swing of a share in the second half: {short(spread.hotkey)}, "
            f"{spread.lowest:.2%} to {spread.highest:.2%}",
            markup=False,
        )


def show_changes(rows: Comparison, old: str, new: str) -> None:
    """Shares of the row, who gains and who loses."""
    order = "-" if rows.kendall is None else f"{rows.kendall:.3f}"
    out.print(f"  L1 distance of the rows {rows.l1:.4f} of 2, rank correlation (tau-b) {order}")
    if all(change.gain == 0.0 for change in rows.miners):
        out.print("  every miner keeps its share")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("miner", no_wrap=True)
    for title in (_short(old), _short(new), "gain"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("old above new", width=BAR, no_wrap=True)
    shown = _most_moved(rows.miners)
    longest = max((max(c.old_share, c.new_share) for c in shown), default=0.0) or 1.0
    for change in shown:
        table.add_row(*_numbers(change), Bar(longest, 0, change.old_share, width=BAR, color="blue"))
        table.add_row("", "", "", "", Bar(longest, 0, change.new_share, width=BAR, color="green"))
    out.print(table)
    if len(shown) < len(rows.miners):
        out.print(f"{len(rows.miners) - len(shown)} more moved less: --json lists all", style="dim")


def _most_moved(miners: list[Change]) -> list[Change]:
    """Winners first, as they stand; of many, those whose share moved most."""
    moved = sorted(miners, key=lambda c: -abs(c.gain))[:SHOWN]
    return [change for change in miners if change in moved]


def _numbers(c: Change) -> list[str]:
    return [short(c.hotkey), f"{c.old_share:.2%}", f"{c.new_share:.2%}", _gain(c)]


def _gain(c: Change) -> str:
    """In percent of the old share."""
    if c.old_share == 0.0:
        return "new" if c.new_share else "-"
    return f"{c.gain / c.old_share:+.1%}"


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}."
