"""Stage: a task, and its assignment to a miner."""

from typing import ClassVar

from msgspec import Struct

from quasar.events.base import Count, Digest, Event, Hotkey, Kind, Name, Part


class TextPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="text"):
    """A piece of the question in words."""

    text: str


Question = list[TextPart]
"""Content parts in reading order; other kinds of parts get other tags."""


class Context(Part, frozen=True):
    """The long text of an assignment. Regenerated from the seed, so it is not kept."""

    sha256: Digest
    bytes: Count
    tokens: Count
    """Canonical tokens (``quasar.benchmarks.tokenizer``)."""


class TaskSampled(Event, frozen=True, tag="TaskSampled"):
    """What all variants of a task share."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    task: Count
    family: Name
    bucket: Name
    template: Digest
    """SHA-256 of what the variants share: haystack, decoys, places; opened by the reveal."""
    metric: Name
    answer_bytes: Count
    """An answer is cut to this length before it is scored."""

    @property
    def slot(self) -> str:
        return f"task.{self.round}.{self.task}"


class TaskAssigned(Event, frozen=True, tag="TaskAssigned"):
    """One miner's variant of a task, with its deadline."""

    kind: ClassVar[Kind] = Kind.DECISION

    round: Count
    task: Count
    hotkey: Hotkey
    n: Count
    """Dense counter of this log's assignments to this hotkey, from 1: a gap is an omission."""
    context: Context
    question: Question
    commitment: Digest
    """HMAC-SHA256 of the expected answer under a salt that the reveal gives."""
    deadline_ms: Count
    """From the miner's signed acceptance to the answer."""

    @property
    def slot(self) -> str:
        return f"assign.{self.round}.{self.task}.{self.hotkey}"
