"""What a clean verdict says was proved."""

from typing import NamedTuple


class Counts(NamedTuple):
    """What was proved, in numbers."""

    events: int
    checkpoints: int
    tasks: int
    statements: int
    scores: int
    means: int
    rows: int
    deferrals: int
    noted: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Of two volumes."""
        return Counts(*(one + two for one, two in zip(self, other, strict=True)))


def proved(counts: Counts) -> list[str]:
    """In words; what there is none of is left out."""
    c = counts
    scored = _listed((c.scores, "score"), (c.means, "round mean"))
    weighed = _listed((c.rows, "weight row"), (c.deferrals, "deferral"))
    lines = {
        f"{c.events} events, none missing, altered or out of order": c.events,
        f"{_counted(c.checkpoints, 'checkpoint')} signed by the log key": c.checkpoints,
        f"{_counted(c.tasks, 'task decision')} made anew from the revealed seeds": c.tasks,
        f"{_counted(c.statements, 'signed statement')} of miners": c.statements,
        f"{scored} recomputed from the answers, bit for bit": c.scores + c.means,
        f"{_counted(c.noted, 'finding')} about miners recomputed, bit for bit": c.noted,
        f"{weighed} recomputed, bit for bit": c.rows + c.deferrals,
    }
    return [line for line, count in lines.items() if count]


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'s' if count > 1 else ''}"


def _listed(*kinds: tuple[int, str]) -> str:
    """Such as "108 scores and 3 round means", without those that there are none of."""
    return " and ".join(_counted(count, name) for count, name in kinds if count)
