"""What the audit of each golden recording must find, now and for ever."""

from pathlib import Path
from typing import Any

import anyio
import msgspec

from quasar.events import LogOpened, RunStarted, WeightsComputed
from quasar.log.archive_reader import ArchiveLog
from quasar.replay import Report, audit
from quasar.rules.machine import Recorded

HERE = Path(__file__).parent
RELEASED = ("1/mixed-v1", "1/readme-v1", "2/adaptive-short", "2/programs-short")
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
