"""What every format is: it begins in a folder, takes the events in order, and ends."""

from pathlib import Path
from typing import NamedTuple, Protocol

from quasar.errors import Damaged
from quasar.events import AnyEvent
from quasar.events.envelope import decode


class Record(NamedTuple):
    """One stored event, taken apart."""

    origin: str
    """Name of its volume, such as ``quasar/24/5F.../0a1b2c3d/1``."""
    volume: int
    seq: int
    key: str
    at: int
    actor: str
    cause: int
    payload: str
    """The event's own bytes, as stored."""
    event: AnyEvent
    """As stored: an older schema is not made a newer one."""

    @property
    def tag(self) -> str:
        """Name of the event's schema: the type's, and a number from the second one on."""
        return str(type(self.event).__struct_config__.tag)


class Origin(NamedTuple):
    """Where the events come from, for formats that say so themselves."""

    origins: tuple[str, ...]
    """Names of the volumes, in order."""
    roots: tuple[str, ...]
    """Their Merkle roots, hex."""


class Sink(Protocol):
    """A format. Holds no more than some thousands of events, or one open round, at a time."""

    packages: tuple[str, ...]
    """Whose versions decide on the bytes that are written."""

    def begin(self, folder: Path) -> None:
        """Write into this folder, which is empty. Raises MissingExtra."""
        ...

    def write(self, record: Record) -> None:
        """Take the next event, in log order."""
        ...

    def end(self, source: Origin) -> dict[str, int]:
        """Finish all files: relative name to rows, or to lines of text that is no table."""
        ...

    def close(self) -> None:
        """Let go of open files, also after a failure."""
        ...


def record(origin: str, volume: int, seq: int, line: bytes) -> Record:
    """Take a stored line apart.

    Raises CannotJudge for an unknown event type, and Damaged for a line that could not be put
    together again from its parts: an export must not lose a byte.
    """
    try:
        found = decode(line)
    except ValueError as problem:
        raise Damaged(seq, f"not an event: {problem}") from None
    head = outline(found.key, found.at, found.actor, found.cause)
    if not line.startswith(head) or line[-1:] != b"}":
        raise Damaged(seq, "not in the form that a log writes; run `quasar audit` on it")
    payload = line[len(head) : -1].decode()
    return Record(
        origin, volume, seq, found.key, found.at, found.actor, found.cause, payload, found.event
    )


def outline(key: str, at: int, actor: str, cause: int) -> bytes:
    """A stored line up to the payload; what follows the payload is ``}``."""
    return f'{{"key":"{key}","at":{at},"actor":"{actor}","cause":{cause},"event":'.encode()
