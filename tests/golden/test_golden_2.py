"""Set 2: programs that ran in a sandbox, and rounds that are drawn."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from quasar.events import (
    AnswerScored,
    AnyEvent,
    CodeExecuted,
    MixDrawn,
    RoundOpened,
)
from quasar.events.base import Blob
from quasar.log.archive_reader import ArchiveLog
from quasar.replay import audit
from quasar.replay.reexecute import Here, newest_limits, reexecute
from quasar.rules.machine import Recorded
from quasar.sandbox import SandboxConfig
from quasar.supervisor.sandbox_limits import limited
from tests.golden.expected import HERE
from tests.sandboxes import DRIVERS, bench
from tests.tampering import flip, lines

PROGRAMS = HERE / "2" / "programs-short" / "archive"
ADAPTIVE = HERE / "2" / "adaptive-short" / "archive"
ROUNDS = 3
"""Of the programs."""


@cache
def events(archive: Path) -> list[AnyEvent]:
    """All of a recording."""
    return [Recorded(seq, line).event for seq, line in ArchiveLog(archive).lines()]


def runs() -> list[CodeExecuted]:
    """Every program that was recorded."""
    return [event for event in events(PROGRAMS) if isinstance(event, CodeExecuted)]


def test_programs_that_end_in_every_way() -> None:
    """All of them ran in containers: right and wrong ones, and such as did not end well."""
    assert {run.driver for run in runs()} == {"docker"}
    ends = Counter(case.status for run in runs() for case in run.cases)
    assert {"ok", "error", "forbidden", "timeout", "oom", "output_limit"} <= ends.keys()
    scores = [e for e in events(PROGRAMS) if isinstance(e, AnswerScored)]
    assert {0.0, 1.0} <= {score.accuracy for score in scores}
    assert 0 < len([run for run in runs() if run.again]) < len(runs())
    assert "nondeterministic" in {score.failure for score in scores}


def test_rounds_that_are_drawn() -> None:
    """Anchors and others, entries that rose, fell and lost tickets, and miners in turn."""
    mixes = [event for event in events(ADAPTIVE) if isinstance(event, MixDrawn)]
    assert {task.anchor for mix in mixes for task in mix.tasks} == {False, True}
    pairs = [pair for mix in mixes for pair in zip(mixes[0].entries, mix.entries, strict=True)]
    moved = {(now.level or 0) - (first.level or 0) for first, now in pairs}
    assert {-1, 0, 1} <= moved
    assert any(now.tickets < first.tickets for first, now in pairs)
    asked = [set(e.participants) for e in events(ADAPTIVE) if isinstance(e, RoundOpened)]
    assert all(len(some) == 3 for some in asked)
    assert all(len(one | two) == 5 for one, two in pairwise(asked))


@pytest.mark.parametrize("driver", DRIVERS)
def test_its_programs_run_again_alike(driver: str) -> None:
    """Every case of the last round passes or fails as recorded, under either driver."""
    log = ArchiveLog(PROGRAMS)
    limits = anyio.run(newest_limits, [log])
    with bench(driver, limited(SandboxConfig(owner="test"), limits)) as here:
        where = Here(driver, here.sandbox.identity.layers, limits)
        again = here.portal.call(partial(reexecute, full=ROUNDS.__eq__), [log], here.sandbox, where)
    last = [run for run in runs() if run.round == ROUNDS]
    assert (again.programs, again.equal, again.complete) == (len(last), len(last), True)
    assert (again.cases_equal, again.other_limits) == (again.cases, 0)


@cache
def output() -> Blob:
    """The longest value that a program returned."""
    found = (case.output for run in runs() for case in run.cases if case.output)
    return max(found, key=lambda blob: (blob.bytes, blob.sha256))


def blob_file(archive: Path, name: str) -> Path:
    """Where an archive keeps those bytes."""
    return archive / "blobs" / name[:2] / name


def change_the_output(archive: Path) -> None:
    """One bit of it, in its file."""
    flip(str(blob_file(archive, output().sha256)), 1)(archive)


def change_the_record_too(archive: Path) -> None:
    """Another value, stored whole, and a record that names it."""
    before = output().sha256
    data = blob_file(archive, before).read_bytes()
    other = data[:1] + bytes([data[1] ^ 1]) + data[2:]
    after = hashlib.sha256(other).hexdigest()
    blob_file(archive, after).parent.mkdir(exist_ok=True)
    blob_file(archive, after).write_bytes(other)

    def rename(held: list[bytes]) -> None:
        held[:] = [line.replace(before.encode(), after.encode()) for line in held]

    lines(rename, 0)(archive)


@pytest.mark.parametrize("change", [change_the_output, change_the_record_too])
def test_a_changed_output_is_found(change: Callable[[Path], None], tmp_path: Path) -> None:
    """One bit of what a program returned, and the log is clean no more."""
    archive = tmp_path / "archive"
    shutil.copytree(PROGRAMS, archive)
    change(archive)
    stored = ArchiveLog(PROGRAMS).lines()
    (place,) = (seq for seq, line in stored if output().sha256.encode() in line)
    report = anyio.run(audit, ArchiveLog(archive))
    assert (report.result, report.findings) == ("divergent", 1)
    assert report.first_divergence is not None
    assert (report.first_divergence.seq, report.first_divergence.level) == (place, "structure")
