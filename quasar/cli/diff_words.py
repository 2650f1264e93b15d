"""Several validators side by side, on a terminal of 80 columns."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich import box
from rich.table import Table

from quasar.cli.output import out, printable, short
from quasar.replay.diff_found import Difference, OtherScores
from quasar.replay.diff_miners import Did, MinerDid
from quasar.replay.diff_rows import Parting
from quasar.replay.diff_statistics import Share, Statistics, Suspicion

SHOWN = 16
"""Rows in words; ``--json`` has all."""
WIDE = 3
"""Logs that have room for more than their means."""
WORDS = {"unproved": "unproved", "not-scored": "left out"}


MEANING = (
    "here: tasks that ended so, of those given; elsewhere: to this miner by the other validators;",
    "others: to the other miners by this one. Unproved: late, silent or unreachable, on the",
    "validator's word alone. Left out: not scored, since the fault was said not to be the miner's",
    "p: how often chance alone lets so uneven a share fall to this validator. It is suspicion, not",
    "proof: a bad line between the two looks the same, and so does a miner that treats validators",
    "unlike; the miner's own log can prove what it answered",
)


def show_difference(found: Difference) -> None:
    """All of it, what matters last."""
    for log in found.logs:
        blocks = (
            "" if log.first_block is None else f", blocks {log.first_block} to {log.last_block}"
        )
        out.print(f"{log.name}  {log.origin}", markup=False)
        out.print(f"   {log.events} events, {log.rounds} rounds scored{blocks}", markup=False)
    _differing(found)
    out.print(f"tasks    {_tasks(found)}")
    out.print(f"answers  {_answers(found)}")
    for other in found.answers.first[:SHOWN]:
        out.print(f"  {_other(other)}", markup=False)
    _miners(found)
    _weights(found.weights)
    for note in found.notes:
        out.print(f"[yellow]note[/]     {note}")
    _statistics(found.statistics)
    _verdict(found)


def _differing(found: Difference) -> None:
    if not found.differing:
        out.print("made with the same policies, versions and digests")
        return
    out.print("made with other")
    for differing in found.differing:
        told = zip(found.logs, differing.values, strict=True)
        values = "  ".join(f"{log.name} {printable(value or '-', 60)}" for log, value in told)
        out.print(f"  {printable(differing.what, 40)}: {values}", markup=False)


def _tasks(found: Difference) -> str:
    tasks = found.tasks
    if not tasks.blocks:
        return "no round of one block"
    why = "" if tasks.same else " (each validator has its own secrets)"
    return f"{tasks.blocks} rounds of one block: {tasks.same} the same, {tasks.different} not{why}"


def _answers(found: Difference) -> str:
    same = found.answers
    if not same.compared:
        return "none to one question with the same bytes"
    if not same.other_scores:
        return f"{same.compared} to one question with the same bytes, each with the same score"
    return (
        f"{same.compared} to one question with the same bytes, of these "
        f"[bold red]{same.other_scores} with other scores[/]"
    )


def _other(other: OtherScores) -> str:
    scores = "  ".join(
        f"{one.log} {one.accuracy:.6g} -> {one.reward:.6g} (event {one.seq} of volume {one.volume})"
        for one in other.scores
    )
    return f"{short(other.hotkey)} at block {other.block}, {other.metric}: {scores}"


def _miners(found: Difference) -> None:
    wide = len(found.logs) <= WIDE
    counts = ("n", "failed", "left out") if wide else ()
    table = _table("accuracy of", *(log.name for log in found.logs), *counts)
    for miner in sorted(found.miners, key=lambda m: (-m.gap, m.hotkey))[:SHOWN]:
        means = [_accuracy(did) if wide else _mean(did) for did in miner.by_log]
        table.add_row(short(miner.hotkey), *means, *(_counts(miner) if wide else ()))
    out.print(table)
    _more(len(found.miners) - SHOWN, "miners that differ less")
    widest = max(found.cells, key=lambda cell: cell.gap, default=None)
    if widest is not None and widest.gap > 0.0:
        where = f"{widest.family} of {widest.bucket}"
        told = zip(found.logs, widest.by_log, strict=True)
        shown = ", ".join(f"{log.name} {_accuracy(did)}" for log, did in told)
        out.print(f"widest   {short(widest.hotkey)} at {where}: {shown}", markup=False)


def _counts(miner: MinerDid) -> Iterator[str]:
    dids = miner.by_log
    yield "/".join(str(did.scored) if did else "-" for did in dids)
    yield "/".join(str(did.failed) if did else "-" for did in dids)
    yield "/".join(str(did.not_scored) if did else "-" for did in dids)


def _accuracy(did: Did | None) -> str:
    """Mean and its standard error."""
    if did is None or did.accuracy_se is None:
        return _mean(did)
    return f"{_mean(did)} ±{did.accuracy_se:.2f}"


def _mean(did: Did | None) -> str:
    return "-" if did is None or did.accuracy is None else f"{did.accuracy:.2f}"


def _weights(partings: Sequence[Parting]) -> None:
    met = [parting for parting in partings if parting.epochs]
    if not met:
        out.print("weights  no epoch in which two of them set a row")
        return
    table = _table(
        "weights", "epochs", "equal", "apart from", "events", "newest L1", "tau-b", "widest"
    )
    for parting in met[:SHOWN]:
        table.add_row(f"{parting.one} {parting.two}", *_parting(parting))
    out.print(table)
    _more(len(met) - SHOWN, "pairs of validators")


def _parting(parting: Parting) -> Iterator[str]:
    yield str(parting.epochs)
    yield str(parting.equal)
    first = parting.first
    yield "-" if first is None else f"block {first.blocks[0]}"
    yield "-" if first is None else " / ".join(str(event.seq) for event in first.events)
    newest = parting.newest
    yield "-" if newest is None else f"{newest.l1:.4f}"
    yield "-" if newest is None or newest.kendall is None else f"{newest.kendall:.3f}"
    yield "-" if parting.widest is None else f"{parting.widest.l1:.4f}"


def _statistics(statistics: Statistics) -> None:
    rows = statistics.named or statistics.others[:3]
    if not rows:
        return
    heads = ("miner", "what", "here", "elsewhere", "others", "p", "corrected")
    table = _table("at", *heads)
    for columns in _grouped(rows)[:SHOWN]:
        table.add_row(*columns)
    out.print(table)
    _more(len(_grouped(rows)) - SHOWN, "pairs")


def _grouped(rows: Sequence[Suspicion]) -> list[list[str]]:
    """A line a pair; one for all miners where it is aimed at none of them."""
    shown = [_line(row) for row in rows if not row.most_miners]
    common = sorted((row for row in rows if row.most_miners), key=lambda r: (r.log, r.what))
    for (log, what), group in groupby(common, key=lambda r: (r.log, r.what)):
        many = list(group)
        worst = max(many, key=lambda row: row.p)
        whole = Share(
            bad=worst.here.bad + worst.others_here.bad,
            asked=worst.here.asked + worst.others_here.asked,
        )
        line = [log, f"{len(many)} miners", WORDS[what], _share(whole), _share(worst.elsewhere)]
        shown.append([*line, "", _p(worst.p), _p(worst.corrected)])
    return shown


def _line(row: Suspicion) -> list[str]:
    who = [row.log, short(row.hotkey), WORDS[row.what]]
    shares = [_share(share) for share in (row.here, row.elsewhere, row.others_here)]
    return [*who, *shares, _p(row.p), _p(row.corrected)]


def _share(share: Share) -> str:
    return f"{share.bad}/{share.asked}"


def _p(p: float) -> str:
    if p == 0.0:
        return "<1e-300"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _verdict(found: Difference) -> None:
    statistics = found.statistics
    tested = f"{statistics.tested} of {statistics.pairs} pairs had rounds enough to be tested"
    if found.answers.other_scores:
        out.print("[bold red]OTHER SCORES[/]  the same answers to the same tasks")
    if statistics.named:
        out.print(f"[bold red]SUSPICION[/]  {_pairs(len(statistics.named))} above; {tested}")
        for line in MEANING:
            out.print(f"  {line}", style="dim")
    elif statistics.pairs and not statistics.tested:
        out.print(f"[yellow]TOO FEW ROUNDS[/]  to tell who is treated unlike; {tested}")
    elif not found.answers.other_scores:
        out.print(f"[bold green]NO DIFFERENCE THAT MATTERS[/]  {tested}")


def _pairs(count: int) -> str:
    return "the pair" if count == 1 else f"the {count} pairs"


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place == 0 else "right", no_wrap=True)
    return table


def _more(left: int, what: str) -> None:
    if left > 0:
        out.print(f"{left} more {what}: --json lists all", style="dim")
