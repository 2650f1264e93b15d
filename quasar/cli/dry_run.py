"""What a validator would set on chain now: everything is read, nothing is signed."""

from typing import NamedTuple

from msgspec import Struct

from quasar.chain import Chain, Hyperparameters
from quasar.errors import UsageError
from quasar.events import LogOpened, WeightsComputed
from quasar.log.archive_reader import ArchiveLog
from quasar.rules.machine import Recorded


class Place(Struct, frozen=True, kw_only=True):
    """One weight of the row."""

    uid: int
    hotkey: str
    u16: int


class DryRun(Struct, frozen=True, kw_only=True):
    """The row, and what stands in its way."""

    hotkey: str
    uid: int | None
    block: int
    """Finalised head at which the chain was read."""
    epoch: int
    """Of the newest row in the archive."""
    row: list[Place]
    """By uid, zeros left out."""
    on_chain: dict[int, int]
    """The row that the chain holds now, uid to u16."""
    obstacles: list[str]
    """Why the chain would not take it now; empty where it would."""


class Newest(NamedTuple):
    """Whose archive it is, and its newest row."""

    hotkey: str
    computed: WeightsComputed


async def dry_run(log: ArchiveLog, chain: Chain) -> DryRun:
    """Reads the archive and the chain's newest finalised state.

    Raises UsageError where the archive holds no row, ChainError where the chain does not answer.
    """
    newest = newest_row(log)
    head = (await chain.head()).number
    uids = {n.hotkey: n.uid for n in await chain.metagraph(head)}
    uid = uids.get(newest.hotkey)
    row = [Place(uid=w.uid, hotkey=w.hotkey, u16=w.u16) for w in newest.computed.weights if w.u16]
    limits = await chain.hyperparameters(head)
    obstacles = _refusals(row, uids, limits)
    on_chain: dict[int, int] = {}
    if uid is None:
        obstacles.insert(0, f"{newest.hotkey} is not registered: register it")
    else:
        on_chain = await chain.weights(uid, head)
        updated = await chain.last_update(uid, head)
        earliest = updated + limits.weights_rate_limit
        if updated and head + 1 < earliest:
            obstacles.append(f"rate limit: not before block {earliest}, the head is {head}")
    return DryRun(
        hotkey=newest.hotkey,
        uid=uid,
        block=head,
        epoch=newest.computed.epoch,
        row=row,
        on_chain=on_chain,
        obstacles=obstacles,
    )


def newest_row(log: ArchiveLog) -> Newest:
    """Raises UsageError where there is none."""
    hotkey, computed = "", None
    for seq, line in log.lines():
        if seq > 1 and b'"type":"WeightsComputed"' not in line:
            continue
        match Recorded(seq, line).event:
            case LogOpened() as opened:
                hotkey = opened.hotkey
            case WeightsComputed() as found:
                computed = found
    if computed is None:
        raise UsageError("this archive holds no row yet: let the validator finish a round first")
    return Newest(hotkey, computed)


def _refusals(row: list[Place], uids: dict[str, int], limits: Hyperparameters) -> list[str]:
    """What of the row the chain's present state does not allow."""
    reasons = [
        f"{place.hotkey} is no longer uid {place.uid}"
        for place in row
        if uids.get(place.hotkey) != place.uid
    ]
    if len(row) < limits.min_allowed_weights:
        reasons.append(
            f"{len(row)} weights are fewer than the {limits.min_allowed_weights} that are needed"
        )
    total = sum(place.u16 for place in row)
    largest = max((place.u16 for place in row), default=0)
    if largest * 65535 > limits.max_weights_limit * total:
        reasons.append(f"one weight is more than {limits.max_weights_limit} of 65535 of the row")
    if limits.commit_reveal:
        reasons.append("the subnet takes commits only: plain weights are refused")
    return reasons
