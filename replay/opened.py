"""A recorded log as notebooks hold it."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TypeVar

from msgspec import DecodeError

from quasar.config import sample_archive
from quasar.errors import CannotJudge, Damaged, UsageError
from quasar.events import Event
from quasar.log.archive_folders import unpruned, volumes_of
from quasar.log.archive_reader import ArchiveLog
from quasar.rules.machine import Recorded

E = TypeVar("E", bound=Event)


class RecordedLog:
    """The volumes of a log, in order, without those that were pruned here."""

    def __init__(self, name: str, volumes: Sequence[ArchiveLog]) -> None:
        """``name``: what it was opened as. Raises CannotJudge where no volume has its events."""
        self.name = name
        self.volumes = unpruned(volumes)
        self.pruned = len(volumes) - len(self.volumes)
        """Older volumes that are not here any more."""
        if not self.volumes:
            raise CannotJudge(f"the events of {name} were pruned: open the other copy of them")

    @property
    def origin(self) -> str:
        """Name of the newest volume, such as ``quasar/24/5F.../0a1b2c3d/1``."""
        return self.volumes[-1].manifest.identity.origin

    @property
    def hotkey(self) -> str:
        """The validator's, as the log says."""
        return self.volumes[-1].manifest.hotkey

    def __len__(self) -> int:
        """How many events there are."""
        events = 0
        for log in self.volumes:
            events += log.manifest.last
        return events

    def volume(self, number: int) -> "RecordedLog":
        """One volume as a log of its own. Raises UsageError for one that is not here."""
        found = [log for log in self.volumes if log.manifest.volume == number]
        if not found:
            known = ", ".join(str(log.manifest.volume) for log in self.volumes)
            raise UsageError(f"{self.name} has no volume {number}: name one of {known}")
        return RecordedLog(f"{self.name}, volume {number}", found)

    def __iter__(self) -> Iterator[Recorded]:
        """Every event, each line compared with its hash.

        Raises Damaged at the first that is not what was written, and CannotJudge for a type that
        this program does not know.
        """
        for log in self.volumes:
            for seq, line in log.verified():
                yield _recorded(seq, line)

    def events(self, kind: type[E]) -> Iterator[E]:
        """The events of one type. Raises as iterating."""
        return (seen.event for seen in self if isinstance(seen.event, kind))

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self)} events of {self.origin}>"

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{log.manifest.volume}</td><td>{log.manifest.last}</td>"
            f"<td>{escape(log.manifest.identity.origin)}</td></tr>"
            for log in self.volumes
        ]
        head = "<tr><th>volume</th><th>events</th><th>name</th></tr>"
        return f"<table><caption>{escape(self.name)}</caption>{head}{''.join(rows)}</table>"


def open_log(source: str | Path) -> RecordedLog:
    """Open a log that was recorded: ``"sample"``, an archive, or the folder of a log's volumes.

    Nothing is checked yet. Raises UsageError where there is no archive; one that is served over
    HTTP must be fetched first, for nothing in this package uses the network.
    """
    if str(source).startswith(("http://", "https://")):
        raise UsageError(
            f"{source} is not on this machine: `quasar.log.fetch.fetch(url)` fetches what is new "
            "of it and returns the folder to open; `quasar audit` does so by itself"
        )
    folder = sample_archive() if source == "sample" else Path(source)
    return RecordedLog(str(source), volumes_of(folder) or [ArchiveLog(folder)])


def _recorded(seq: int, line: bytes) -> Recorded:
    try:
        return Recorded(seq, line)
    except DecodeError as problem:
        raise Damaged(seq, f"not an event: {problem}") from None
