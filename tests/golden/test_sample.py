"""The recorded log that ships with the package must replay for ever."""

import pytest

from quasar.config import sample_archive
from quasar.log.archive_reader import ArchiveLog
from quasar.replay import audit

ROOT = "1a7c66d89eef253a961dce388e8acae3a542861974df1add16b644f5bbc67afd"
HOTKEY = "5CVVzyF9wNS2fiooijXGGniMGXA2pFKZbfv7WjZePgsA574m"


@pytest.mark.anyio
async def test_the_sample_replays() -> None:
    """Every decision of the first released format is recomputed, and nothing in it changed."""
    report = await audit(ArchiveLog(sample_archive()), hotkey=HOTKEY)
    assert report.first_divergence is None
    assert report.checkpoint_root == ROOT
    assert (report.events, report.decisions.equal, report.scores.equal) == (4166, 1923, 876)
    assert report.decisions.checked == report.decisions.equal
    assert report.signer is not None
    assert report.signer.pinned
