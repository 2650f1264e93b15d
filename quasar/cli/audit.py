"""``quasar audit``: the verdict on a log."""

from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quasar.cli.output import err, out, say_json
from quasar.cli.source import open_source
from quasar.log import Log
from quasar.replay.audit import audit as audit_log
from quasar.replay.finding import Report


def audit(
    source: str,
    /,
    *,
    hotkey: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Recompute every decision of a log and verify every signature in it.

    Exit code 0: clean. 1: something does not hold; the first event that shows it is named.
    2: the log cannot be read or judged.

    Parameters
    ----------
    source
        Folder of an archive, or ``sample`` for the recorded log that comes with the package.
    hotkey
        The validator whose log this must be. Without it the signer is not verified.
    json
        Print one JSON object.
    """
    log = open_source(source)
    report = anyio.run(run_audit, log, hotkey, not json)
    if json:
        say_json(report)
    else:
        show(report)
    return 0 if report.result == "clean" else 1


async def run_audit(log: Log, hotkey: str | None, bar: bool) -> Report:
    """An audit with a progress bar on stderr."""
    columns = (TextColumn("auditing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not bar) as progress:
        task = progress.add_task("events", total=await log.head())
        return await audit_log(
            log,
            hotkey=hotkey,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def show(report: Report) -> None:
    """The verdict for people."""
    if report.result == "clean":
        out.print(f"[bold green]CLEAN[/]  {report.events} events")
    else:
        out.print(f"[bold red]DIVERGENT[/]  {report.findings} findings, the first:")
        _show_finding(report)
    if report.signer:
        pinned = "as you named it" if report.signer.pinned else "as the log says"
        out.print(f"signed by {report.signer.hotkey} ({pinned})")
    for line in report.proved:
        out.print(f"  [green]proved[/]       {line}")
    for line in report.not_checked:
        out.print(f"  [yellow]not checked[/]  {line}")
    for name, count in report.assumed.items():
        if count:
            out.print(f"  [yellow]assumed[/]      {count} {name.replace('_', ' ')}")
    if report.disputes:
        out.print(f"  [yellow]disputed[/]     {report.disputes} receipts that are not in this log")


def _show_finding(report: Report) -> None:
    first = report.first_divergence
    assert first is not None
    out.print(f"  event {first.seq} {first.type} ({first.level}): {first.reason}", markup=False)
    if first.field:
        out.print(f"    field      {first.field}", markup=False)
        out.print(f"    recorded   {first.recorded}", markup=False)
        out.print(f"    recomputed {first.recomputed}", markup=False)
