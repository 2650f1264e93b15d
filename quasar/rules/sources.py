"""Packs as a log names them: known to the generators from the event that adopts them on.

A pack is named by the digest of its bytes, so that it makes no difference who installed it, when,
or how often. One that is withheld is missed by whoever needs it, and by nobody else.
"""

from quasar.benchmarks import packs
from quasar.errors import CannotJudge
from quasar.events import SourceAdopted
from quasar.events.blobs import Blobs
from quasar.events.source import WORDS
from quasar.rules.policy import Policy


def sources_of(policy: Policy) -> list[str]:
    """Digests of the packs that its mix names, each once, sorted."""
    return sorted({entry.source for entry in policy.mix if entry.source is not None})


def adopted_source(pack: bytes, blobs: Blobs) -> SourceAdopted:
    """Keep a pack beside the log, and say so. Raises UsageError for bytes that are none."""
    found = packs.decode(pack)
    return SourceAdopted(
        source=blobs.put(pack), name=found.name[:WORDS], revision=found.revision[:WORDS]
    )


def adopt(adopted: SourceAdopted, blobs: Blobs) -> None:
    """Install the pack unless it is withheld. Raises Damaged for other bytes than the event's, and
    as ``packs.install``.
    """
    if not packs.is_installed(adopted.source.sha256):
        try:
            pack = blobs.get(adopted.source)
        except CannotJudge:
            return
        packs.install(pack)
