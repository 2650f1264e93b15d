"""``quasar audit --re-execute``: recorded programs run again in a sandbox of this machine."""

from collections.abc import Iterator, Sequence

import anyio

from quasar.cli.output import short
from quasar.cli.slow_bar import slow_bar
from quasar.log import Log
from quasar.replay.finding import Reexecution, Report
from quasar.replay.reading import Progress
from quasar.replay.reexecute import reexecute
from quasar.replay.sample import Full, every
from quasar.sandbox import SandboxConfig, open_sandbox

SHOWN = 10
"""Programs that are named to people; ``--json`` names more."""


def reexecuted(logs: Sequence[Log], report: Report, bar: bool) -> Reexecution | None:
    """Run the programs behind a progress bar. Returns and raises as ``execute_again``."""
    with slow_bar("running programs", shown=bar) as seen:
        return anyio.run(execute_again, logs, report, seen)


async def execute_again(
    logs: Sequence[Log], report: Report, progress: Progress | None = None
) -> Reexecution | None:
    """What came of it; None for a log that is damaged, which says nothing about programs.

    Raises SandboxError where no engine answers, and MissingExtra without what speaks to one.
    """
    if report.checkpoint_root is None:
        return None
    full: Full = frozenset(report.sample.rounds).__contains__ if report.sample else every
    async with open_sandbox(SandboxConfig(owner="audit")) as sandbox:
        layers = sandbox.identity.layers
        return await reexecute(logs, sandbox, layers=layers, full=full, progress=progress)


def words(found: Reexecution) -> Iterator[str]:
    """The result for people."""
    if not found.programs:
        yield "no program is recorded here"
    else:
        yield f"{found.programs} programs, {found.equal} passed the recorded cases"
    if found.differing:
        yield (
            f"{found.differing} differ: a reason to look closer and no proof, since machines differ"
        )
    for d in found.listed[:SHOWN]:
        volume = f"volume {d.volume} " if d.volume else ""
        yield (
            f"{volume}event {d.seq} round {d.round} task {d.task} of {short(d.hotkey)}: "
            f"{d.recorded} of {d.cases} cases passed as recorded, {d.here} here"
        )
    if found.other_images:
        yield f"{found.other_images} were recorded in another image than they ran in here"
    if not found.complete:
        yield "stopped where the log breaks off"
