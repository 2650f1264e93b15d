"""Records the golden logs: ``python -m tests.golden.record [POLICY ...]``, some minutes each.

Each is a short demo by the real programs: server, miners, door, chain. It is recorded once for a
released set of schemas and rules, and must replay for ever; so nothing here is written over. A new
set gets a new number, and the older recordings stay.
"""

import sys
from pathlib import Path
from typing import Any

import anyio
import msgspec

from quasar.cli import app
from quasar.cli.run import run
from quasar.events import LogOpened, RunStarted, WeightsComputed
from quasar.log.archive_reader import ArchiveLog
from quasar.replay import Report, audit
from quasar.rules.machine import Recorded

HERE = Path(__file__).parent
SCHEMA = "1"
"""Number of the newest released set."""
POLICIES = ("readme-v1", "mixed-v1")
ROUNDS = 2
MINERS = 3
"""Two that read, one that guesses."""
FACTS = (
    "result",
    "events",
    "decisions",
    "scores",
    "weights",
    "receipts",
    "checkpoint_root",
    "assumed",
    "disputes",
    "findings",
)
"""Of a report: what later programs must find too, in whatever words."""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording's audit must find."""

    hotkey: str
    program: str
    """Version of quasar-subnet that wrote it."""
    miners: list[str]
    rows: list[list[dict[str, Any]]]
    """Every weight row, in order."""
    report: dict[str, Any]


def recordings() -> list[Path]:
    """Folders of all recordings, oldest set first."""
    return sorted(path.parent for path in HERE.glob("*/*/expected.json"))


def facts(report: Report) -> dict[str, Any]:
    """A report without its words."""
    found = msgspec.to_builtins(report)
    return {name: found[name] for name in FACTS}


def expected(folder: Path) -> Expected:
    """What the audit of a recording must find, as it was recorded."""
    return msgspec.json.decode((folder / "expected.json").read_bytes(), type=Expected)


def found(archive: Path) -> Expected:
    """What its audit finds now."""
    events = [Recorded(seq, line).event for seq, line in ArchiveLog(archive).lines()]
    (opened,) = (e for e in events if isinstance(e, LogOpened))
    [*_, started] = (e for e in events if isinstance(e, RunStarted))
    rows = [e.weights for e in events if isinstance(e, WeightsComputed)]
    report = anyio.run(lambda: audit(ArchiveLog(archive), hotkey=opened.hotkey))
    return Expected(
        hotkey=opened.hotkey,
        program=started.versions["quasar-subnet"],
        miners=sorted({weight.hotkey for row in rows for weight in row}),
        rows=[msgspec.to_builtins(row) for row in rows],
        report=facts(report),
    )


def record(policy: str) -> None:
    """Play, audit, and keep both. Ends the program where one is there, or the new one not clean."""
    folder = HERE / SCHEMA / policy
    if folder.exists():
        sys.exit(f"{folder} is recorded, and stays: give the new set of schemas a new number")
    size = ["--rounds", str(ROUNDS), "--miners", str(MINERS)]
    code = run(app, ["demo", "--policy", policy, *size, "--out", str(folder / "archive"), "--json"])
    made = found(folder / "archive")
    if code != 0 or made.report["result"] != "clean":
        sys.exit(f"{folder} is not clean: remove it")
    text = msgspec.json.format(msgspec.json.encode(made), indent=1)
    (folder / "expected.json").write_bytes(text + b"\n")


if __name__ == "__main__":
    for name in sys.argv[1:] or POLICIES:
        record(name)
