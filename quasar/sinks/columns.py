"""Which columns the table of an event type has: where it stands, its bytes, its scalar fields."""

from collections.abc import Callable, Iterator
from functools import cache
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from msgspec import inspect

from quasar.events import Event

Kind = Literal["int", "float", "text", "bool"]
"""``int`` has 64 bits, ``text`` is UTF-8."""


class Column(NamedTuple):
    """One column. Each but those of ``PLACE`` may be null."""

    name: str
    kind: Kind
    path: tuple[str, ...] = ()
    """Attributes that lead from the event to the value; empty for those of ``PLACE``."""


PLACE = (
    Column("volume", "int"),
    Column("seq", "int"),
    Column("key", "text"),
    Column("at", "int"),
    Column("actor", "text"),
    Column("cause", "int"),
    Column("payload", "text"),
)
"""In every table, first. With these five after ``seq`` a stored line, and its hash, is remade."""

_KINDS: dict[type[inspect.Type], Kind] = {
    inspect.IntType: "int",
    inspect.FloatType: "float",
    inspect.StrType: "text",
    inspect.EnumType: "text",
    inspect.LiteralType: "text",
    inspect.BoolType: "bool",
}
_TAKEN = frozenset(column.name for column in PLACE)


@cache
def columns_of(event: type[Event]) -> tuple[Column, ...]:
    """The scalar fields of an event type, those of structs in it by ``struct_field``.

    Lists and mappings have no column: they are in ``payload``. A field that has the name of a
    column of ``PLACE`` is called ``event_<name>``.
    """
    return tuple(
        column._replace(name=f"event_{column.name}") if column.name in _TAKEN else column
        for column in _scalars(inspect.type_info(event), ())
    )


@cache
def reader(event: type[Event]) -> Callable[[Event], tuple[Any, ...]]:
    """Reads the values of ``columns_of`` from an event."""
    reads = [_read(column.path) for column in columns_of(event)]
    return lambda e: tuple([read(e) for read in reads])


def _scalars(found: inspect.Type, path: tuple[str, ...]) -> Iterator[Column]:
    if isinstance(found, inspect.Metadata):
        yield from _scalars(found.type, path)
    elif isinstance(found, inspect.UnionType):
        choices = [t for t in found.types if not isinstance(t, inspect.NoneType)]
        if len(choices) == 1:
            yield from _scalars(choices[0], path)
    elif isinstance(found, inspect.StructType):
        for field in found.fields:
            yield from _scalars(field.type, (*path, field.name))
    elif kind := _KINDS.get(type(found)):
        yield Column("_".join(path), kind, path)


def _read(path: tuple[str, ...]) -> Callable[[Any], Any]:
    """An optional struct on the way makes the value None."""
    if len(path) == 1:
        return attrgetter(path[0])

    def read(value: Any) -> Any:
        for name in path:
            if value is None:
                return None
            value = getattr(value, name)
        return value

    return read
