"""A validator of short volumes: what it no longer needs leaves its server, its disk, its memory."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quasar.cli.source import volumes_of
from quasar.events import RoundOpened
from quasar.events.envelope import decode
from tests.e2e.programs import (
    PATIENCE_S,
    QUASAR,
    interrupt,
    run,
    running,
    subnet,
    until,
    write_policy,
)

pytestmark = pytest.mark.nats

SEED = 7
VOLUMES = 6
QUICK = {"round_every_blocks = 75 ": "round_every_blocks = 40 "}


class Played(NamedTuple):
    archive: Path
    state: Path
    said: list[dict[str, Any]]
    """The operator's log."""
    resident: dict[int, int]
    """Bytes of the validator's process when a volume was first seen, the killed one left out."""


@pytest.fixture(scope="module", name="played")
def fixture_played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Six volumes of a round or two; killed once a second volume is there, and started again."""
    work = tmp_path_factory.mktemp("retention")
    archive, state, log = work / "archive", work / "state", work / "validator.log"
    with subnet(work, SEED, miners=2) as url:
        arguments = ["validate", "--chain", url, "--seed", str(SEED), "--out", str(archive)]
        arguments += ["--policy", str(write_policy(work, **QUICK)), "--state", str(state)]
        arguments += ["--volume-events", "60"]
        with running(QUASAR, arguments, log) as process:
            until(process, (archive / "2" / "manifest.json").exists)
            interrupt(process, signal.SIGKILL)
        resident: dict[int, int] = {}
        with running(QUASAR, arguments, log) as process:
            for volume in range(2, VOLUMES + 1):
                until(process, (archive / str(volume) / "manifest.json").exists)
                resident[volume] = bytes_of(process.pid)
            retired = f'"volume":{VOLUMES - 1},"events"'
            until(process, lambda: retired in log.read_text())
            interrupt(process, signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0, log.read_text()
        said = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
        yield Played(archive, state, said, resident)


def events(archive: Path, kind: type[Any]) -> list[Any]:
    found = [decode(line).event for log in volumes_of(archive) for _, line in log.lines()]
    return [event for event in found if isinstance(event, kind)]


def bytes_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def streams(state: Path) -> list[int]:
    """Volumes of which the server's store holds anything."""
    found = (state / "nats" / "jetstream").rglob("Q-*")
    return sorted(int(path.name.rpartition("-")[2]) for path in found)


def test_only_the_newest_streams_are_left(played: Played) -> None:
    """Each sealed volume's was checked and removed, once and in order, though one was killed."""
    retired = [line["volume"] for line in played.said if line["event"].endswith("stream-retired")]
    assert retired[: VOLUMES - 1] == list(range(1, VOLUMES))
    assert streams(played.state)[0] == retired[-1] + 1
    # The end may have come while a volume opened, and before the one before it was retired.
    assert len(streams(played.state)) <= 3
    assert not [line for line in played.said if line["event"].endswith(("-kept", "n.failed"))]


def test_contexts_of_revealed_rounds_are_gone(played: Played) -> None:
    """What is left is of rounds that the newest volume has not revealed, or only just."""
    left = {int(path.name) for path in (played.state / "contexts").iterdir()}
    opened = [e.round for e in events(played.archive, RoundOpened)]
    assert left <= set(opened[-2:])
    assert len(opened) >= VOLUMES - 1


def test_its_own_memory_is_flat(played: Played) -> None:
    """From the fourth volume to the last it grows by less than a tenth."""
    early, *_, late = [size for volume, size in sorted(played.resident.items()) if volume >= 4]
    assert late <= 1.1 * early, played.resident


def test_what_is_left_audits_clean(played: Played) -> None:
    """The archive never needed the streams."""
    report = json.loads(run("audit", str(played.archive), "--json").out)
    assert (report["result"], report["first_divergence"]) == ("clean", None)
