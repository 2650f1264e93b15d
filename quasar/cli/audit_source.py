"""What `quasar audit` judges: more kinds of sources than other commands read."""

from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path
from typing import NamedTuple

import msgspec

from quasar.cli.output import err
from quasar.cli.report import told
from quasar.cli.source import is_url, open_volumes
from quasar.errors import CannotJudge, TryAgain
from quasar.log import Log
from quasar.log.archive_reader import ArchiveLog
from quasar.log.lines import LinesLog, is_lines
from quasar.log.signed_part import SignedPart, signed_part
from quasar.log.whole import is_pruned
from quasar.replay.finding import LISTED, Finding, Report

NO_TILES = (
    "structure: a file of lines has no hash tiles and no checkpoint beside it; nobody signed the "
    "events behind the newest CheckpointSigned in it"
)


class Source(NamedTuple):
    """A log, opened."""

    logs: Sequence[Log]
    archives: Sequence[ArchiveLog]
    """The same; empty where it is a file of lines."""
    left_out: list[str]
    """What of it cannot be checked."""
    finding: Finding | None
    """What a server did wrong."""


def open_audited(source: str, *, newest: bool = False) -> Source:
    """Open any source. A server that shows another history is a finding on what it showed before.

    ``newest``: sealed volumes that were fetched are not asked for again. Raises UsageError,
    CannotJudge where all was pruned, and as ``quasar.cli.source.open_volumes``.
    """
    if is_lines(source) and Path(source).is_file():
        return Source([LinesLog(Path(source))], [], [NO_TILES], None)
    finding: Finding | None = None
    if is_url(source):
        volumes, finding = _published(source, newest)
    else:
        volumes = open_volumes(source)
    logs = [signed_part(log) for log in dropwhile(is_pruned, volumes)]
    if not logs:
        raise CannotJudge(f"the events of {source} were pruned: audit the other copy of them")
    if is_url(source):  # another process may fetch more meanwhile
        logs[-1] = SignedPart(logs[-1], logs[-1].manifest.last)
    left_out = []
    if pruned := len(volumes) - len(logs):
        left_out.append(f"volumes 1 to {pruned} were pruned here: audit their copy")
    if _is_empty(logs[-1], source):
        empty = logs.pop().manifest.volume
        left_out.append(f"volume {empty}: nothing of it is signed or published yet")
    if not logs:
        raise TryAgain(f"nothing of {source} is signed or published yet: wait for its first round")
    return Source(logs, logs, left_out, finding)


def _is_empty(log: ArchiveLog, source: str) -> bool:
    """Whether a volume has only just begun."""
    begins = isinstance(log, SignedPart) or is_url(source)
    return log.manifest.last == 0 and (begins or log.manifest.volume > 1)


def completed(report: Report, source: Source) -> Report:
    """The report, with what the source itself leaves open or shows."""
    listed = [*([source.finding] if source.finding else []), *report.listed]
    return msgspec.structs.replace(
        report,
        result="divergent" if listed else "clean",
        proved=[] if listed else report.proved,
        not_checked=[*source.left_out, *report.not_checked],
        findings=report.findings + (source.finding is not None),
        first_divergence=listed[0] if listed else None,
        listed=listed[:LISTED],
    )


def _published(url: str, newest: bool) -> tuple[list[ArchiveLog], Finding | None]:
    from quasar.cli.source import fetched, volumes_of
    from quasar.log.fetch import OtherHistory  # TLS is for those who need it

    try:
        return volumes_of(fetched(url, newest=newest)), None
    except OtherHistory as other:
        if not (volumes := volumes_of(other.folder)):
            raise
        evidence = "; fork.json beside the copy proves the fork" if other.evidence else ""
        err.print(f"the copy from before: {other.folder}", markup=False, soft_wrap=True)
        return volumes, Finding(
            seq=other.seq,
            level="structure",
            type="",
            reason=f"{other.reason}{evidence}",
            field="source",
            recorded=told(other.url),
            recomputed="the copy from before",
            volume=other.volume,
        )
