"""What every event has: a kind, a slot, and bounded fields."""

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from quasar.events.form import Form, Formed, formed


class Kind(StrEnum):
    """How replay treats an event."""

    FACT = "fact"
    """Seen in the world and recorded; its signatures are verified, its words are not recomputed."""
    DECISION = "decision"
    """Computed by a rule; must be recomputed byte for byte."""
    EFFECT = "effect"
    """Marks what was done to the world."""


Hotkey = Annotated[str, formed(Form(r"\A[1-9A-HJ-NP-Za-km-z]{47,48}\Z"))]
"""An SS58 address."""
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""SHA-256, lower-case hex."""
Signature = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]
"""64 bytes of sr25519 or Ed25519, lower-case hex."""
BlockHash = Annotated[str, Meta(pattern=r"\A0x[0-9a-f]{64}\Z")]
LogId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53)]
"""A non-negative integer that every JSON reader holds exactly."""
U16 = Annotated[int, Meta(ge=0, le=65535)]
Name = Annotated[str, formed(Form(r"\A[a-z0-9][a-z0-9_.:@+-]{0,63}\Z"))]
"""A short identifier such as ``factbook@1`` or ``32k``; never free text."""
Reason = Annotated[str, Meta(max_length=200)]
"""One line for people. No host paths, no tracebacks, nothing that differs between two runs."""


class Part(Formed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the structs that stand inside an event."""


class Event(Formed, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all events. The tag is the class name; a changed schema is a new class."""

    kind: ClassVar[Kind]

    @property
    def slot(self) -> str:
        """The place of this fact in the log: dot-separated, write-once."""
        raise TypeError(f"{type(self).__name__} has no slot")


class Blob(Part, frozen=True):
    """Names bytes that are kept beside the log."""

    sha256: Digest
    bytes: Count
    """Length, in bytes."""
