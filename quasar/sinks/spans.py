"""A span, and its OTLP JSON form (opentelemetry.io/docs/specs/otlp: 64-bit numbers are strings)."""

import hashlib
from typing import Any

from quasar.sinks.sink import Record

Value = str | int | float | bool

_INTERNAL, _ERROR = 1, 2


class Span:
    """What became of a round, a task or an assignment, from its first event on."""

    def __init__(self, name: str, record: Record, parent: "Span | None", **known: Value) -> None:
        self.name = name
        self.parent = parent
        self._made_of = f"{record.origin} {record.seq}".encode()
        self._start = self._end = record.at
        self._attributes: dict[str, Value] = {"seq": record.seq, "cause": record.cause, **known}
        self._events: list[dict[str, Any]] = []
        self._failure: str | None = None
        self._open = True

    def note(self, record: Record, **more: Value | None) -> None:
        """Something happened in it."""
        attributes = {"seq": record.seq, **_given(more)}
        self._events.append(
            {
                "timeUnixNano": str(record.at),
                "name": type(record.event).__name__,
                "attributes": _listed(attributes),
            }
        )
        self._end = max(self._end, record.at)

    def set(self, **more: Value | None) -> None:
        """Say more of it; what is None is not said."""
        self._attributes.update(_given(more))

    def fail(self, failure: str) -> None:
        """It ended badly; the first reason stands."""
        self._failure = self._failure or failure

    def close(self) -> None:
        """It came to its end, at the newest event that was noted."""
        self._open = False

    def cover(self, other: "Span") -> None:
        """It lasts at least as long as what happens in it."""
        self._end = max(self._end, other._end)

    def form(self) -> dict[str, Any]:
        """As OTLP has it. The ids are hashes of the log's name and the first event's number."""
        root = self
        while root.parent is not None:
            root = root.parent
        form = {
            "traceId": hashlib.sha256(b"trace " + root._made_of).hexdigest()[:32],
            "spanId": self._id(),
            "parentSpanId": self.parent._id() if self.parent else "",
            "name": self.name,
            "kind": _INTERNAL,
            "startTimeUnixNano": str(self._start),
            "endTimeUnixNano": str(self._end),
            "attributes": _listed({**self._attributes, **({"open": True} if self._open else {})}),
            "events": self._events,
            "status": {"code": _ERROR, "message": self._failure} if self._failure else {},
        }
        return {key: value for key, value in form.items() if value not in ("", [], {})}

    def _id(self) -> str:
        return hashlib.sha256(b"span " + self._made_of).hexdigest()[:16]


def resource(spans: list[Span], **known: Value) -> dict[str, Any]:
    """One line of the file: spans of one log."""
    scope = {"scope": {"name": "quasar.sinks.otlp"}, "spans": [span.form() for span in spans]}
    described = {"attributes": _listed({"service.name": "quasar", **known})}
    return {"resourceSpans": [{"resource": described, "scopeSpans": [scope]}]}


def _given(values: dict[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}


def _listed(attributes: dict[str, Value]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _any(value)} for name, value in attributes.items()]


def _any(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}
