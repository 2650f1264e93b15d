"""Report pages of a played log, for tests."""

from functools import cache
from typing import Any

import anyio
import msgspec

from quasar.replay.finding import Finding, Report
from quasar.replay.page import render
from quasar.replay.page_data import Board, read_board
from quasar.replay.page_words import AuditPage
from tests.builders import LineLog
from tests.forging import identity_of, played, report_of

EVIL = '</style></td><script>alert(1)</script><img src=x onerror="y">\u202e\x1b[31m&amp;\ud800'
"""Breaks out of what does not escape it."""


@cache
def clean() -> Report:
    """An audit of three good rounds. Not to be changed."""
    return report_of(played().lines, played().log.blobs)


def board_of(lines: list[bytes]) -> Board:
    return anyio.run(read_board, [LineLog(lines, played().log.blobs)])


def page_of(report: Report, board: Board | None = None, **changes: Any) -> str:
    world = played()
    page = AuditPage(
        report=report,
        board=board or board_of(world.lines),
        origin=identity_of(world).origin,
        events=len(world.lines),
        volumes=1,
        note="a\n1\nroot\n\n- a signature\n",
        written=("2026-11-22 14:38:21 UTC", "2026-11-22 14:40:11 UTC"),
        program="0.1.0",
        command="quasar audit archive --report report.html",
    )
    return render(msgspec.structs.replace(page, **changes))


def divergent(findings: list[Finding], count: int | None = None) -> Report:
    return msgspec.structs.replace(
        clean(),
        result="divergent",
        proved=[],
        findings=len(findings) if count is None else count,
        first_divergence=findings[0],
        listed=findings,
    )


def finding(seq: int = 7, **changes: Any) -> Finding:
    made = Finding(seq=seq, level="scores", type="AnswerScored", reason="another reward")
    return msgspec.structs.replace(made, **changes)
