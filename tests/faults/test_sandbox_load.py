"""Many submissions at once: honest verdicts stand, and nothing of the hostile ones stays."""

import anyio
import pytest
from msgspec.structs import replace

from tests.faults.sandbox_load import MINERS, load
from tests.faults.sandbox_targets import config_for

pytestmark = pytest.mark.docker
SUBMISSIONS = 2 * MINERS


def test_honest_verdicts_stand_among_hostile_submissions() -> None:
    """A quarter is hostile, four run at a time; no container, process, file or memory stays."""
    config = replace(config_for("docker"), pool=2)
    report = anyio.run(load, config, SUBMISSIONS)
    print(report)  # noqa: T201  # for who runs it with -s
    assert report.honest_changed == []
    assert report.hostile_loose == []
    assert report.left == []
    assert report.grown_mib < 16
