"""``quasar audit --follow``: the verdict on a log as it grows."""

from collections.abc import Sequence

import anyio
import anyio.to_thread
import msgspec

from quasar.cli import logs
from quasar.cli.audit_how import How
from quasar.cli.audit_source import Source, completed, open_audited
from quasar.cli.output import err, out, say_json
from quasar.cli.source import is_url
from quasar.errors import TryAgain, UsageError
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.finding import Report
from quasar.replay.follow import GrowingAudit, RoundJudged
from quasar.replay.volumes import Judged, Volumes

POLL_S = 5.0
"""Between two looks at a folder."""
POLL_URL_S = 30.0
"""And at a server; `quasar log serve` looks as often itself."""


def refuse_beside_follow(**others: object) -> None:
    """Raises UsageError for what makes no sense on a log that goes on."""
    for name, value in others.items():
        if value is not None:
            raise UsageError(f"--follow goes on for ever: leave --{name} to an audit without it")


class Follower:
    """Volumes judged one after another, the newest as it grows."""

    def __init__(self, how: How) -> None:
        self._how = how
        self._kept = how.kept()
        self._volumes = Volumes()
        self._next = 0
        """Place of the volume that is judged now."""
        self._current: GrowingAudit | None = None
        self.report: Report | None = None
        """On all volumes before it, if there is one."""

    async def look(self, volumes: Sequence[ArchiveLog]) -> list[RoundJudged]:
        """Judge what is new. Raises CannotJudge as an audit."""
        rounds: list[RoundJudged] = []
        for log in volumes[self._next :]:
            if self._known(log):
                continue
            audit = self._current or GrowingAudit(
                log, hotkey=self._how.hotkey, levels=self._how.levels
            )
            self._current = audit
            rounds += await audit.grow(log)
            if audit.found() or not audit.closed:
                break
            await self._finish(log, audit)
        return rounds

    async def so_far(self) -> Report:
        """The verdict; to be asked for once, at the end."""
        if self._current is not None:
            one = Judged.now(self._current, await self._current.report())
            return self._volumes.said(self._volumes.with_newest(one))
        return self._volumes.report()

    @property
    def diverged(self) -> bool:
        """Whether something does not hold."""
        earlier = self.report is not None and self.report.result != "clean"
        return earlier or bool(self._current and self._current.found())

    @property
    def begun(self) -> bool:
        """Whether there is anything to tell of."""
        return self._current is not None or self.report is not None

    def _known(self, log: ArchiveLog) -> bool:
        known = self._kept.find(log) if self._kept and self._current is None else None
        if known is not None:
            self._add(Judged.before(known))
        return known is not None

    async def _finish(self, log: ArchiveLog, audit: GrowingAudit) -> None:
        one = Judged.now(audit, await audit.report())
        if self._kept:
            one.keep(log, self._kept)
        self._add(one)

    def _add(self, one: Judged) -> None:
        self._volumes.add(one)
        self.report = self._volumes.report()
        self._current, self._next = None, self._next + 1


async def follow_log(source: str, how: How, json: bool) -> int:
    """Judge a log as it grows, a line a round, until Ctrl-C or the first finding; the exit code.

    Raises UsageError and CannotJudge as an audit does.
    """
    from quasar.supervisor.restart import drain_on_signal  # nobody else waits for a signal

    logs.set_up()  # to stderr
    follower = Follower(how)
    opened = _archives(await anyio.to_thread.run_sync(open_audited, source))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain_on_signal, tasks.cancel_scope)
        while True:
            for found in await follower.look(opened.archives):
                _say(found, json)
            if follower.diverged or opened.finding:
                break
            await anyio.sleep(POLL_URL_S if is_url(source) else POLL_S)
            opened = await _again(source, opened)
        tasks.cancel_scope.cancel()
    if not follower.begun:
        return 0
    return _verdict(completed(await follower.so_far(), opened), how, json)


def _archives(opened: Source) -> Source:
    if not opened.archives:
        raise UsageError("a file of lines does not grow: leave out --follow")
    return opened


async def _again(source: str, before: Source) -> Source:
    """What the source is now; a server that does not answer is asked again later."""
    try:
        return await anyio.to_thread.run_sync(_newest, source, abandon_on_cancel=True)
    except TryAgain as problem:
        err.print(f"{problem}; it is asked again", markup=False)
        return before


def _newest(source: str) -> Source:
    return open_audited(source, newest=True)


def _say(found: RoundJudged, json: bool) -> None:
    if json:
        say_json(found._asdict())
        return
    state = "holds" if not found.findings else f"{found.findings} findings"
    out.print(
        f"round {found.round:>5}  event {found.seq:>8}  {found.miners} miners, "
        f"{found.scores} scores compared: {state}",
        markup=False,
    )


def _verdict(report: Report, how: How, json: bool) -> int:
    from quasar.cli.audit import show

    if json:
        say_json(msgspec.to_builtins(report))
    else:
        show(report, how.hotkey)
    return 0 if report.result == "clean" else 1
