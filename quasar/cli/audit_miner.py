"""``quasar audit --miner``: a miner's own log beside the validator's."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio

from quasar.errors import UsageError
from quasar.log import Log
from quasar.log.lines import LinesLog
from quasar.replay.finding import Report
from quasar.replay.witness import Dispute, Witnessed, witness

NAME = "miner.jsonl"
SHOWN = 10
"""Disputes that are named for people; ``--json`` names all."""


def open_own(path: Path) -> LinesLog:
    """The log that `quasar mine` keeps, or the state folder with it. Raises UsageError."""
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"{file} is no file: name the {NAME} in the --state of `quasar mine`")
    return LinesLog(file)


def witnessed(logs: Sequence[Log], report: Report, own: LinesLog) -> Witnessed | None:
    """What the miner's log contradicts; None for a log that is damaged, which says nothing of it.

    Raises CannotJudge for a file that is no log of a miner that this validator asked.
    """
    return None if report.checkpoint_root is None else anyio.run(witness, logs, own)


def witnessed_words(found: Witnessed) -> Iterator[str]:
    """A line each."""
    yield (
        f"{found.hotkey} signed for {found.requests} requests and {found.answers} answers; "
        f"{found.outcomes} outcomes of its are in this log"
    )
    if not found.disputes:
        yield "its own log contradicts none of them"
    for dispute in found.disputes[:SHOWN]:
        yield _named(dispute)
    if len(found.disputes) > SHOWN:
        yield f"and {len(found.disputes) - SHOWN} more: see --json"
    if found.signed:
        yield "a receipt binds its miner; that the validator held it, the receipt does not show"


def _named(dispute: Dispute) -> str:
    volume = f"volume {dispute.volume} " if dispute.volume else ""
    place = f"{volume}event {dispute.seq} round {dispute.round} task {dispute.task}"
    return f"{place}: {dispute.reason}"
