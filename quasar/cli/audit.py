"""``quasar audit``: the verdict on a log."""

from collections.abc import Sequence
from itertools import dropwhile
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quasar.chain import Chain
from quasar.cli.output import err, out, say_json
from quasar.cli.source import check_hotkey, check_network, open_volumes
from quasar.errors import CannotJudge
from quasar.log.archive_reader import ArchiveLog
from quasar.log.whole import is_pruned
from quasar.replay.audit import Progress as Seen
from quasar.replay.audit import audit as audit_log
from quasar.replay.finding import Report, Signer
from quasar.replay.volumes import audit_volumes


def audit(
    source: str,
    /,
    *,
    hotkey: str | None = None,
    chain: str | None = None,
    netuid: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Recompute every decision of a log and verify every signature in it.

    Exit code 0: clean. 1: something does not hold; the first event that shows it is named.
    2: the log cannot be read or judged. 75: the chain cannot be reached.

    Parameters
    ----------
    source
        Folder of an archive or of the volumes of a log, which are judged as one; or ``sample`` for
        the recorded log that comes with the package.
    hotkey
        The validator whose log this must be. Without it the signer is not verified.
    chain
        Compare blocks, metagraphs, rows and anchors with this chain too: a network's name or URL.
        Old blocks need a node that keeps their state (an archive node).
    netuid
        The subnet there; else the log's own.
    json
        Print one JSON object.
    """
    if hotkey is not None:
        check_hotkey(hotkey)
    if chain is not None:
        check_network(chain)
    volumes = open_volumes(source)
    logs = list(dropwhile(is_pruned, volumes))
    if not logs:
        raise CannotJudge(f"the events of {source} were pruned: audit the other copy of them")
    report = anyio.run(_judge, logs, hotkey, chain, netuid, err.is_terminal and not json)
    if len(logs) < len(volumes):
        left_out = f"volumes 1 to {len(volumes) - len(logs)} were pruned here: audit their copy"
        report.not_checked.insert(0, left_out)
    if json:
        say_json(report)
    else:
        show(report, hotkey)
    return 0 if report.result == "clean" else 1


async def _judge(
    logs: Sequence[ArchiveLog],
    hotkey: str | None,
    network: str | None,
    netuid: int | None,
    bar: bool,
) -> Report:
    if network is None:
        return await run_audit(logs, hotkey, bar)
    from quasar.cli.audit_chain import open_chain

    async with open_chain(logs[-1], network, netuid) as chain:
        return await run_audit(logs, hotkey, bar, chain)


async def run_audit(
    logs: Sequence[ArchiveLog], hotkey: str | None, bar: bool, chain: Chain | None = None
) -> Report:
    """An audit with a progress bar on stderr, compared with the chain if there is one.

    Several volumes are one log.
    """
    columns = (
        TextColumn("auditing {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not bar) as progress:
        total = sum(log.manifest.last for log in logs)
        replayed = progress.add_task("events", total=total)

        def replay(done: int, _: int) -> None:
            progress.update(replayed, completed=done)

        report = await _audit(logs, hotkey, replay)
        if chain is None:
            return report
        from quasar.cli.audit_chain import compare

        compared = progress.add_task("chain", total=total)
        return await compare(
            logs, report, chain, lambda done: progress.update(compared, completed=done)
        )


async def _audit(logs: Sequence[ArchiveLog], hotkey: str | None, seen: Seen) -> Report:
    if len(logs) == 1:
        return await audit_log(logs[0], hotkey=hotkey, progress=seen)
    return await audit_volumes(logs, hotkey=hotkey, progress=seen)


def show(report: Report, named: str | None = None) -> None:
    """The verdict for people; ``named`` is the validator whose log this must be."""
    if report.result == "clean":
        out.print(f"[bold green]CLEAN[/]  {report.events} events")
    else:
        findings = "1 finding" if report.findings == 1 else f"{report.findings} findings, the first"
        out.print(f"[bold red]DIVERGENT[/]  {findings}:")
        _show_finding(report)
    if report.signer:
        out.print(f"signed by {report.signer.hotkey} ({_whose(report.signer, named)})")
    for line in report.proved:
        out.print(f"  [green]proved[/]       {line}")
    for line in report.not_checked:
        out.print(f"  [yellow]not checked[/]  {line}")
    for name, count in report.assumed.items():
        if count:
            out.print(f"  [yellow]assumed[/]      {count} {name.replace('_', ' ')}")
    if report.disputes:
        out.print(f"  [yellow]disputed[/]     {report.disputes} receipts that are not in this log")


def _whose(signer: Signer, named: str | None) -> str:
    if signer.pinned:
        return "as you named it"
    return "as the log says" if named is None else "NOT the one you named"


def _show_finding(report: Report) -> None:
    first = report.first_divergence
    assert first is not None
    volume = f"volume {first.volume} " if first.volume else ""
    named = f"{volume}event {first.seq} {first.type}".rstrip()
    out.print(f"  {named} ({first.level}): {first.reason}", markup=False)
    if first.field:
        out.print(f"    field      {first.field}", markup=False)
        out.print(f"    recorded   {first.recorded}", markup=False)
        out.print(f"    recomputed {first.recomputed}", markup=False)
