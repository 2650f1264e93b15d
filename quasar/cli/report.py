"""``quasar audit --report``: the verdict as one page that can be read, kept and passed on."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from quasar import __version__
from quasar.errors import CannotJudge, LogError, UsageError
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import write_atomically
from quasar.replay.audit import Progress
from quasar.replay.finding import Report

COMMAND = ("quasar", "audit")
PAGE = "report.html"
"""What the repeating command calls its page; the reader's own name for it is nobody's matter."""


def check_page(output: Path, logs: Sequence[ArchiveLog]) -> None:
    """Before a long audit: raises UsageError where its page could not be written."""
    if output.is_dir():
        raise UsageError(f"{output} is a folder: name a file in it, such as {output / PAGE}")
    if output.exists() and not output.is_file():
        raise UsageError(f"{output} is no ordinary file: name another")
    if not output.parent.is_dir():
        raise UsageError(f"{output.parent} is not a folder: make it first, or name another file")
    if any(output.resolve().is_relative_to(log.folder.resolve()) for log in logs):
        raise UsageError(f"{output} is in the archive itself: name a file outside of it")


def write_page(
    output: Path,
    report: Report,
    logs: Sequence[ArchiveLog],
    command: str,
    progress: Progress | None = None,
) -> None:
    """Write the page, or nothing of it. Raises LogError where the disk refuses."""
    from quasar.replay.page import render  # an audit without a page needs none of it
    from quasar.replay.page_data import read_board
    from quasar.replay.page_words import AuditPage

    board = anyio.run(read_board, logs, progress)
    newest = logs[-1]
    page = AuditPage(
        report=report,
        board=board,
        origin=newest.manifest.identity.origin,
        events=newest.manifest.last,
        volumes=len(logs),
        note=_note(newest),
        written=(_time(board.begun), _time(board.ended)),
        program=__version__,
        command=command,
    )
    try:
        write_atomically(output.resolve(), render(page).encode())
    except OSError as problem:
        raise LogError(f"{output} cannot be written: {problem.strerror}") from None


def command_for(source: str, **options: object) -> str:
    """The command that repeats an audit, with the options that were given.

    A local path is told by its last part only, and an address without what may be a password or
    an access key in it: the page is for others.
    """
    words = [*COMMAND, told(source)]
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            said = ",".join(value) if isinstance(value, list | tuple) else str(value)
            words.append(told(said) if "://" in said else said)
    return shlex.join([*words, "--report", PAGE])


def told(source: str) -> str:
    """A source as it may be told to others."""
    if "://" not in source:
        return source if source == "sample" else Path(source).resolve().name or source
    url = urlsplit(source)
    host = url.netloc.rpartition("@")[2]
    if url.scheme in {"ws", "wss"}:  # providers put access keys into a node's path
        return f"{url.scheme}://{host}"
    return f"{url.scheme}://{host}{url.path}"


def _note(log: ArchiveLog) -> str | None:
    try:
        return log.checkpoint_note()
    except CannotJudge:
        return None


def _time(at: int) -> str:
    if not at:
        return ""
    return datetime.fromtimestamp(at // 10**9, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
