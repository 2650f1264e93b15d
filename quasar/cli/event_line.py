"""One event as one line: what matters of it, for people."""

from typing import Any

import msgspec

from quasar.cli.output import printable, short
from quasar.events import AnyEvent

LINE_CHARS = 240
TEXT_CHARS = 60
LISTED = 8
"""Items of a list; more are counted."""
PAIRS = {"rewards": "mean", "weights": "u16"}
"""Lists with one entry a miner, and the number that matters."""
LEFT_OUT = {"type", "note"}
"""The type stands before the words; a signed note has lines of its own."""


def words(event: AnyEvent | dict[str, Any]) -> str:
    """The fields, shortened; those that are null are left out. Safe for a terminal.

    ``event``: as it is, or as JSON has it; then it may be of a type that this program lacks.
    """
    fields: dict[str, Any] = msgspec.to_builtins(event)
    shown = (
        f"{name}={_pairs(value, PAIRS[name]) if _are_pairs(name, value) else _brief(value)}"
        for name, value in fields.items()
        if name not in LEFT_OUT and value is not None
    )
    return printable(" ".join(shown), LINE_CHARS)


def _are_pairs(name: str, value: Any) -> bool:
    if name not in PAIRS or not isinstance(value, list):
        return False
    return all(
        isinstance(e, dict) and isinstance(e.get("hotkey"), str) and PAIRS[name] in e for e in value
    )


def _pairs(entries: list[dict[str, Any]], number: str) -> str:
    return _list([f"{short(e['hotkey'])}:{_brief(e[number])}" for e in entries])


def _brief(value: Any) -> str:
    match value:
        case dict() if set(value) == {"sha256", "bytes"}:
            return f"{value['sha256'][:10]}..({value['bytes']} bytes)"
        case dict():
            return "{" + _list([f"{k}={_brief(v)}" for k, v in value.items()])[1:-1] + "}"
        case list():
            return _list([_brief(item) for item in value])
        case float():
            return f"{value:.6g}"
        case None:
            return "-"
    text = str(value)
    if " " in text:
        return text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}.."
    return text if len(text) <= 24 else short(text)


def _list(items: list[str]) -> str:
    more = f" +{len(items) - LISTED}" if len(items) > LISTED else ""
    return f"[{' '.join(items[:LISTED])}{more}]"
