"""Which miner a person means: by uid, by hotkey, or by the first characters of one."""

from collections.abc import Collection

from quasar.errors import UsageError
from quasar.events import MetagraphObserved, WeightsComputed
from quasar.replay.index_events import IndexedLog
from quasar.replay.why_reading import neurons_of

_SHOWN = 8
"""Hotkeys that an error lists."""


async def hotkey_of(log: IndexedLog, named: str, block: int | None = None) -> str:
    """The hotkey of a uid at the newest row up to ``block``, or the one that starts so.

    Raises UsageError, which lists whom the log knows.
    """
    if named.isascii() and named.isdecimal() and len(named) <= 5:
        found = await _of_uid(log, int(named), block)
        if found is not None:
            return found
    return the_one(await known_hotkeys(log, block), named)


def the_one(hotkeys: Collection[str], named: str) -> str:
    """The one hotkey that starts so, or is ``start..end``. Raises UsageError."""
    start, _, end = named.partition("..")
    found = sorted(h for h in hotkeys if h.startswith(start) and h.endswith(end))
    if len(found) == 1:
        return found[0]
    known = found or sorted(hotkeys)
    left = f" and {more} more" if (more := len(known) - _SHOWN) > 0 else ""
    problem = "more than one miner starts" if found else f"no miner of this log {_how(named)}"
    raise UsageError(f"{problem} with {named!r}: {', '.join(known[:_SHOWN]) or 'none'}{left}")


def _how(named: str) -> str:
    return "has this uid or starts" if named.isdecimal() else "starts"


async def known_hotkeys(log: IndexedLog, block: int | None) -> set[str]:
    """Who took part, and whom the newest row up to a block weighs for what earlier volumes saw."""
    known = set(log.index.told)
    rows = [r for r in log.index.rows if r.computed and (block is None or r.block <= block)]
    if not rows:
        return known
    row = (await log.recorded(rows[-1].seq)).event
    return known | {w.hotkey for w in row.weights} if isinstance(row, WeightsComputed) else known


async def _of_uid(log: IndexedLog, uid: int, block: int | None) -> str | None:
    """Who had the uid in the row; where there is none, in the newest metagraph."""
    rows = [r for r in log.index.rows if r.computed and (block is None or r.block <= block)]
    if rows:
        row = (await log.recorded(rows[-1].seq)).event
        weights = row.weights if isinstance(row, WeightsComputed) else []
        return next((w.hotkey for w in weights if w.uid == uid), None)
    if not log.index.metagraphs:
        return None
    seq = log.index.metagraphs[-1]
    observed = (await log.recorded(seq)).event
    if not isinstance(observed, MetagraphObserved):
        return None
    known, neurons = log.index.told, neurons_of(log, seq, observed.neurons)
    return next((n.hotkey for n in neurons if n.uid == uid and n.hotkey in known), None)
