"""Any field of any event made another value, so that a test can ask of each who notices."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec

from quasar.events import Blob
from quasar.events.receipt import Statement
from tests.builders import World

HEX = frozenset("0123456789abcdef")


def mutated(value: Any, world: World) -> Any:
    """Another value of the same kind; None where there is none to give."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value / 2 if value else 0.5
        case Enum():
            return next(member for member in type(value) if member is not value)
        case Blob():
            return world.log.blobs.put(world.log.blobs.get(value) + b" ")
        case str():
            return _text(value)
        case list():
            return value[:-1] if value else None
        case dict():
            return {"other": "1"} if not value else {}
    return None


def _text(value: str) -> str:
    """Digests stay digests, names stay names."""
    tail = value[-1:]
    if value and set(value.removeprefix("0x")) <= HEX:
        return value[:-1] + ("1" if tail == "0" else "0")
    return value[:-1] + ("y" if tail == "x" else "x")


def edits(event: Any, world: World) -> Iterator[tuple[str, Any]]:
    """Name of each field, and the event with another value in it."""
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, Statement | msgspec.Struct) and not isinstance(value, Blob):
            for inner, other in edits(value, world):
                yield f"{name}.{inner}", msgspec.structs.replace(event, **{name: other})
        elif (other := mutated(value, world)) is not None:
            yield name, msgspec.structs.replace(event, **{name: other})
