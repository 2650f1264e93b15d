"""The secrets that a log reveals, which an audit needs before it begins."""

from collections.abc import AsyncIterator

import msgspec

from quasar.errors import CannotJudge, Damaged
from quasar.events import LogOpened, RoundRevealed
from quasar.events.envelope import tag_of
from quasar.log import Log
from quasar.log.archive_reader import ArchiveLog
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded
from quasar.rules.secrets import CHAIN_LENGTH, links


async def up_to(log: Log, last: int) -> AsyncIterator[tuple[int, bytes]]:
    """Events 1 to ``last`` of a live log, which would go on for ever; all of an archive."""
    ends = isinstance(log, ArchiveLog)
    if last == 0 and not ends:
        return
    async for seq, line in log.read():
        yield seq, line
        if seq >= last and not ends:
            return


async def revealed_secrets(log: Log, last: int) -> dict[int, str]:
    """Round to secret, of those that belong to the chain that LogOpened committed to.

    Stops without complaint where the log is damaged: the audit names that.
    """
    secrets: dict[int, str] = {}
    base, proved, value = 0, 0, ""
    try:
        async for seq, line in up_to(log, last):
            if seq > 1 and (
                b'"type":"RoundRevealed"' not in line or tag_of(line) != RoundRevealed.__name__
            ):
                continue
            match Recorded(seq, line).event:
                case LogOpened() as opened:
                    carried = inherited(opened, log.blobs)
                    value = opened.secrets_tip
                    base = proved = carried.round if carried else 0
                case RoundRevealed(round=number, secret=secret) if (
                    proved < number <= base + CHAIN_LENGTH and links(value, secret, number - proved)
                ):
                    proved, value = number, secret
                    secrets[number] = secret
    except (Damaged, CannotJudge, ValueError, msgspec.MsgspecError):
        pass
    return secrets
