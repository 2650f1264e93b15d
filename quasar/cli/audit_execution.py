"""``quasar audit --re-execute``: recorded programs run again in a sandbox of this machine."""

from collections.abc import Sequence

import anyio

from quasar.cli import logs as logs_of_commands
from quasar.cli.slow_bar import slow_bar
from quasar.log import Log
from quasar.replay.finding import Reexecution, Report
from quasar.replay.reading import Progress
from quasar.replay.reexecute import Here, newest_limits, reexecute
from quasar.replay.sample import Full, every
from quasar.sandbox import SandboxConfig, open_sandbox
from quasar.supervisor.sandbox_limits import limited


def reexecuted(logs: Sequence[Log], report: Report, bar: bool) -> Reexecution | None:
    """Run the programs behind a progress bar. Returns and raises as ``execute_again``."""
    logs_of_commands.set_up()  # to stderr
    with slow_bar("running programs", shown=bar) as seen:
        return anyio.run(execute_again, logs, report, seen)


async def execute_again(
    logs: Sequence[Log], report: Report, progress: Progress | None = None
) -> Reexecution | None:
    """What came of it; None for a log that is damaged, which says nothing about programs.

    Raises SandboxError where there is neither an engine nor bubblewrap to run them with.
    """
    if report.checkpoint_root is None:
        return None
    full: Full = frozenset(report.sample.rounds).__contains__ if report.sample else every
    limits = await newest_limits(logs)
    async with open_sandbox(limited(SandboxConfig(owner="audit"), limits)) as sandbox:
        here = Here(sandbox.identity.driver, sandbox.identity.layers, limits)
        return await reexecute(logs, sandbox, here, full=full, progress=progress)
