"""What a comparison of several validators' logs found."""

from html import escape

from msgspec import Struct

from quasar.replay.diff_miners import MinerDid
from quasar.replay.diff_rows import Parting, RowsApart
from quasar.replay.diff_statistics import Statistics


class ComparedLog(Struct, frozen=True, kw_only=True):
    """One validator's log."""

    name: str
    """A, B, ...: how it is called in this comparison."""
    origin: str
    """Of its newest volume."""
    hotkey: str
    events: int
    volumes: int
    rounds: int
    """Fully scored."""
    first_block: int | None
    """Of the first of these rounds."""
    last_block: int | None
    policies: list[str]
    """Name and digest of each, in the order of adoption."""


class Differing(Struct, frozen=True, kw_only=True):
    """Something that the logs were not made with alike."""

    what: str
    values: list[str | None]
    """In the order of the logs; None where a log does not say."""


class Tasks(Struct, kw_only=True):
    """Rounds at blocks that more than one validator played."""

    blocks: int = 0
    same: int = 0
    """Templates that more than one of them has."""
    different: int = 0


class OneScore(Struct, frozen=True, kw_only=True):
    """What one validator made of an answer."""

    log: str
    round: int
    task: int
    volume: int
    seq: int
    """Of the score."""
    policy: str
    accuracy: float
    reward: float


class OtherScores(Struct, frozen=True, kw_only=True):
    """One miner, one task, the same bytes: and yet other scores."""

    hotkey: str
    block: int
    family: str
    bucket: str
    metric: str
    answer: str
    """SHA-256."""
    scores: list[OneScore]


class SameAnswers(Struct, kw_only=True):
    """Answers to the same question with the same bytes, at more than one validator."""

    compared: int = 0
    other_scores: int = 0
    first: list[OtherScores] = []
    """Of those with other scores, the first 100."""


class Difference(Struct, frozen=True, kw_only=True):
    """Several validators side by side. Nothing here is proved: audit each log for that."""

    logs: list[ComparedLog]
    differing: list[Differing]
    tasks: Tasks
    answers: SameAnswers
    miners: list[MinerDid]
    """All kinds of tasks together."""
    cells: list[MinerDid]
    """By task family and bucket."""
    weights: list[Parting]
    rows: list[RowsApart]
    statistics: Statistics
    notes: list[str]
    """What could not be compared, and why."""

    @property
    def matters(self) -> bool:
        """Whether an honest pair of validators would not differ so."""
        return bool(self.answers.other_scores or self.statistics.named)

    def _repr_html_(self) -> str:
        rows = [("logs", f"{log.name} {log.origin}") for log in self.logs]
        rows.append(("same answers", str(self.answers.compared)))
        rows.append(("of these, other scores", str(self.answers.other_scores)))
        rows += [
            (f"{s.log}: {s.what}", f"{s.hotkey}, p {s.p:.2g}, corrected {s.corrected:.2g}")
            for s in self.statistics.named
        ]
        shown = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
        return f"<table><caption>{len(self.logs)} validators</caption>{shown}</table>"
