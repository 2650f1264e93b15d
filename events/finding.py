"""Stage: what the answers of some rounds say of a miner, beside their scores."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from quasar.events.base import Count, Event, Hotkey, Kind, Part

What = Literal["canary", "other-variant", "copied"]
Chance = Annotated[float, Meta(ge=0.0, le=1.0)]


class Match(Part, frozen=True):
    """An assignment of the miner whose answer matches."""

    round: Count
    task: Count


class FindingNoted(Event, frozen=True, tag="FindingNoted"):
    """Something in a miner's answers that people should look at. It changes no score."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    """The newest of the rounds looked at; the finding stands in one step with its RoundScored."""
    rounds: Count
    """How many were looked at together."""
    what: What
    """Canary: wrong, and what the unchanged text says, so from memory. Other variant: wrong, and
    what is right in the variant of ``other``. Copied: the same wrong answer as that of ``other``,
    out of the text that ``other`` got."""
    hotkey: Hotkey
    other: Hotkey | None
    """Whose variant or answer it is; null for a canary."""
    matched: Count
    """Answers like that."""
    of: Count
    """Answers that could have been: with a canary, or wrong where both were asked."""
    chance: Chance | None
    """Of so many matches or more, if the miner knows nothing of the other's variants; null where
    chance has no say."""
    tests: Count
    """How many such chances were looked at: the finding is noted below the policy's level divided
    by this. 0 where there is no chance."""
    answers: list[Match]
    """The first of those that match, in the order of rounds and tasks."""

    @property
    def who(self) -> str:
        """The one or two hotkeys, as a part of the slot."""
        return self.hotkey if self.other is None else f"{self.hotkey}.{self.other}"

    @property
    def slot(self) -> str:
        return f"finding.{self.round}.{self.what}.{self.who}"
