"""The mix of a round: what is drawn from its seed, and the policy that it is then played by."""

from collections.abc import Iterator

import msgspec

from quasar.draw import Draw
from quasar.events import DrawnTask, MixDrawn, MixEntry
from quasar.rules.budget import draw_entries
from quasar.rules.difficulty import Cell, DifficultyState, cell_of, levels_of, rung_of
from quasar.rules.policy import Mix, Policy

_LOTS = 1_000_000


def drawn(number: int, seed: bytes, policy: Policy, difficulty: DifficultyState) -> MixDrawn:
    """A round's mix: a pure function of its seed, its policy and what earlier rounds scored."""
    assert policy.sampling is not None
    entries = [_entry(policy, entry, difficulty) for entry in policy.mix]
    if policy.sampling.drawn:
        places = draw_entries(seed, policy, [entry.tickets for entry in entries])
    else:
        places = [i for i, entry in enumerate(policy.mix) for _ in range(entry.tasks)]
    anchors = _anchors(seed, len(places), policy.sampling.anchors)
    tasks = [
        DrawnTask(entry=place, anchor=policy.mix[place].anchor or task in anchors)
        for task, place in enumerate(places)
    ]
    return MixDrawn(round=number, entries=entries, tasks=tasks)


def played(policy: Policy, mix: MixDrawn) -> Policy:
    """The round's policy with the drawn tasks as its mix, one entry a task.

    Raises LookupError or ValueError for a mix that no seed draws under this policy.
    """
    for entry, named in zip(mix.entries, policy.mix, strict=True):
        if not _of_one_kind(entry, named, adaptive=policy.adaptive is not None):
            raise ValueError(f"{named.family} at {named.bucket} was drawn as something else")
    return msgspec.structs.replace(policy, mix=list(_tasks(mix)))


def cells(policy: Policy, mix: MixDrawn) -> list[Cell]:
    """Which entry of the policy each task is of."""
    return [cell_of(policy.mix[task.entry]) for task in mix.tasks]


def _of_one_kind(entry: MixEntry, named: Mix, *, adaptive: bool) -> bool:
    """Whether an entry is the policy's, but for tickets, and for a level that moves."""
    given = (entry.family, entry.bucket, entry.metric, entry.source)
    if given != (named.family, named.bucket, named.metric, named.source):
        return False
    if entry.level is None or named.level is None or not adaptive:
        return entry.level == named.level
    return 1 <= entry.level <= levels_of(entry.family)


def _entry(policy: Policy, entry: Mix, difficulty: DifficultyState) -> MixEntry:
    level, tickets = entry.level, entry.tasks
    if policy.adaptive is not None:
        rung = rung_of(difficulty, entry)
        level, tickets = rung.level, entry.tasks * rung.quarters
    return MixEntry(
        family=entry.family,
        bucket=entry.bucket,
        tickets=tickets,
        level=level,
        metric=entry.metric,
        source=entry.source,
    )


def _anchors(seed: bytes, tasks: int, share: float) -> frozenset[int]:
    """Numbers of the tasks that are the same for all: the share of them, rounded by lot."""
    draw, exact = Draw(seed, "anchors"), tasks * share
    count = int(exact) + (draw.below(_LOTS) < (exact - int(exact)) * _LOTS)
    return frozenset(draw.sample(range(tasks), count))


def _tasks(mix: MixDrawn) -> Iterator[Mix]:
    for task in mix.tasks:
        entry = mix.entries[task.entry]
        yield Mix(
            family=entry.family,
            bucket=entry.bucket,
            tasks=1,
            level=entry.level,
            metric=entry.metric,
            source=entry.source,
            anchor=task.anchor,
        )
