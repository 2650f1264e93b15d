"""Traces of a log: a span for each round, task and assignment, with what went wrong in it."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import anyio

from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    RoundOpened,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.envelope import decode
from quasar.log.archive_reader import ArchiveLog
from quasar.sinks.otlp import NAME
from tests.builders import World
from tests.forging import few_tasks, played
from tests.unit.exporting import one_volume, two_volumes, write
from tests.unit.volume_folder import write_volume

Span = dict[str, Any]


def spans(logs: list[ArchiveLog], out: Path) -> list[Span]:
    """All spans of an export, in order; attributes as one mapping."""
    write(logs, "otlp", out)
    found = []
    for line in (out / NAME).read_bytes().splitlines():
        (resource,) = json.loads(line)["resourceSpans"]
        (scope,) = resource["scopeSpans"]
        found += [{**span, "attributes": flat(span["attributes"])} for span in scope["spans"]]
    return found


def flat(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """Names to values, whatever their type."""
    return {a["key"]: next(iter(a["value"].values())) for a in attributes}


def kinds(found: list[Span]) -> Counter[str]:
    """How many spans of each kind."""
    return Counter(span["name"].split()[0] for span in found)


def test_one_span_for_each(tmp_path: Path) -> None:
    """Rounds, tasks and assignments of the log; each child stands behind its parent, in its trace,
    and within its time."""
    found = spans(one_volume(tmp_path), tmp_path / "out")
    world = played()
    assert kinds(found) == {
        "round": len(world.events(RoundOpened)),
        "task": len(world.events(TaskSampled)),
        "assignment": len(world.events(TaskAssigned)),
    }
    seen: dict[str, Span] = {}
    for span in found:
        assert re.fullmatch("[0-9a-f]{32} [0-9a-f]{16}", f"{span['traceId']} {span['spanId']}")
        if span["name"].startswith("round"):
            assert "parentSpanId" not in span
        else:
            parent = seen[span["parentSpanId"]]
            assert parent["traceId"] == span["traceId"]
            assert int(parent["startTimeUnixNano"]) <= int(span["startTimeUnixNano"])
            assert int(span["endTimeUnixNano"]) <= int(parent["endTimeUnixNano"])
        assert span["spanId"] not in seen
        seen[span["spanId"]] = span


def test_times_and_results_are_the_events(tmp_path: Path) -> None:
    """An assignment lasts from its event to its answer's; accuracy and failure are the score's."""
    found = spans(one_volume(tmp_path), tmp_path / "out")
    lines = {e.key: e for e in map(decode, played().lines)}
    checked: Counter[str] = Counter()
    for span in found:
        if not span["name"].startswith("assignment"):
            continue
        place = f"{span['name'].split()[1]}.{span['attributes']['hotkey']}"
        begun, ended = lines[f"assign.{place}"], lines[f"answer.{place}"]
        assert isinstance(ended.event, AnswerReceived | AnswerAbandoned)
        assert int(span["startTimeUnixNano"]) == begun.at
        assert int(span["endTimeUnixNano"]) == ended.at
        assert "open" not in span["attributes"]
        failed = span.get("status", {}).get("code") == 2
        match lines[f"score.{place}"].event:
            case AnswerScored(accuracy=accuracy, failure=failure):
                assert span["attributes"]["accuracy"] == accuracy
                assert failed is (failure is not None)
            case AnswerNotScored():
                assert failed
        checked["failed" if failed else "fine"] += 1
    assert min(checked["failed"], checked["fine"]) >= 3


def test_volumes_have_traces_of_their_own(tmp_path: Path) -> None:
    """A span's id comes from the log's name and the event's number, so no two are equal."""
    logs = two_volumes(tmp_path)
    found = spans(logs, tmp_path / "out")
    alone = [s for log in logs for s in spans([log], tmp_path / f"out{log.manifest.volume}")]
    assert found == alone
    assert len({span["spanId"] for span in found}) == len(found)


def test_an_open_round_says_so(tmp_path: Path) -> None:
    """What had not come to its end is there, and is called open."""
    world = World(miners=2, policy=few_tasks())
    anyio.run(world.start_round, 1)
    found = spans([ArchiveLog(write_volume(world, tmp_path / "log"))], tmp_path / "out")
    assert kinds(found)["assignment"] > 0
    assert all(s["attributes"].get("open") for s in found if not s["name"].startswith("task"))
