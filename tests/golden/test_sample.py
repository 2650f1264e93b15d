"""The recorded log that ships with the package must replay for ever."""

import pytest

from quasar.config import sample_archive
from quasar.log.archive_reader import ArchiveLog
from quasar.replay import audit

ROOT = "a94afc6d22606ad8513b8e7c84f15e929028cafd32cbb9a42c09a378d6f5d399"
HOTKEY = "5EnbSUSx4zSQkxQj6f8ymtw3f2EiycTvCwDaF6QYLWpAaFcs"


@pytest.mark.anyio
async def test_the_sample_replays() -> None:
    """Every decision of the first released format is recomputed, and nothing in it changed."""
    report = await audit(ArchiveLog(sample_archive()), hotkey=HOTKEY)
    assert report.first_divergence is None
    assert report.checkpoint_root == ROOT
    assert (report.events, report.decisions.equal, report.scores.equal) == (3999, 1928, 876)
    assert report.decisions.checked == report.decisions.equal
    assert report.signer is not None
    assert report.signer.pinned
