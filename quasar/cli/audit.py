"""``quasar audit``: the verdict on a log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quasar.chain import Chain
from quasar.cli.audit_follow import follow_log, refuse_beside_follow
from quasar.cli.audit_how import How, check_sample, judge, named_levels
from quasar.cli.audit_miner import open_own, witnessed, witnessed_words
from quasar.cli.audit_source import Source, completed, open_audited
from quasar.cli.output import err, out, printable, say_json
from quasar.cli.rate import RateColumn
from quasar.cli.report import check_page, command_for, write_page
from quasar.cli.slow_bar import slow_bar
from quasar.cli.source import check_hotkey, check_network
from quasar.errors import UsageError
from quasar.log import Log
from quasar.packs import open_sources
from quasar.replay.execution_words import execution_words
from quasar.replay.finding import Report, Signer
from quasar.replay.sample import words

SHOWN_EVERY = 256
"""Events between two moves of the progress bar: moving it takes as long as auditing one."""


def audit(
    source: str,
    /,
    *,
    hotkey: str | None = None,
    chain: str | None = None,
    netuid: int | None = None,
    levels: str | None = None,
    sample: int | None = None,
    seed: str | None = None,
    re_execute: Annotated[bool, Parameter(negative="")] = False,
    fresh: Annotated[bool, Parameter(negative="")] = False,
    sources: Annotated[tuple[str, ...], Parameter(name="--source", negative="")] = (),
    miner: Path | None = None,
    follow: Annotated[bool, Parameter(negative="")] = False,
    page: Annotated[Path | None, Parameter(name="--report")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Recompute every decision of a log and verify every signature in it.

    Exit code 0: clean. 1: something does not hold; the first event that shows it is named.
    2: the log cannot be read or judged. 75: the chain cannot be reached.

    Parameters
    ----------
    source
        Folder of an archive or of the volumes of a log, which are judged as one; a validator's
        state folder, also while it runs; the URL of what `quasar log serve` publishes, of which
        only what is new is fetched; a file of stored lines (``.jsonl``, ``.jsonl.zst``); or
        ``sample`` for the recorded log that comes with the package.
    hotkey
        The validator whose log this must be. Without it the signer is not verified.
    chain
        Compare blocks, metagraphs, rows and anchors with this chain too: a network's name or URL.
        Old blocks need a node that keeps their state (an archive node).
    netuid
        The subnet there; else the log's own.
    levels
        What to check, such as ``scores,weights``: some of structure, which always is, lifecycle,
        tasks, receipts, scores and weights. All unless named.
    sample
        Judge tasks, receipts and scores of so many rounds only, drawn at random, and say how
        likely that is to catch a forger. All else is judged of every round.
    seed
        Draw those rounds again that another audit with this seed drew.
    re_execute
        Run recorded programs again in a sandbox of this machine: Docker, else bubblewrap.
        Reported apart: another outcome is a reason to look closer and no proof, but exit code 1.
    fresh
        Read closed volumes again that were audited before.
    sources
        A pack that the log names and does not give (`quasar pack make`); to be given for each.
    miner
        Compare outcomes with this miner's own log: ``miner.jsonl`` of its `quasar mine --state`,
        or that folder. Reported apart: an answer that it signed for and that is missing or another
        here is a reason to ask and no proof, but exit code 1.
    follow
        Go on as the log grows and rounds are revealed, until Ctrl-C or the first finding.
    page
        Write the verdict, the leaderboard and plots into this file too, as a page for a browser.
    json
        Print one JSON object.
    """
    if hotkey is not None:
        check_hotkey(hotkey)
    if chain is not None:
        check_network(chain)
    open_sources(sources)
    how = How(hotkey, named_levels(levels), sample, seed, fresh or bool(sources))
    check_sample(how)
    if follow:
        refuse_beside_follow(
            chain=chain,
            sample=sample,
            report=page,
            miner=miner,
            **{"re-execute": re_execute or None},
        )
        return anyio.run(follow_log, source, how, json)
    if miner is not None and page is not None:
        raise UsageError("--report does not show what --miner finds: leave one of them away")
    own = None if miner is None else open_own(miner)
    opened = open_audited(source)
    if not opened.archives and (chain or page):
        raise UsageError("--chain and --report need an archive, and this is a file of lines")
    if page is not None:
        check_page(page, opened.archives)
    report = anyio.run(_judge, opened, how, chain, netuid, err.is_terminal and not json)
    report = completed(report, opened)
    if re_execute:
        from quasar.cli.audit_execution import reexecuted

        report.execution = reexecuted(opened.logs, report, err.is_terminal and not json)
    if own is not None:
        report.miner = witnessed(opened.logs, report, own)
    if page is not None:
        command = command_for(
            source,
            hotkey=hotkey,
            levels=levels,
            sample=sample,
            seed=report.sample and report.sample.seed,
            re_execute=re_execute,
            chain=chain,
            netuid=netuid,
        )
        with slow_bar("writing the report", shown=not json) as seen:
            write_page(page, report, opened.archives, command, seen)
    if json:
        say_json(report)
    else:
        show(report, hotkey)
        if page is not None:
            out.print(f"report in {page}: open it in a browser", markup=False)
    differing = report.execution is not None and report.execution.differing > 0
    disputed = report.miner is not None and report.miner.signed > 0
    return 0 if report.result == "clean" and not (differing or disputed) else 1


async def _judge(
    source: Source, how: How, network: str | None, netuid: int | None, bar: bool
) -> Report:
    if network is None:
        return await run_audit(source.logs, how.hotkey, bar, how=how)
    from quasar.cli.audit_chain import open_chain

    async with open_chain(source.archives[-1], network, netuid) as chain:
        return await run_audit(source.logs, how.hotkey, bar, chain, how)


async def run_audit(
    logs: Sequence[Log],
    hotkey: str | None,
    bar: bool,
    chain: Chain | None = None,
    how: How | None = None,
) -> Report:
    """An audit with a progress bar on stderr, compared with the chain if there is one.

    Several volumes are one log.
    """
    columns = (
        TextColumn("auditing {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not bar) as progress:
        total = sum([await log.head() for log in logs])
        replayed = progress.add_task("events", total=total)

        def replay(done: int, _: int) -> None:
            if done % SHOWN_EVERY == 0 or done == total:
                progress.update(replayed, completed=done)

        report = await judge(logs, how or How(hotkey), replay)
        if chain is None:
            return report
        from quasar.cli.audit_chain import compare

        compared = progress.add_task("chain", total=total)
        return await compare(
            logs, report, chain, lambda done: progress.update(compared, completed=done)
        )


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
    if report.execution:
        for line in execution_words(report.execution):
            out.print(f"  [yellow]re-executed[/]  {line}")
    if report.miner:
        for line in witnessed_words(report.miner):
            out.print(f"  [yellow]the miner[/]    {line}")
    for line in words(report.sample) if report.sample else ():
        out.print(f"  [yellow]sampled[/]      {line}")
    if report.pending.rounds:
        newest = f"the newest {report.pending.newest}"
        out.print(f"  [yellow]pending[/]      {report.pending.rounds} unrevealed rounds, {newest}")
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
    out.print(f"  {named} ({first.level}): {printable(first.reason, 1000)}", markup=False)
    if first.field:
        out.print(f"    field      {first.field}", markup=False)
        out.print(f"    recorded   {first.recorded}", markup=False)
        out.print(f"    recomputed {first.recomputed}", markup=False)
