"""What an audit found wrong, and what it says at the end."""

from html import escape
from typing import Literal

from msgspec import Struct

from quasar.replay.sample import Sample
from quasar.replay.witness import Witnessed

Level = Literal["structure", "lifecycle", "tasks", "receipts", "scores", "weights", "chain"]
LEVELS: tuple[Level, ...] = (
    "structure",
    "lifecycle",
    "tasks",
    "receipts",
    "scores",
    "weights",
    "chain",
)

LISTED = 1000
"""Findings that a report names; further ones are counted."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that does not hold."""

    seq: int
    """The first event that shows it."""
    level: Level
    type: str
    """Type of that event, or "" where it could not be read."""
    reason: str
    field: str | None = None
    recorded: str | None = None
    recomputed: str | None = None
    volume: int | None = None
    """Set where several volumes were audited as one log."""


class Tally(Struct, kw_only=True):
    """How many were compared, and how many were equal."""

    checked: int = 0
    equal: int = 0


class Signer(Struct, frozen=True, kw_only=True):
    """Whose log this claims to be."""

    hotkey: str
    pinned: bool
    """The caller named this hotkey, so a forger cannot put its own in."""


class Pending(Struct, frozen=True, kw_only=True):
    """Rounds that cannot be judged yet: their secrets are not revealed."""

    rounds: int = 0
    newest: int | None = None


class DifferingCase(Struct, frozen=True, kw_only=True):
    """A hidden case that passes in one of two runs."""

    case: int
    """From 0."""
    recorded: str
    """``passed``, ``other value``, or the status of a case that returned none."""
    here: str


class Differing(Struct, frozen=True, kw_only=True):
    """A recorded program that passed other cases when it ran again."""

    seq: int
    """Of its CodeExecuted."""
    round: int
    task: int
    hotkey: str
    cases: int
    recorded: int
    """Cases that it passed, as recorded."""
    here: int
    other_image: bool
    """Whether its record names other layers than it ran in here."""
    where: list[DifferingCase]
    volume: int | None = None


class Reexecution(Struct, frozen=True, kw_only=True):
    """Programs that ran again. A difference is a suspicion and no proof: machines differ."""

    programs: int
    equal: int
    """Of the programs, those of which every case passes or fails as recorded."""
    differing: int
    cases: int
    cases_equal: int
    """Of the cases, those that pass or fail as recorded, or never ran: their miner's time of the
    round was used up."""
    unsteady: int
    """Programs that gave another value, or failed by themselves in another way, than recorded:
    they may draw lots. Most fail either way, and so are equal."""
    contradictory: int
    """Programs whose two recorded runs contradict each other, which the rules score 0."""
    other_images: int
    """Recorded in another image than they ran in here."""
    other_drivers: int
    """Recorded under another driver than they ran under here."""
    other_limits: int
    """Of rounds whose policy gives programs other limits than they had here."""
    complete: bool
    """False where the log broke off before its end."""
    listed: list[Differing]
    """The first of those that differ, at most LISTED, in the log's order."""


class Report(Struct, kw_only=True):
    """The verdict of an audit. "clean" means no more than what was checked."""

    result: Literal["clean", "divergent"]
    events: int
    decisions: Tally
    scores: Tally
    weights: Tally
    receipts: Tally
    signer: Signer | None
    checkpoint_root: str | None
    proved: list[str]
    not_checked: list[str]
    assumed: dict[str, int]
    disputes: int
    findings: int
    first_divergence: Finding | None
    listed: list[Finding] = []
    """The first of them, at most LISTED, in the log's order."""
    pending: Pending = Pending()
    sample: Sample | None = None
    """Where only some rounds were judged in full."""
    execution: Reexecution | None = None
    """Where programs ran again; no part of ``result``."""
    miner: Witnessed | None = None
    """Where a miner's own log was laid beside; no part of ``result``."""

    def _repr_html_(self) -> str:
        said = [("proved", line) for line in self.proved]
        said += [("not checked", line) for line in self.not_checked]
        said += [
            ("assumed", f"{n} {what.replace('_', ' ')}") for what, n in self.assumed.items() if n
        ]
        if (first := self.first_divergence) is not None:
            said.insert(0, ("divergent", f"event {first.seq} ({first.level}): {first.reason}"))
        rows = "".join(f"<tr><th>{how}</th><td>{escape(line)}</td></tr>" for how, line in said)
        return f"<table><caption>{self.result}, {self.events} events</caption>{rows}</table>"
