"""What an audit found wrong, and what it says at the end."""

from html import escape
from typing import Literal

from msgspec import Struct

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
