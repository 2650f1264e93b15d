"""Stage: texts and data sets that tasks are made from, beside the vendored ones."""

from typing import Annotated, ClassVar

from msgspec import Meta

from quasar.events.base import Blob, Event, Kind

WORDS = 200
"""Characters of a word of its maker, at most."""
Words = Annotated[str, Meta(max_length=WORDS)]


class SourceAdopted(Event, frozen=True, tag="SourceAdopted"):
    """A pack that the policy names from here on; its bytes may be withheld, its digest stands."""

    kind: ClassVar[Kind] = Kind.FACT

    source: Blob
    """The pack (``quasar.benchmarks.packs``)."""
    name: Words
    """What it holds, such as ``longbench.qasper``; its maker's word."""
    revision: Words
    """What names the files it was made from; its maker's word."""

    @property
    def slot(self) -> str:
        return f"source.{self.source.sha256}"
