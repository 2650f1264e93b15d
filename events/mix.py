"""Stage: which tasks a round has, where the policy has them drawn."""

from typing import Annotated, ClassVar

from msgspec import Meta

from quasar.events.base import Count, Digest, Event, Kind, Name, Part


class MixEntry(Part, frozen=True):
    """A kind of task that could be drawn."""

    family: Name
    bucket: Name
    tickets: Count
    """Of so many in all entries, one is drawn for each task."""
    level: Count | None = None
    """Of difficulty, from 1; null for the family's usual one."""
    metric: Name | None = None
    source: Digest | None = None


class DrawnTask(Part, frozen=True):
    """One task of the round; its number is its place in the list."""

    entry: Count
    """Place of its kind among the entries, from 0."""
    anchor: bool
    """Every miner gets the same variant."""


class MixDrawn(Event, frozen=True, tag="MixDrawn"):
    """The tasks of a round: drawn from its seed once the beacon is known."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    entries: Annotated[list[MixEntry], Meta(max_length=32)]
    """As the policy lists them, with the levels and tickets that they have by now."""
    tasks: Annotated[list[DrawnTask], Meta(max_length=1000)]

    @property
    def slot(self) -> str:
        return f"mix.{self.round}"
