"""``quasar audit --chain``: opens the chain to compare a log with, and leads the comparison."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from quasar.chain import Chain
from quasar.chain.bittensor import BittensorChain
from quasar.cli.source import is_local
from quasar.errors import UsageError
from quasar.events import RunStarted
from quasar.log import Log
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.chain import ChainCheck, merged
from quasar.replay.finding import Report
from quasar.replay.revealed import up_to
from quasar.rules.machine import Recorded

Progress = Callable[[int], None]
"""Called with the number of events done."""


@asynccontextmanager
async def open_chain(log: ArchiveLog, network: str, netuid: int | None) -> AsyncIterator[Chain]:
    """The chain to compare with. Raises UsageError for a network that the log never was on."""
    if not is_local(network):
        _refuse_played(log, network)
    subnet = log.manifest.identity.netuid if netuid is None else netuid
    async with BittensorChain(network, subnet) as chain:
        yield chain


def _refuse_played(log: ArchiveLog, network: str) -> None:
    """A demo's log says nothing about a network, whatever equals it there."""
    for seq, line in log.lines():
        if b'"type":"RunStarted"' not in line:
            continue
        match Recorded(seq, line).event:
            case RunStarted(mode=mode) if mode != "live":
                raise UsageError(
                    f"this log is a {mode} and no live one: compare it with the local chain that "
                    f"it ran on, by its URL, not with {network}"
                )


async def compare(logs: Sequence[Log], report: Report, chain: Chain, progress: Progress) -> Report:
    """The report, with what the chain says of the volumes. A damaged log is not compared.

    Raises ChainError where the chain does not answer, or is behind the log.
    """
    if report.checkpoint_root is None:
        return report
    check, done = ChainCheck(chain), 0
    for number, log in enumerate(logs, 1):
        check.begin(log.blobs, number if len(logs) > 1 else None)
        size = await log.head()
        async for seq, line in up_to(log, size):
            await check.feed(Recorded(seq, line))
            progress(done + seq)
            if check.foreign:
                break
        done += size
    await check.finish()
    return merged(report, check)
