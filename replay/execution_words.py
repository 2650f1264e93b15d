"""What came of programs that ran again, in words for people."""

from collections.abc import Iterator

from quasar.replay.finding import Differing, Reexecution
from quasar.replay.finding_words import short

SHOWN = 10
"""Programs that are named; the report itself names more."""


def execution_words(found: Reexecution) -> Iterator[str]:
    """A line each."""
    if not found.programs:
        yield "no program is recorded here"
    else:
        yield (
            f"{found.programs} programs, {found.equal} passed the recorded cases; "
            f"{found.cases_equal} of {found.cases} cases end alike"
        )
    if found.differing:
        yield (
            f"{found.differing} differ: a reason to look closer and no proof, since machines differ"
        )
    for d in found.listed[:SHOWN]:
        volume = f"volume {d.volume} " if d.volume else ""
        yield (
            f"{volume}event {d.seq} round {d.round} task {d.task} of {short(d.hotkey)}: "
            f"{d.recorded} of {d.cases} cases passed as recorded, {d.here} here; {_first(d)}"
        )
    for count, what in (
        (found.unsteady, "gave other values or errors of their own than recorded"),
        (found.contradictory, "contradicted themselves when they were recorded"),
        (found.other_images, "were recorded in another image than they ran in here"),
        (found.other_drivers, "were recorded under another driver than they ran under here"),
        (found.other_limits, "are of rounds with other limits than they had here"),
    ):
        if count:
            yield f"{count} {what}"
    if not found.complete:
        yield "stopped where the log breaks off"


def _first(found: Differing) -> str:
    first = found.where[0]
    return f"case {first.case}: {first.recorded} as recorded, {first.here} here"
